"""Several exposures of one plate whose own holes are off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fieldtruth import SHAPE, Truth, observe, turned_indices
from turnedplates import OFF, PLACES, PLATE, exposures, field, imperfect, rms

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.fitting.fitting import fit_distortion
from pyfai_gridcal.records.fit import DistortionFit
from pyfai_gridcal.records.plate import error_sigma, with_errors, without_errors


@pytest.fixture(scope="module")
def seen() -> list[Truth]:
    return exposures()


@pytest.fixture(scope="module")
def joint(seen: list[Truth]) -> DistortionFit:
    return fit_distortion([t.points for t in seen], plate=PLATE, shape=SHAPE)


def test_several_exposures_tell_the_plate_from_the_detector(seen: list[Truth], joint: DistortionFit) -> None:
    alone = rms(seen[0], fit_distortion(seen[0].points, plate=PLATE, shape=SHAPE))
    together = rms(seen[0], joint)
    assert alone > 0.07
    assert together < 0.3 * alone


def test_the_uncertainty_is_honest(seen: list[Truth], joint: DistortionFit) -> None:
    assert joint.distortion.sigma is not None
    yx = seen[0].grid(margin=25)
    error = seen[0].errors(joint.distortion, yx)
    assert 0.3 < np.sqrt(np.mean((error / joint.distortion.sigma.at(yx)) ** 2)) < 2.0


def test_the_errors_of_the_holes_come_out(seen: list[Truth], joint: DistortionFit) -> None:
    """The first exposure numbers the holes; its own numbering is known."""
    plate = joint.plate
    assert plate.error_ij is not None
    assert plate.error_yx is not None
    assert plate.error_sigma_yx is not None
    first, own = seen[0], observe(field(), plate=imperfect(), angle_deg=1.2, offset=(0.2, -0.3), seed=0, sigma=0.01)
    assert np.array_equal(joint.points[0].ij, first.points.ij)
    rows = {tuple(n): k for k, n in enumerate(plate.error_ij.tolist())}
    which = [rows[tuple(n)] for n in first.points.ij.tolist()]
    error = plate.error_yx[which] - (imperfect().positions(own.points.ij) - PLATE.positions(own.points.ij))
    sigma = plate.error_sigma_yx[which]
    # a stretch and a shift of the whole are no errors of single holes
    affine = np.c_[np.ones(len(error)), own.points.ij]
    error = error - affine @ np.linalg.lstsq(affine, error, rcond=None)[0]
    known = sigma < 0.3 * OFF
    assert known.mean() > 0.8
    assert error[known].std() < 2 * np.sqrt((sigma[known] ** 2).mean())
    assert error[known].std() < 0.15 * OFF


def test_the_map_serves_for_another_exposure(joint: DistortionFit) -> None:
    later = observe(field(), plate=imperfect(), angle_deg=181.5, offset=(0.7, 0.4), seed=50, sigma=0.01)
    foreign = turned_indices(later.points, 2, (11, 5))
    with_map = fit_distortion(foreign, plate=joint.plate, shape=SHAPE)
    without = fit_distortion(foreign, plate=PLATE, shape=SHAPE)
    assert rms(later, with_map) < 0.5 * rms(later, without)


def test_what_the_exposures_cannot_tell_is_said() -> None:
    shifted = exposures(((1.2, (0.2, -0.3)), (1.2, (2.4, -1.7))))
    fit = fit_distortion([t.points for t in shifted], plate=PLATE, shape=SHAPE)
    assert any("shear" in note and "cannot be told" in note for note in fit.notes)


def test_a_quarter_turn_frees_the_shear(joint: DistortionFit) -> None:
    assert not any("cannot be told" in note for note in joint.notes)
    assert any("mean pitch" in note for note in joint.notes)


def test_poses_are_found(seen: list[Truth], joint: DistortionFit) -> None:
    turns = np.rad2deg([p.angle_rad for p in joint.poses])
    expected = np.array([p[0] for p in PLACES])
    difference = (turns - turns[0] - (expected - expected[0]) + 180) % 360 - 180
    assert np.abs(difference).max() < 0.01
    for points, pose, residual in zip(joint.points, joint.poses, joint.residual_yx, strict=True):
        node = pose.corrected(joint.plate.positions(points.ij), joint.distortion.pixel_size)
        assert np.abs(joint.distortion.correct(points.yx) - node - residual).max() < 2e-4


def test_a_perfect_plate_needs_no_registration() -> None:
    truths = [observe(field(), plate=PLATE, angle_deg=a, offset=o, seed=k) for k, (a, o) in enumerate(PLACES[:2])]
    fit = fit_distortion([t.points for t in truths], plate=PLATE, shape=SHAPE)
    assert rms(truths[0], fit) < 0.02


def test_a_stranger_among_them() -> None:
    good = exposures(PLACES[:2])
    other = replace(imperfect(), error_yx=np.random.default_rng(99).normal(0, OFF, (51 * 51, 2)))
    stranger = observe(field(), plate=other, angle_deg=10.0, seed=7)
    fit = fit_distortion([t.points for t in (*good, stranger)], plate=PLATE, shape=SHAPE)
    assert any("exposure 3" in note for note in fit.notes)
    assert fit.plate.error_ij is not None
    assert np.abs(fit.plate.error_ij).max() < 1000


def test_models_for_several_exposures(seen: list[Truth]) -> None:
    with pytest.raises(UsageError, match="exposures"):
        fit_distortion([t.points for t in seen], plate=PLATE, shape=SHAPE, model="griddata")
    with pytest.raises(UsageError, match="no control points"):
        fit_distortion([], plate=PLATE, shape=SHAPE)


def test_maps_are_merged_and_taken_away() -> None:
    ij = np.array([[0, 0], [0, 1], [3, 2]])
    plate = with_errors(PLATE, ij, np.full((3, 2), 5e-6), np.full((3, 2), 1e-6))
    more = with_errors(plate, np.array([[0, 1], [9, 9]]), np.full((2, 2), 7e-6), np.full((2, 2), 2e-6))
    assert more.error_ij is not None
    assert len(more.error_ij) == 4
    assert np.allclose(more.positions(np.array([[0, 1]])), [[7e-6, 1e-3 + 7e-6]])
    assert np.allclose(more.positions(np.array([[0, 0]])), [[5e-6, 5e-6]])
    sigma = error_sigma(more, np.array([[9, 9], [3, 2], [5, 5]]))
    assert np.allclose(sigma[:2], [2e-6, 1e-6])
    assert 5e-6 < sigma[2] < 7e-6
    assert without_errors(more).error_ij is None
