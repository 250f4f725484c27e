"""Scores know the truth from what was found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from griddrawing import PIXEL, make

from pyfai_gridcal import synthetic
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import SampledField
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.records.spots import Spots
from pyfai_gridcal.synthetic import fields
from pyfai_gridcal.synthetic.parts import TruthSpots


def test_field_error_ignores_rigid_motion_only():
    shape = (160, 200)
    truth = Distortion(fields.radial(shape, 0.03), shape, PIXEL)
    y, x = np.linspace(-9, 170, 60), np.linspace(-9, 210, 70)
    grid = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
    c, s = np.cos(0.01), np.sin(0.01)
    metres = (grid + truth.field.on_grid(y, x)) * PIXEL
    turned = np.stack([c * metres[..., 0] + s * metres[..., 1], -s * metres[..., 0] + c * metres[..., 1]], axis=-1)
    moved = Distortion(SampledField(y, x, (turned + 1e-4) / PIXEL - grid), shape, PIXEL)
    score = synthetic.field_error(moved, truth)
    assert score.rms_px < 0.01
    assert score.coverage == 1
    wrong = Distortion(fields.SumField((truth.field, fields.linear(shape, shear=0.01))), shape, PIXEL)
    assert synthetic.field_error(wrong, truth).rms_px > 0.2
    mask = np.zeros(shape, bool)
    mask[:80] = True
    assert synthetic.field_error(truth.masked(mask), truth).coverage == pytest.approx(0.5, abs=0.02)


def test_match_spots_counts():
    rng = np.random.default_rng(1)
    truth = make(shape=(400, 500)).render(rng).truth
    noise = rng.normal(0, 1, truth.yx.shape) * truth.sigma_yx * 1.5
    matrix = np.array([[0, 1], [-1, 0]])
    n = len(truth)
    points = ControlPoints(
        truth.yx + noise, truth.sigma_yx, truth.ij @ matrix + (3, -2), np.arange(n), np.zeros(n), 20 * np.eye(2)
    )
    score = synthetic.match_spots(points, truth)
    assert (score.recall, score.precision, score.wrong_index) == (1, 1, 0)
    assert score.over_crlb == pytest.approx(1.5, rel=0.1)
    ij = points.ij.copy()
    ij[:5] += (1, 0)
    wrong = replace(points, ij=ij)
    assert synthetic.match_spots(wrong, truth).wrong_index == 5
    half = Spots.from_positions(np.concatenate([truth.yx[truth.whole][::2], [[-50.0, -50.0]]]))
    score = synthetic.match_spots(half, truth)
    assert score.recall == pytest.approx(0.5, abs=0.02)
    assert score.precision < 1


def test_hull_of_spots_as_a_mask():
    corners = [[10.0, 20.0], [10.0, 60.0], [30.0, 20.0]]
    truth = TruthSpots(corners, [[0, 0], [0, 1], [1, 0]], np.zeros((3, 2)), [True] * 3)
    mask = synthetic.hull_mask(truth, (50, 70))
    assert mask[10, 20]
    assert mask[10, 60]
    assert mask[20, 40]
    assert not mask[21, 41]
    assert not mask[9, 30]
    assert mask.sum() == 400 + 80 / 2 + 1, "Pick's theorem: area, and half of the pixels on the border"
    np.testing.assert_array_equal(synthetic.hull_mask(truth, (50, 70), step=5), mask[::5, ::5])


def test_error_of_a_known_difference():
    """A bump that no rigid motion takes out, in one half only."""
    shape = (60, 90)
    y, x = np.array([0.0, 59.0]), np.linspace(0, 89, 90)
    bump = np.zeros((2, 90, 2))
    bump[:, :, 0] = np.where(np.arange(90) % 2, 0.3, -0.3)
    flat = Distortion(fields.linear(shape), shape, PIXEL)
    score = synthetic.field_error(Distortion(SampledField(y, x, bump), shape, PIXEL), flat, step=1)
    assert score.rms_px == pytest.approx(0.3 * PIXEL[0] / np.mean(PIXEL), rel=1e-3)
    assert score.angle_deg == pytest.approx(0, abs=1e-2)
