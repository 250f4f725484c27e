"""Placement of the plate, and modules that only move."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.base.errors import FittingError
from pyfai_gridcal.base.geometry import turn_matrix
from pyfai_gridcal.fitting.recipe import Sample
from pyfai_gridcal.fitting.rigid import RigidBody, RigidField, place
from pyfai_gridcal.records.fit import Pose

PIXEL = (48e-6, 52e-6)


def positions(count: int = 150) -> np.ndarray:
    return np.random.default_rng(1).uniform((-0.01, -0.014), (0.01, 0.014), (count, 2))


@pytest.mark.parametrize("angle", [-44.0, 0.3, 100.0, 179.0, 271.0])
@pytest.mark.parametrize("given", [None, PIXEL])
def test_pose_and_pixel_size_come_back(angle: float, given: tuple[float, float] | None) -> None:
    pose = Pose(np.deg2rad(angle), (0.011, 0.013))
    p = positions()
    found = place(p, pose.corrected(p, PIXEL), pixel_size=given)
    assert np.allclose(found.pixel_size, PIXEL, rtol=1e-9)
    assert np.allclose(found.pose.corrected(p, PIXEL), pose.corrected(p, PIXEL), atol=1e-8)
    assert np.isclose(np.cos(found.pose.angle_rad - pose.angle_rad), 1)


def test_a_shear_stays_in_the_residual() -> None:
    p = positions()
    yx = Pose(0.1, (0.011, 0.013)).corrected(p, PIXEL)
    sheared = yx + 0.01 * yx[:, ::-1] * [1, 0]
    found = place(p, sheared)
    left = found.pose.corrected(p, found.pixel_size) - sheared
    assert left.std() > 0.3


def test_the_uncertainty_is_that_of_the_scatter() -> None:
    p, rng = positions(), np.random.default_rng(2)
    yx = Pose(0.1, (0.011, 0.013)).corrected(p, PIXEL)
    sigma = 0.05
    sizes = [place(p, yx + rng.normal(0, sigma, yx.shape)).pixel_size for _ in range(200)]
    said = place(p, yx, weights=np.full(len(p), 1 / sigma**2)).pixel_sigma_m
    assert np.allclose(np.std(sizes, axis=0), said, rtol=0.2)


def test_points_on_a_line_and_mirrored_indices_are_errors() -> None:
    p = positions()
    with pytest.raises(FittingError, match="one line"):
        place(p * [1, 0], Pose(0.1, (0, 0)).corrected(p * [1, 0], PIXEL))
    with pytest.raises(FittingError, match="mirrored"):
        place(p * [1, -1], Pose(0.1, (0, 0)).corrected(p, PIXEL))


def test_rigid_body_with_oblong_pixels_and_outliers() -> None:
    rng = np.random.default_rng(3)
    yx = rng.uniform((0, 0), (180, 460), (90, 2))
    truth = RigidField(Pose(0.004, (30e-6, -80e-6)), PIXEL)
    d = truth.at(yx) + rng.normal(0, 0.02, yx.shape)
    d[:4] += 1.7
    sample = Sample(yx, d, np.full(yx.shape, 0.02), (195, 487), 20.0, np.ones(90, bool), pixel_size=PIXEL)
    fit = RigidBody().fit(sample)
    corners = np.array([[0, 0], [194, 0], [0, 486], [194, 486.0]])
    error = fit.field.at(corners) - truth.at(corners)
    assert not fit.used[:4].any()
    assert fit.used[4:].all()
    assert np.abs(error).max() < 0.02
    assert fit.uncertainty is not None
    assert (np.abs(error) < 4 * np.sqrt(fit.uncertainty.variance(corners))).all()
    assert np.allclose(fit.field.on_grid(corners[:2, 0], corners[1:3, 1])[1, 0], fit.field.at([[194, 0]]))


@pytest.mark.parametrize("seed", [72, 163])
def test_points_without_any_order_have_no_place(seed: int) -> None:
    """Newton's steps lead nowhere: the answer is an error of ours."""
    rng = np.random.default_rng(seed)
    count = rng.integers(4, 12)
    with pytest.raises(FittingError, match="no size of the pixels"):
        place(rng.uniform(0, 1e-2, (count, 2)), rng.uniform(0, 1000, (count, 2)))


@pytest.mark.parametrize("factor", [0.3, 3.0])
def test_the_turn_is_right_for_a_size_that_is_not(factor: float) -> None:
    pose = Pose(np.deg2rad(23.0), (0.011, 0.013))
    p = positions()
    yx = pose.corrected(p, PIXEL)
    size = factor * np.array(PIXEL)
    found = place(p, yx, pixel_size=(size[0], size[1]))

    def left(angle: float) -> float:
        turned = (p @ turn_matrix(angle).T) / size
        return float(np.square(yx - turned - (yx - turned).mean(axis=0)).sum())

    every = np.deg2rad(np.arange(0.0, 360.0, 0.05))
    assert found.pose.angle_rad == pytest.approx(every[np.argmin([left(a) for a in every])], abs=1e-3)
