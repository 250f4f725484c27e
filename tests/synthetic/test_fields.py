"""True fields: the same at points and on grids, and as large as they were asked to be."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import SHAPE

from pyfai_gridcal.synthetic import fields


def test_fields_agree_between_points_and_grids():
    rng = np.random.default_rng(4)
    y, x = np.linspace(-3, 140, 7), np.linspace(2, 190, 9)
    points = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
    for field in (
        fields.radial(SHAPE, -0.04, 0.02, centre=(61.0, 99.0)),
        fields.perspective(SHAPE, (0.02, -0.05)),
        fields.linear(SHAPE, shear=0.1, shift=(1, 2)),
        fields.smooth(SHAPE, 4.0, 60, rng),
        fields.taper(SHAPE, rng),
        fields.tiles(SHAPE, (2, 3), rng, base=fields.radial(SHAPE, 0.02)),
    ):
        np.testing.assert_allclose(field.on_grid(y, x).reshape(-1, 2), field.at(points), atol=1e-12)


def test_smooth_field_keeps_its_promise():
    shape = (400, 310)
    grid = fields.smooth(shape, 6.5, 150, np.random.default_rng(0)).on_grid(np.arange(400.0), np.arange(310.0))
    assert np.hypot(grid[..., 0], grid[..., 1]).max() == pytest.approx(6.5, rel=0.02)
