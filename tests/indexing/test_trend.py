"""A polynomial through all nodes of a lattice."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.indexing.trend import Trend


def nodes(rows: int, columns: int) -> np.ndarray:
    return np.stack(np.meshgrid(np.arange(-7, rows - 7), np.arange(3, columns + 3), indexing="ij"), -1).reshape(-1, 2)


def place(ij: np.ndarray) -> np.ndarray:
    i, j = np.asarray(ij, float).T
    return np.stack([21.0 * i + 2.0 * j + 2e-3 * i**3 - 1e-4 * i * i * j * j, 19.0 * j - 3.0 * i + 3e-3 * i * j * j], 1)


def test_value_slopes_and_bending() -> None:
    ij = nodes(19, 26)
    trend = Trend.of(ij, place(ij))
    assert trend is not None
    at = np.array([[-7, 3], [11, 28], [2, 9], [4, 20]])
    found = trend.quadratic_at(at)
    i, j = at.astype(float).T
    true = [
        place(at).T,
        [21.0 + 6e-3 * i * i - 2e-4 * i * j * j, -3.0 + 3e-3 * j * j],
        [2.0 - 2e-4 * i * i * j, 19.0 + 6e-3 * i * j],
        [6e-3 * i - 1e-4 * j * j, 0 * i],
        [-4e-4 * i * j, 6e-3 * j],
        [-1e-4 * i * i, 3e-3 * i],
    ]
    np.testing.assert_allclose(found, np.moveaxis(np.array(true), -1, 0), atol=1e-8)
    np.testing.assert_array_equal(trend.quadratic_at(at, 1), found[:, :1])


@pytest.mark.parametrize(("rows", "columns", "known"), [(7, 8, False), (8, 9, True)])
def test_few_points_have_no_trend(rows: int, columns: int, known: bool) -> None:
    """Ten coefficients of a cubic need sixty."""
    ij = nodes(rows, columns)
    assert (Trend.of(ij, place(ij)) is not None) == known
