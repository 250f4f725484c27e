"""Rows, normal matrices and quadratic forms against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.fitting.spline.basis import Axis, band_of_stencil, roughness_stencil, stencil_of_band
from pyfai_gridcal.fitting.spline.rows import CellRows

#: Where the points are: more than one group in a cell, one in a few cells, in one corner, and beyond the knots, where
#: the spline goes on as a straight line.
WHERE = {
    "everywhere": (900, (0.0, 1.0), (0.0, 1.0)),
    "few": (7, (0.0, 1.0), (0.0, 1.0)),
    "corner": (40, (0.7, 1.0), (0.0, 0.2)),
    "outside": (120, (-0.3, 1.2), (-0.1, 1.4)),
    "edges": (4, (0.0, 0.0), (1.0, 1.0)),
}


def axes(degree: int) -> tuple[Axis, Axis]:
    return Axis(-0.5, 7.0, 6, degree), Axis(-1.0, 5.0, 5, degree)


def some_points(y: Axis, x: Axis, where: str) -> np.ndarray:
    rng = np.random.default_rng(5)
    count, *ranges = WHERE[where]
    parts = [rng.uniform(*part, count) for part in ranges]
    return np.stack([a.start + u * (a.stop - a.start) for a, u in zip((y, x), parts, strict=True)], axis=1)


def design(y: Axis, x: Axis, yx: np.ndarray) -> np.ndarray:
    return np.einsum("na,nb->nab", y.matrix(yx[:, 0]), x.matrix(yx[:, 1])).reshape(len(yx), -1)


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("degree", [2, 3, 4, 5])
def test_normal_matrix_and_right_side(degree: int, where: str) -> None:
    y, x = axes(degree)
    yx = some_points(y, x, where)
    rows, b = CellRows.of_points(y, x, yx), design(y, x, yx)
    w = np.random.default_rng(1).uniform(0.5, 2, len(yx))
    d = np.random.default_rng(2).normal(size=(len(yx), 2))
    normal = band_of_stencil(rows.normal_stencil(w)).dense()
    np.testing.assert_allclose(normal, b.T @ (w[:, None] * b), rtol=0, atol=1e-12 * np.abs(normal).max())
    assert np.allclose(rows.right_side(d).reshape(-1, 2), b.T @ d)
    assert np.allclose(rows.sparse.toarray(), b)
    c = np.random.default_rng(3).normal(size=(y.size, x.size, 2))
    assert np.allclose(rows.values(c), b @ c.reshape(-1, 2))


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("degree", [2, 3, 4])
def test_quadratic_forms_of_an_inverse(degree: int, where: str) -> None:
    y, x = axes(degree)
    yx = some_points(y, x, where)
    rows, b = CellRows.of_points(y, x, yx), design(y, x, yx)
    all_over = CellRows.of_points(y, x, some_points(y, x, "everywhere")).normal_stencil(np.ones(900))
    blocks = band_of_stencil(all_over + roughness_stencil(y, x, 2))
    inverse = stencil_of_band(blocks.cholesky().inverse())
    expected = np.einsum("ni,ij,nj->n", b, np.linalg.inv(blocks.dense()), b)
    np.testing.assert_allclose(rows.quadratic_form(inverse), expected, rtol=1e-10)


def test_derivatives_of_a_sum_of_splines() -> None:
    """Their weights do not follow from the place in the cell as those of values do."""
    y, x = axes(4)
    yx = some_points(y, x, "few")
    c = np.random.default_rng(3).normal(size=(y.size, x.size, 1))
    stencil = np.zeros((5, 9, y.size, x.size))
    stencil[0, 4] = 1.0  # of the identity: a quadratic form is the sum of the squares of a row
    h = 1e-5
    for axis, step in ((0, (h, 0)), (1, (0, h))):
        rows = CellRows.of_points(y, x, yx, (1 - axis, axis))
        ahead, behind = (CellRows.of_points(y, x, yx + sign * np.array(step)).values(c) for sign in (1, -1))
        assert np.allclose(rows.values(c), (ahead - behind) / (2 * h), atol=1e-6)
        assert np.allclose(rows.quadratic_form(stencil), (rows.sparse.toarray() ** 2).sum(axis=1))


def test_no_points() -> None:
    y, x = axes(3)
    rows = CellRows.of_points(y, x, np.empty((0, 2)))
    assert rows.quadratic_form(np.ones((4, 7, y.size, x.size))).shape == (0,)
    assert not rows.normal_stencil(np.empty(0)).any()
