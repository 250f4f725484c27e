"""Icons are found, and seen on light and on dark windows."""

from __future__ import annotations

import numpy as np
import pytest
from qtest import qt

pytestmark = pytest.mark.gui


def test_icons_are_seen_on_light_and_dark(qapp):
    from pyfai_gridcal.gui.drawing.artwork import icon

    for text, lighter in (("#101010", False), ("#f0f0f0", True)):
        palette = qt.QPalette()
        palette.setColor(qt.QPalette.ColorRole.WindowText, qt.QColor(text))
        picture = icon("layer-grid", palette=palette).pixmap(32, 32).toImage()
        pixels = [picture.pixelColor(x, y) for x in range(32) for y in range(32)]
        shade = np.mean([p.lightness() for p in pixels if p.alpha() > 200])
        assert (shade > 128) == lighter


def test_all_icons_are_found_by_silx(qapp):
    from importlib.resources import files

    import silx.gui.icons

    names = [path.name[:-4] for path in (files("pyfai_gridcal.gui") / "icons").iterdir()]
    assert "task-distortion" in names
    for name in names:
        assert not silx.gui.icons.getQIcon(f"gridcal:gui/icons/{name}").isNull()
