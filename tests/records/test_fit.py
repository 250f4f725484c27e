"""Poses, and what a fit says about itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hub import wave

from pyfai_gridcal.records.field import SampledField
from pyfai_gridcal.records.fit import DistortionFit, Pose, TrialScore, used_rows, used_sigmas
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.points import ControlPoints

SHAPE = (90, 130)
PIXEL = (50e-6, 40e-6)


# -- poses
def test_a_pose_turns_fast_towards_slow_and_shifts_edges() -> None:
    """A quarter turn takes the plate's +x to the detector's +y; shifts are from the corner of the first pixel."""
    pose = Pose(np.pi / 2, (1e-3, 2e-3))
    found = pose.corrected(np.array([[0.0, 0.0], [0.0, 4e-4], [4e-4, 0.0]]), PIXEL)
    origin = np.array([1e-3 / PIXEL[0], 2e-3 / PIXEL[1]]) - 0.5
    np.testing.assert_allclose(found, origin + [[0, 0], [4e-4 / PIXEL[0], 0], [0, -4e-4 / PIXEL[1]]], atol=1e-9)


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
def fit() -> DistortionFit:
    """Two exposures; the last point of each is an outlier with a large residual."""
    rng = np.random.default_rng(2)
    exposures = points(30, 0), points(20, 1)
    residual = tuple(rng.normal(0, 0.03, (len(p), 2)) for p in exposures)
    for one in residual:
        one[-1] = 9.0
    used = tuple(np.arange(len(p)) < len(p) - 1 for p in exposures)
    nodes = np.array([0.0, SHAPE[0]]), np.array([0.0, SHAPE[1]])
    sigma = SampledField(*nodes, np.broadcast_to([0.03, 0.04], (2, 2, 2)))
    distortion = replace(wave(SHAPE, PIXEL), sigma=sigma)
    poses = (Pose(0.0, (0.0, 0.0)),) * 2
    held_out = tuple(2 * r for r in residual)
    trials = (TrialScore("spline", 0.05), TrialScore("polynomial", 0.06, chosen=True))
    return DistortionFit(distortion, Plate(1e-3), exposures, poses, residual, held_out, used, 0.015, trials=trials)


def test_outliers_do_not_count(fit: DistortionFit) -> None:
    rows = np.concatenate([fit.residual_yx[0][:-1], fit.residual_yx[1][:-1]])
    np.testing.assert_array_equal(used_rows(fit, fit.residual_yx), rows)
    assert fit.residual_px == pytest.approx(np.sqrt(np.mean(rows**2)))
    assert fit.held_out_px == pytest.approx(2 * fit.residual_px)


def test_uncertainty_of_points_holds_that_of_the_plate(fit: DistortionFit) -> None:
    sigma = used_sigmas(fit)
    assert sigma.shape == (48, 2)
    np.testing.assert_allclose(sigma, np.sqrt(0.02**2 + 0.015**2))


def test_name_of_the_recipe(fit: DistortionFit) -> None:
    assert fit.recipe == "polynomial"
    assert replace(fit, trials=()).recipe == "unknown"


def test_expected_error_is_the_rms_of_the_map_among_the_holes(fit: DistortionFit) -> None:
    assert fit.expected_error_px == pytest.approx(np.sqrt((0.03**2 + 0.04**2) / 2))


def test_expected_error_asks_valid_pixels_within_the_hull_only(fit: DistortionFit) -> None:
    """Elsewhere, and under the mask, the map may say what it likes."""
    y, x = np.arange(SHAPE[0], dtype=float), np.arange(SHAPE[1], dtype=float)
    values = np.full((*SHAPE, 2), 50.0)
    values[10:71, 20:111] = 0.1
    values[30:40, 50:60] = 50.0
    mask = np.zeros(SHAPE, bool)
    mask[30:40, 50:60] = True
    distortion = replace(fit.distortion, sigma=SampledField(y, x, values), mask=mask)
    assert replace(fit, distortion=distortion).expected_error_px == pytest.approx(0.1)
    assert replace(fit, distortion=replace(distortion, mask=None)).expected_error_px > 1


def test_without_uncertainty_nothing_is_expected(fit: DistortionFit) -> None:
    assert np.isnan(replace(fit, distortion=replace(fit.distortion, sigma=None)).expected_error_px)
    nobody = tuple(np.zeros(len(u), bool) for u in fit.used)
    assert np.isnan(replace(fit, used=nobody).expected_error_px)
