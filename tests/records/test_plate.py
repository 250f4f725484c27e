"""Places of holes on a plate, with errors of some of them."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.records.plate import Plate, error_sigma, with_errors, without_errors

IJ = np.array([(0, 0), (2, -1), (-3, 4)])
ERROR = np.array([[1e-6, -2e-6], [3e-6, 0.0], [0.0, 5e-6]])


@pytest.mark.parametrize(("angle", "symmetry"), [(90.0, 4), (60.0, 6), (81.0, 2)])
def test_basis_has_pitch_angle_and_symmetry(angle: float, symmetry: int) -> None:
    plate = Plate(2e-3, angle)  # type: ignore[arg-type]
    bi, bj = plate.basis
    assert np.hypot(*bi) == pytest.approx(2e-3)
    assert bj.tolist() == [0.0, 2e-3]
    assert np.rad2deg(np.arctan2(bi[0], bi[1])) == pytest.approx(angle)
    assert plate.symmetry == symmetry


def test_errors_move_their_holes_only() -> None:
    plate = with_errors(Plate((1e-3, 2e-3)), IJ, ERROR, np.abs(ERROR))
    asked = np.array([(2, -1), (1, 1), (400, -400), (0, 0)])
    moved = plate.positions(asked) - without_errors(plate).positions(asked)
    assert np.allclose(moved, [ERROR[1], [0, 0], [0, 0], ERROR[0]], atol=1e-15)


def test_new_errors_take_the_place_of_old_ones() -> None:
    plate = with_errors(Plate((1e-3, 2e-3)), IJ, ERROR, np.full((3, 2), 1e-7))
    plate = with_errors(plate, IJ[:1], 9 * ERROR[:1], np.full((1, 2), 2e-7))
    assert plate.error_ij is not None
    assert len(plate.error_ij) == 3
    assert np.allclose(plate.positions(IJ) - without_errors(plate).positions(IJ), [9 * ERROR[0], *ERROR[1:]])


def test_sigma_of_known_and_of_unknown_holes() -> None:
    plate = with_errors(Plate((1e-3, 2e-3)), IJ, ERROR, np.array([[1e-7, 7e-7], [2e-7, 2e-7], [0.0, 0.0]]))
    sigma = error_sigma(plate, np.array([(0, 0), (2, -1), (50, 50), (0, 1)]))
    assert sigma == pytest.approx([5e-7, 2e-7, *[float(np.sqrt((ERROR**2).mean()))] * 2])


@pytest.mark.parametrize("pitch", [0.0, (1e-3, -1e-3), float("nan")])
def test_pitch_that_cannot_be(pitch: float) -> None:
    with pytest.raises(UsageError, match="pitch"):
        Plate(pitch)  # type: ignore[arg-type]


RECTANGULAR = Plate((3e-3, 2e-3), hole_m=0.5e-3)


def test_nodes_are_counted_along_slow_and_fast() -> None:
    """i along y with its own pitch, j along x with the other."""
    places = RECTANGULAR.positions(np.array([[0, 0], [1, 0], [0, 1], [-2, 5]]))
    np.testing.assert_allclose(places, [[0, 0], [3e-3, 0], [0, 2e-3], [-6e-3, 10e-3]], atol=1e-18)


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


def test_one_pitch_counts_for_both() -> None:
    assert Plate(2e-3).pitch_m == (2e-3, 2e-3)


@pytest.fixture
def measured() -> Plate:
    ij = np.array([[-1, 2], [0, 0], [3, -4]])
    error = np.array([[1e-6, -2e-6], [3e-6, 0], [0, 4e-6]])
    return with_errors(RECTANGULAR, ij, error, np.full((3, 2), 0.5e-6))


def test_without_errors_it_is_the_ideal_plate(measured: Plate) -> None:
    ideal = without_errors(measured)
    ij = np.array([[0, 0], [3, -4]])
    np.testing.assert_array_equal(ideal.positions(ij), RECTANGULAR.positions(ij))
    assert (ideal.error_ij, ideal.error_yx, ideal.error_sigma_yx) == (None, None, None)
    assert ideal.hole_m == measured.hole_m


def test_errors_cannot_be_changed_behind_its_back(measured: Plate) -> None:
    for column in (measured.error_ij, measured.error_yx, measured.error_sigma_yx):
        assert not column.flags.writeable


def test_an_angle_is_a_number() -> None:
    with pytest.raises(UsageError, match="angle"):
        Plate("5mm", "60")
