"""Distortions to choose from are what their names say."""

from __future__ import annotations

import numpy as np
import pytest
from griddrawing import SHAPE

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


def test_radial_field_pushes_along_the_radius():
    """By k3 r^2 + k5 r^4 of it, r = 1 at half the longest side."""
    field = fields.radial(SHAPE, 0.05, -0.02, centre=(60.0, 90.0))
    away = np.array([[30.0, -40.0], [0.0, 90.5], [0.0, 0.0]])
    r2 = (away**2).sum(axis=1) / (SHAPE[1] / 2) ** 2
    np.testing.assert_allclose(field.at(away + (60.0, 90.0)), away * (0.05 * r2 - 0.02 * r2**2)[:, None], atol=1e-12)


def test_linear_field_shears_along_slow_and_keeps_the_area():
    centre = np.array(fields.centre_of(SHAPE))
    field = fields.linear(SHAPE, shear=0.01, stretch=0.002, shift=(3.0, -1.0))
    np.testing.assert_allclose(field.at(centre + [[0, 0], [100, 0], [0, 100]]), [[3, -1], [3.2, -1], [4, -1.2]])


def test_perspective_divides_by_the_tilt():
    """Far from the centre along the tilt everything is nearer together, by one part in one plus the tilt."""
    centre = np.array(fields.centre_of(SHAPE))
    field = fields.perspective(SHAPE, (0.0, 0.1))
    border = centre + [[0, SHAPE[1] / 2], [10, SHAPE[1] / 2], [10, 0]]
    corrected = border + field.at(border) - centre
    np.testing.assert_allclose(corrected, [[0, SHAPE[1] / 2 / 1.1], [10 / 1.1, SHAPE[1] / 2 / 1.1], [10, 0]])


def test_tiles_jump_and_turn_about_their_own_centres():
    field = fields.tiles(SHAPE, (2, 3), np.random.default_rng(3), jump_px=3.0, turn_deg=0.5)
    assert field.labels.shape == SHAPE
    assert field.labels[0, 0] == 0
    assert field.labels[-1, 0] == 3
    assert field.labels[-1, -1] == 5
    for k, tile in enumerate(field.fields):
        place = np.argwhere(field.labels == k).mean(axis=0)
        np.testing.assert_allclose(tile.at(place)[0], tile.shift, atol=1e-12)
        turn = np.eye(2) + tile.matrix
        np.testing.assert_allclose(turn @ turn.T, np.eye(2), atol=1e-12)
    assert len({tile.shift for tile in field.fields}) == 6


def test_sum_of_fields():
    parts = fields.radial(SHAPE, 0.03), fields.linear(SHAPE, shear=0.01)
    at = np.array([[3.0, 5.0], [100.0, 20.0]])
    np.testing.assert_allclose(fields.SumField(parts).at(at), parts[0].at(at) + parts[1].at(at), atol=1e-15)
