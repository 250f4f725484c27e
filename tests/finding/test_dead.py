"""Dead areas, told from opaque dots and from plain light."""

from __future__ import annotations

import numpy as np

from pyfai_gridcal.finding.dead import dead_areas, dead_level


def test_dead_rows_are_found_and_opaque_dots_are_not() -> None:
    rng = np.random.default_rng(1)
    image = rng.normal(1000, 30, (300, 310))
    image[100:104] = rng.normal(100, 8, (4, 310))
    y, x = np.mgrid[:300, :310]
    dots = np.hypot((y + 13) % 40 - 20, (x + 7) % 40 - 20) < 6
    image[dots] = rng.normal(100, 8, int(dots.sum()))
    level = dead_level(image)
    assert level is not None
    assert 150 < level < 900
    dead = dead_areas(image, None, larger_than=40)
    assert dead is not None
    assert dead[100:104].all()
    assert not dead[dots & (np.abs(y - 102) > 20)].any()


def test_no_dead_population_in_plain_light() -> None:
    image = np.random.default_rng(1).poisson(30, (300, 310))
    assert dead_level(image) is None
