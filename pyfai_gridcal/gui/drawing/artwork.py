"""Our own icons: SVG files, drawn in the colour of the text, so that they are seen on light and on dark windows."""

from __future__ import annotations

import functools
import logging
from importlib.resources import files

import silx.resources
from silx.gui import qt

logger = logging.getLogger(__name__)
#: Prefix of our files among the resources of silx: ``silx.gui.icons.getQIcon("gridcal:gui/icons/gridcal")``.
PREFIX = "gridcal"
#: What the files use where the colour of the text shall stand.
INK = "#505050"
#: Sizes that Qt asks for on screens of one and of two pixels per point, px.
SIZES = (16, 24, 32, 48, 64)


@functools.cache
def register() -> None:
    """Make our icons known to silx, once."""
    try:
        silx.resources.register_resource_directory(PREFIX, "pyfai_gridcal")
    except ValueError:
        logger.debug("prefix %r was there already", PREFIX)


def icon(name: str, *, palette: qt.QPalette | None = None) -> qt.QIcon:
    """An icon by the name of its file, in the colours of `palette` (default: the application's)."""
    register()
    palette = qt.QApplication.palette() if palette is None else palette
    colours = {
        mode: palette.color(group, qt.QPalette.ColorRole.WindowText).name()
        for mode, group in (
            (qt.QIcon.Mode.Normal, qt.QPalette.ColorGroup.Active),
            (qt.QIcon.Mode.Disabled, qt.QPalette.ColorGroup.Disabled),
        )
    }
    out = qt.QIcon()
    for mode, colour in colours.items():
        for size in SIZES:
            out.addPixmap(_pixmap(name, colour, size), mode)
    return out


def _pixmap(name: str, colour: str, size: int) -> qt.QPixmap:
    text = (files("pyfai_gridcal.gui") / "icons" / f"{name}.svg").read_text(encoding="utf-8")
    renderer = qt.QSvgRenderer(qt.QByteArray(text.replace(INK, colour).encode()))
    pixmap = qt.QPixmap(size, size)
    pixmap.fill(qt.Qt.GlobalColor.transparent)
    painter = qt.QPainter(pixmap)
    renderer.render(painter)
    painter.end()
    return pixmap
