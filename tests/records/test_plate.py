"""Where the holes of a plate are, and what is known of their errors."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.records.plate import Plate, error_sigma, with_errors, without_errors

RECTANGULAR = Plate((3e-3, 2e-3), hole_m=0.5e-3)


def test_nodes_are_counted_along_slow_and_fast() -> None:
    """i along y with its own pitch, j along x with the other."""
    places = RECTANGULAR.positions(np.array([[0, 0], [1, 0], [0, 1], [-2, 5]]))
    np.testing.assert_allclose(places, [[0, 0], [3e-3, 0], [0, 2e-3], [-6e-3, 10e-3]], atol=1e-18)


@pytest.mark.parametrize("angle", [60.0, 90.0, 117.0])
def test_basis_has_these_lengths_and_this_angle(angle: float) -> None:
    i, j = Plate((3e-3, 2e-3), angle).basis
    assert np.hypot(*i) == pytest.approx(3e-3)
    np.testing.assert_allclose(j, [0, 2e-3], atol=1e-18)
    assert np.degrees(np.arccos(i @ j / np.hypot(*i) / np.hypot(*j))) == pytest.approx(angle)
    assert i[0] > 0, "the axis of i points towards +y"


@pytest.mark.parametrize(
    ("pitch", "angle", "turns"),
    [
        ((2e-3, 2e-3), 90, 4),
        ((2e-3, 2e-3), 60, 6),
        ((2e-3, 2e-3), 120, 6),
        ((2e-3, 2e-3), 75, 2),
        ((3e-3, 2e-3), 90, 2),
        ((3e-3, 2e-3), 60, 2),
    ],
)
def test_symmetry_maps_the_lattice_onto_itself(pitch: tuple[float, float], angle: float, turns: int) -> None:
    plate = Plate(pitch, angle)
    assert plate.symmetry == turns
    a = 2 * np.pi / turns
    turned = plate.basis @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    nodes = turned @ np.linalg.inv(plate.basis)
    np.testing.assert_allclose(nodes, np.rint(nodes), atol=1e-12)


@pytest.mark.parametrize(
    "wrong",
    [{"pitch_m": (0.0, 1e-3)}, {"pitch_m": (-1e-3, 1e-3)}, {"pitch_m": np.nan}, {"pitch_m": 1e-3, "angle_deg": 5.0}],
)
def test_impossible_plates_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError, match="expected"):
        Plate(**wrong)


def test_one_pitch_counts_for_both() -> None:
    assert Plate(2e-3).pitch_m == (2e-3, 2e-3)


@pytest.fixture
def measured() -> Plate:
    ij = np.array([[-1, 2], [0, 0], [3, -4]])
    error = np.array([[1e-6, -2e-6], [3e-6, 0], [0, 4e-6]])
    return with_errors(RECTANGULAR, ij, error, np.full((3, 2), 0.5e-6))


def test_errors_move_their_own_holes_only(measured: Plate) -> None:
    ij = np.array([[0, 0], [3, -4], [-1, 2], [0, 1], [100, -100], [-2, 2]])
    moved = measured.positions(ij) - RECTANGULAR.positions(ij)
    expected = [[3e-6, 0], [0, 4e-6], [1e-6, -2e-6], [0, 0], [0, 0], [0, 0]]
    np.testing.assert_allclose(moved, expected, atol=1e-15)


def test_later_errors_replace_earlier_ones_of_the_same_hole(measured: Plate) -> None:
    again = with_errors(measured, np.array([[0, 0], [5, 5]]), np.full((2, 2), 9e-6), np.full((2, 2), 1e-6))
    assert len(again.error_ij) == 4
    moved = again.positions(np.array([[0, 0], [5, 5], [3, -4]])) - RECTANGULAR.positions([[0, 0], [5, 5], [3, -4]])
    np.testing.assert_allclose(moved, [[9e-6, 9e-6], [9e-6, 9e-6], [0, 4e-6]], atol=1e-15)
    kept = again.error_sigma_yx[(again.error_ij == (3, -4)).all(axis=1)]
    np.testing.assert_array_equal(kept, [[0.5e-6, 0.5e-6]])


def test_without_errors_it_is_the_ideal_plate(measured: Plate) -> None:
    ideal = without_errors(measured)
    ij = np.array([[0, 0], [3, -4]])
    np.testing.assert_array_equal(ideal.positions(ij), RECTANGULAR.positions(ij))
    assert (ideal.error_ij, ideal.error_yx, ideal.error_sigma_yx) == (None, None, None)
    assert ideal.hole_m == measured.hole_m


def test_a_hole_off_the_map_is_as_uncertain_as_the_map_scatters(measured: Plate) -> None:
    sigma = error_sigma(measured, np.array([[0, 0], [1, 1], [50, 50]]))
    rms = np.sqrt(np.mean(np.square(measured.error_yx)))
    np.testing.assert_allclose(sigma, [0.5e-6, rms, rms])


def test_errors_cannot_be_changed_behind_its_back(measured: Plate) -> None:
    for column in (measured.error_ij, measured.error_yx, measured.error_sigma_yx):
        assert not column.flags.writeable
