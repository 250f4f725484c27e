"""Poses, and what a fit says of itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fieldtruth import SHAPE, SQUARE, observe
from hub import wave

from pyfai_gridcal.base.geometry import turn_matrix
from pyfai_gridcal.fitting.fitting import fit_distortion
from pyfai_gridcal.records.field import SampledField
from pyfai_gridcal.records.fit import DistortionFit, Pose, TrialScore, used_rows, used_sigmas
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.synthetic import fields


@pytest.fixture(scope="module")
def fit() -> DistortionFit:
    truth = observe(fields.linear(SHAPE, shear=0.01), plate=SQUARE)
    return fit_distortion(truth.points, plate=SQUARE, shape=SHAPE, model="polynomial")


def test_a_pose_turns_then_shifts_then_counts_pixels() -> None:
    pose, at = Pose(0.3, (2e-3, -1e-3)), np.array([[1e-3, 5e-3], [-4e-3, 2e-3]])
    expected = (at @ turn_matrix(0.3).T + pose.shift_m) / (50e-6, 40e-6) - 0.5
    assert np.allclose(pose.corrected(at, (50e-6, 40e-6)), expected)
    # positive angles turn +x (fast) towards +y (slow)
    assert Pose(0.1, (0.0, 0.0)).corrected(np.array([[0.0, 1.0]]), (1.0, 1.0))[0, 0] > -0.5


def test_outliers_are_in_no_figure(fit: DistortionFit) -> None:
    used, residual = fit.used[0].copy(), np.array(fit.residual_yx[0])
    used[3], residual[3] = False, 1e3
    other = replace(fit, used=(used,), residual_yx=(residual,))
    assert other.residual_px < 2 * fit.residual_px + 1e-3
    assert len(used_rows(other, other.residual_yx)) == used.sum()


def test_sigma_of_used_points_holds_the_scatter_of_the_plate(fit: DistortionFit) -> None:
    sigma = used_rows(fit, [p.sigma_yx for p in fit.points])
    assert np.allclose(used_sigmas(replace(fit, plate_sigma_px=0.3)), np.hypot(sigma, 0.3))


def test_the_chosen_recipe_is_named(fit: DistortionFit) -> None:
    assert fit.recipe == "polynomial"
    assert replace(fit, trials=()).recipe == "unknown"
    assert 0 < fit.expected_error_px < 0.05


SMALL = (90, 130)


PIXEL = (50e-6, 40e-6)


def test_a_pose_keeps_distances_in_metres() -> None:
    places = np.random.default_rng(1).normal(0, 1e-3, (7, 2))
    on_plane = Pose(0.41, (3e-3, -1e-3)).corrected(places, PIXEL) * PIXEL
    before = np.hypot(*(places[:, None] - places).transpose(2, 0, 1))
    after = np.hypot(*(on_plane[:, None] - on_plane).transpose(2, 0, 1))
    np.testing.assert_allclose(after, before, atol=1e-12)


# -- fits
def points(count: int, seed: int) -> ControlPoints:
    rng = np.random.default_rng(seed)
    yx = rng.uniform((10, 20), (70, 110), (count, 2))
    yx[:4] = [[10, 20], [10, 110], [70, 20], [70, 110]]
    ij = np.stack([np.arange(count), np.arange(count) * 0], axis=1)
    sigma = np.full((count, 2), 0.02)
    return ControlPoints(yx, sigma, ij, np.arange(count), np.zeros(count), 20 * np.eye(2))


@pytest.fixture
def two_exposures() -> DistortionFit:
    """Two exposures; the last point of each is an outlier with a large residual."""
    rng = np.random.default_rng(2)
    exposures = points(30, 0), points(20, 1)
    residual = tuple(rng.normal(0, 0.03, (len(p), 2)) for p in exposures)
    for one in residual:
        one[-1] = 9.0
    used = tuple(np.arange(len(p)) < len(p) - 1 for p in exposures)
    nodes = np.array([0.0, SMALL[0]]), np.array([0.0, SMALL[1]])
    sigma = SampledField(*nodes, np.broadcast_to([0.03, 0.04], (2, 2, 2)))
    distortion = replace(wave(SMALL, PIXEL), sigma=sigma)
    poses = (Pose(0.0, (0.0, 0.0)),) * 2
    held_out = tuple(2 * r for r in residual)
    trials = (TrialScore("spline", 0.05), TrialScore("polynomial", 0.06, chosen=True))
    return DistortionFit(distortion, Plate(1e-3), exposures, poses, residual, held_out, used, 0.015, trials=trials)


def test_expected_error_is_the_rms_of_the_map_among_the_holes(two_exposures: DistortionFit) -> None:
    assert two_exposures.expected_error_px == pytest.approx(np.sqrt((0.03**2 + 0.04**2) / 2))


def test_expected_error_asks_valid_pixels_within_the_hull_only(two_exposures: DistortionFit) -> None:
    """Elsewhere, and under the mask, the map may say what it likes."""
    y, x = np.arange(SMALL[0], dtype=float), np.arange(SMALL[1], dtype=float)
    values = np.full((*SMALL, 2), 50.0)
    values[10:71, 20:111] = 0.1
    values[30:40, 50:60] = 50.0
    mask = np.zeros(SMALL, bool)
    mask[30:40, 50:60] = True
    distortion = replace(two_exposures.distortion, sigma=SampledField(y, x, values), mask=mask)
    assert replace(two_exposures, distortion=distortion).expected_error_px == pytest.approx(0.1)
    assert replace(two_exposures, distortion=replace(distortion, mask=None)).expected_error_px > 1


def test_without_uncertainty_nothing_is_expected(two_exposures: DistortionFit) -> None:
    assert np.isnan(replace(two_exposures, distortion=replace(two_exposures.distortion, sigma=None)).expected_error_px)
    nobody = tuple(np.zeros(len(u), bool) for u in two_exposures.used)
    assert np.isnan(replace(two_exposures, used=nobody).expected_error_px)
