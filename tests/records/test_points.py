"""Control points: selected, numbered otherwise, counted from elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.records.points import ControlPoints

BASIS = np.array([[20.0, 3.0], [-2.0, 31.0]])


@pytest.fixture
def points() -> ControlPoints:
    ij = np.stack(np.meshgrid(np.arange(-2, 3), np.arange(4), indexing="ij"), axis=-1).reshape(-1, 2)
    n = len(ij)
    sigma = np.arange(1.0, 2 * n + 1).reshape(n, 2)
    return ControlPoints(ij @ BASIS + (100, 50), sigma, ij, np.arange(n) + 7, np.zeros(n, np.uint8), BASIS)


def test_selected_rows_keep_their_order(points: ControlPoints) -> None:
    few = points.select(np.array([5, 2]))
    assert few.spot.tolist() == [12, 9]
    assert np.array_equal(few.sigma_yx, points.sigma_yx[[5, 2]])
    assert few.basis_px is points.basis_px or np.array_equal(few.basis_px, BASIS)


@pytest.mark.parametrize("matrix", [[[0, 1], [-1, 0]], [[1, 0], [1, 1]]])
def test_other_numbers_leave_the_holes_where_they_are(points: ControlPoints, matrix: list[list[int]]) -> None:
    other = points.reindexed(np.array(matrix), (3, -8))
    origin = points.yx[0] - points.ij[0] @ BASIS
    moved = np.asarray((3, -8)) @ other.basis_px
    assert np.allclose(other.ij @ other.basis_px - moved + origin, points.yx)


def test_counted_from_the_nearest_to_a_place(points: ControlPoints) -> None:
    place = points.yx[9] + (3.0, -5.0)
    other = points.counted_from((float(place[0]), float(place[1])))
    assert other.ij[9].tolist() == [0, 0]
    assert np.array_equal(other.ij - points.ij, np.broadcast_to(-points.ij[9], points.ij.shape))
    assert points.counted_from(None) is points


def test_columns_cannot_be_changed(points: ControlPoints) -> None:
    for column in (points.yx, points.ij, points.flags):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 0


def test_pitch(points: ControlPoints) -> None:
    assert points.pitch_px == pytest.approx((np.hypot(20, 3), np.hypot(2, 31)))
