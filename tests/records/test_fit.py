"""Poses, and what a fit says of itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fieldtruth import SHAPE, SQUARE, observe

from pyfai_gridcal.base.geometry import turn_matrix
from pyfai_gridcal.fitting.fitting import fit_distortion
from pyfai_gridcal.records.fit import DistortionFit, Pose, used_rows, used_sigmas
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
