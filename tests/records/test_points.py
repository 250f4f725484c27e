"""Control points: choosing some, and counting their nodes otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.records.points import ControlPoints

BASIS = np.array([[21.0, 3.0], [-2.0, 17.0]])
ORIGIN = np.array([40.0, 55.0])


@pytest.fixture
def points() -> ControlPoints:
    """A sheared lattice of 3 x 4 nodes."""
    i, j = (v.ravel() for v in np.mgrid[-1:2, 0:4])
    ij = np.stack([i, j], axis=1)
    n = len(ij)
    sigma = np.linspace(0.01, 0.02, 2 * n).reshape(n, 2)
    return ControlPoints(ij @ BASIS + ORIGIN, sigma, ij, np.arange(n)[::-1], np.arange(n) % 3, BASIS, 87.0, 0.1)


def test_columns_are_read_only_and_of_their_type(points: ControlPoints) -> None:
    assert points.ij.dtype == points.spot.dtype == np.int64
    assert points.flags.dtype == np.uint8
    for name in ("yx", "sigma_yx", "ij", "spot", "flags", "basis_px"):
        assert not getattr(points, name).flags.writeable


def test_pitch_is_the_length_of_a_step(points: ControlPoints) -> None:
    assert points.pitch_px == pytest.approx((np.sqrt(450), np.sqrt(293)))


def test_select_keeps_rows_together_and_in_order(points: ControlPoints) -> None:
    some = points.select(np.array([7, 2]))
    assert len(some) == 2
    for name in ("yx", "sigma_yx", "ij", "spot", "flags"):
        np.testing.assert_array_equal(getattr(some, name), getattr(points, name)[[7, 2]])
    assert (some.angle_deg, some.seam_doubt) == (87.0, 0.1)
    mask = points.ij[:, 1] == 3
    np.testing.assert_array_equal(points.select(mask).ij, points.ij[mask])


def test_counted_from_the_nearest(points: ControlPoints) -> None:
    place = (1, 2) @ BASIS + ORIGIN + (3.0, -2.0)
    moved = points.counted_from((float(place[0]), float(place[1])))
    np.testing.assert_array_equal(points.ij - moved.ij, np.tile([1, 2], (len(points), 1)))
    assert points.counted_from(None) is points


@pytest.mark.parametrize("matrix", [[[0, 1], [-1, 0]], [[1, 1], [0, 1]], [[-1, 0], [0, 1]]])
def test_other_indices_of_the_same_lattice(points: ControlPoints, matrix: list[list[int]]) -> None:
    """Nodes and steps change together, so the lattice stays where it is."""
    other = points.reindexed(np.array(matrix), offset=(4, -3))
    np.testing.assert_array_equal(other.yx, points.yx)
    np.testing.assert_array_equal(other.ij, points.ij @ matrix + (4, -3))
    at = (other.ij - (4, -3)) @ other.basis_px + ORIGIN
    np.testing.assert_allclose(at, points.yx, atol=1e-12)
    back = other.reindexed(
        np.rint(np.linalg.inv(matrix)), offset=-np.array((4, -3)) @ np.rint(np.linalg.inv(matrix)).astype(int)
    )
    np.testing.assert_array_equal(back.ij, points.ij)
