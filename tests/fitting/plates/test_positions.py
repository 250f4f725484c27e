"""Positions of motors: they number holes that look all alike, and are overruled by holes that do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fieldtruth import SHAPE, Truth, observe, turned_indices
from turnedplates import PLACES, PLATE, exposures, field, rms

from pyfai_gridcal import calibrate
from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.base.units import parse_positions
from pyfai_gridcal.fitting.fitting import fit_distortion
from pyfai_gridcal.fitting.plates.positions import positions_of
from pyfai_gridcal.records.fit import Pose
from pyfai_gridcal.records.plate import Plate

SHIFTS = ((0.2, -0.3), (2.4, -1.7), (-1.6, 2.2))


def alike() -> list[Truth]:
    """Three exposures of a perfect plate, each numbered from a corner of its own."""
    out = []
    for k, offset in enumerate(SHIFTS):
        truth = observe(field(), plate=PLATE, angle_deg=1.2, offset=offset, seed=k, sigma=0.01)
        out.append(replace(truth, points=truth.points.reindexed(np.eye(2, dtype=int), np.array([3 * k, -7 * k]))))
    return out


def motors(truths: list[Truth]) -> np.ndarray:
    """Where the plate was, from an unknown zero, not quite right."""
    shift = np.array([t.pose.shift_m for t in truths])
    return shift + (0.3, -0.1) + np.random.default_rng(1).normal(0, 10e-6, shift.shape)


def numbers_agree(truths: list[Truth], found: tuple) -> list[bool]:
    """Whether the offsets that were put on the numbers are gone, but for one of them all."""
    both = enumerate(zip(truths, found, strict=True))
    offsets = [np.median(f.ij - t.points.ij, axis=0) + (3 * k, -7 * k) for k, (t, f) in both]
    return [bool(np.array_equal(o, offsets[0])) for o in offsets]


@pytest.mark.slow
def test_positions_number_holes_that_are_all_alike() -> None:
    truths = alike()
    points = [t.points for t in truths]
    without = fit_distortion(points, plate=PLATE, shape=SHAPE)
    assert not all(numbers_agree(truths, without.points))
    told = fit_distortion(points, plate=PLATE, shape=SHAPE, positions=motors(truths))
    assert all(numbers_agree(truths, told.points))
    assert any("numbered by its position" in note for note in told.notes)
    assert rms(truths[0], told) < 0.01


@pytest.mark.slow
def test_a_position_between_two_holes_numbers_nothing() -> None:
    truths = alike()
    where = motors(truths)
    where[1, 0] += 0.5e-3
    told = fit_distortion([t.points for t in truths], plate=PLATE, shape=SHAPE, positions=where)
    assert numbers_agree(truths, told.points)[2]
    assert any("exposure 2: no holes recognised" in note for note in told.notes)


@pytest.mark.slow
def test_a_wrong_position_is_overruled() -> None:
    seen = exposures(PLACES[:3])
    where = np.array([t.pose.shift_m for t in seen])
    where[2] += (3e-3, -1e-3)
    points = [t.points for t in seen]
    alone = fit_distortion(points, plate=PLATE, shape=SHAPE)
    told = fit_distortion(points, plate=PLATE, shape=SHAPE, positions=where)
    assert rms(seen[0], told) < 1.05 * rms(seen[0], alone)


@pytest.mark.slow
def test_a_position_that_the_holes_contradict_is_named() -> None:
    truths = exposures(tuple((1.2, offset) for offset in (*SHIFTS, (0.7, 3.1))))
    where = np.array([t.pose.shift_m for t in truths])
    points = [t.points for t in truths]
    good = fit_distortion(points, plate=PLATE, shape=SHAPE, positions=where)
    assert not any("otherwise" in note for note in good.notes)
    where[2] += (3e-3, -1e-3)
    bad = fit_distortion(points, plate=PLATE, shape=SHAPE, positions=where)
    assert any("exposure 3: the holes say otherwise" in note for note in bad.notes)


def test_only_what_no_common_motion_explains_counts() -> None:
    rng = np.random.default_rng(0)
    poses = [Pose(a, tuple(rng.normal(0, 1e-2, 2))) for a in (0.1, 1.6, 3.3, 0.7)]
    point, zero = np.array([4e-3, -2e-3]), np.array([0.2, 0.1])
    turned = [np.array([[np.cos(p.angle_rad), np.sin(p.angle_rad)], [-np.sin(p.angle_rad), np.cos(p.angle_rad)]])
              for p in poses]  # fmt: skip
    where = np.array([p.shift_m for p in poses]) + [m @ point for m in turned] - zero
    positions = positions_of(where, 4, Plate((1e-3, 2e-3)))
    assert positions is not None
    normal, right = positions.prior(poses, (50e-6, 40e-6))
    assert np.allclose(right, 0, atol=1e-6)
    assert np.linalg.matrix_rank(normal, tol=1e-6 * np.abs(normal).max()) == 4
    assert np.linalg.eigvalsh(normal).max() == pytest.approx(1.0, rel=0.3)  # 1 / px² for 50 um and 50 um


def test_positions_must_fit_the_exposures() -> None:
    with pytest.raises(UsageError, match="positions"):
        positions_of([(0.0, 0.0)], 2, PLATE)
    with pytest.raises(UsageError, match="positions"):
        positions_of([(0.0, 0.0), (np.nan, 0.0)], 2, PLATE)
    assert positions_of(None, 2, PLATE) is None


def test_calibrate_wants_one_position_for_each_image() -> None:
    with pytest.raises(UsageError, match="1 positions for 2 exposures"):
        calibrate([np.zeros((60, 50)), np.zeros((60, 50))], pitch=1e-3, positions=[(0.0, 0.0)])


def test_positions_as_text_and_as_a_file(tmp_path: Path) -> None:
    expected = ((0.0, 0.0), (2.5e-3, -1e-3), (-40e-6, 0.01))
    assert parse_positions("0mm,0mm; 2.5mm,-1mm; -40um,10mm") == pytest.approx(np.array(expected))
    path = tmp_path / "motors.txt"
    path.write_text("# slow, fast\n0mm, 0mm\n2.5mm -1mm  # shifted\n\n-40um,10mm\n")
    assert parse_positions(str(path)) == pytest.approx(np.array(expected))
    for wrong in ("0,0;1,1", "1mm", "1mm,2mm,3mm", "1mm,2", str(tmp_path / "none.txt")):
        with pytest.raises(UsageError, match="positions"):
            parse_positions(wrong)


@pytest.mark.slow
def test_indices_of_a_turned_plate_are_left_to_the_fingerprint() -> None:
    """Positions alone do not tell that the plate was turned by a quarter, so they number no such exposure."""
    truths = alike()[:2]
    truths[1] = observe(field(), plate=PLATE, angle_deg=11.0, offset=SHIFTS[1], seed=5, sigma=0.01)
    points = [truths[0].points, turned_indices(truths[1].points, 0, (5, 2))]
    told = fit_distortion(points, plate=PLATE, shape=SHAPE, positions=motors(truths))
    assert any("exposure 2: no holes recognised" in note for note in told.notes)
