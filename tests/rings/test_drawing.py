"""The figure of rings: without and with, over the azimuth and as maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ringdrawing import perfect, ring_points_of

from pyfai_gridcal.base.atomic import save_figure
from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.rings.drawing import ring_figure
from pyfai_gridcal.rings.judge import RingValidation, Straightness


def test_the_figure_shows_both(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    points = ring_points_of(perfect((120, 150)), rng)
    count = len(points)
    one = [Straightness({}, rng.normal(0, s, count), np.full(count, 1e-3), np.ones(count), np.ones(9)) for s in (3, 1)]
    azimuth = np.linspace(-180, 180, count)
    found = RingValidation(points, azimuth, np.zeros(count, int), one[0], one[1], (120, 150))
    titles = [ax.get_title() for ax in ring_figure(found).axes]
    assert [t.split(":")[0] for t in titles if t] == ["without the calibration", "with the calibration"]
    save_figure(ring_figure(found), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes()[1:4] == b"PNG"
    with pytest.raises(UsageError, match="Format 'foo'"):
        save_figure(ring_figure(found), tmp_path / "a.foo")
    assert [one.name for one in tmp_path.iterdir()] == ["a.png"]
