"""Rows of the design matrix of a tensor-product spline: what points and coefficients have to do with each other.

Of the (degree + 1)² coefficients that a point meets, all pairs count in a normal matrix or a quadratic form. Within a
cell of knots the products of two weights along one axis are polynomials of twice the degree: 2 degree + 1 numbers for
a point stand for (degree + 1)(degree + 2) / 2 products, and the step from one to the other is made once for a cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.polynomial.legendre import leggauss, legvander
from scipy import sparse

from ...base.arrays import Floats, Ints
from .basis import Axis

_GROUP = 16  # points of one cell that are taken together, where there are many


def _pairs(p: int) -> tuple[Ints, Ints]:
    """The (p + 1)(p + 2) / 2 pairs a <= b of pieces alive in one interval."""
    return np.triu_indices(p + 1)


@lru_cache(maxsize=8)
def _meetings(p: int) -> list[tuple[int, int, int]]:
    """Where pairs of pieces alive in one interval count along the second axis of a stencil: the number of the pair, the
    entry, and the coefficient, counted from the first one that is alive.
    """
    pairs = enumerate(np.transpose(_pairs(p)).tolist())
    return [(m, at, one) for m, (a, b) in pairs for at, one in {(p + b - a, a), (p + a - b, b)}]


@lru_cache(maxsize=8)
def _spread(degree: int) -> Floats:
    """(pairs, 2 degree + 1) the products of pairs of pieces as sums of Legendre polynomials over one interval."""
    a, b = _pairs(degree)
    at = leggauss(2 * degree + 1)[0]
    alive = Axis(0.0, 1.0, 1, degree).weights((at + 1) / 2)
    return np.asarray(np.linalg.solve(legvander(at, 2 * degree), (alive[a] * alive[b]).T).T)


@dataclass(frozen=True, eq=False)
class _Features:
    """What is known of the points along one axis.

    Attributes
    ----------
    grouped : (groups, _GROUP, features) for each group of points of one cell; zero where it has no more
    spread : (pairs, features) the products of pairs of weights, as sums of the features
    """

    grouped: Floats
    spread: Floats


@dataclass(frozen=True, eq=False)
class CellRows:
    """Rows of the design matrix for N points.

    Attributes
    ----------
    y, x : the two axes
    cell : (2, N) cell of knots that each point lies in, along the two axes
    wy, wx : (degree + 1, N) weights along the two axes
    place : (2, N) where the points lie in their cells, 0..1; None where that does not tell their weights
    """

    y: Axis
    x: Axis
    cell: Ints
    wy: Floats
    wx: Floats
    place: Floats | None = None

    @classmethod
    def of_points(cls, y: Axis, x: Axis, yx: Floats, derivative: tuple[int, int] = (0, 0)) -> CellRows:
        """Rows for the values at points (N, 2) inside or outside the knots, or for a derivative along (y, x) there."""
        cy, wy = y.extended_weights(yx[:, 0], derivative[0])
        cx, wx = x.extended_weights(yx[:, 1], derivative[1])
        cell = np.stack([cy, cx])
        place = np.stack([(yx[:, k] - axis.start) / axis.step for k, axis in enumerate((y, x))]) - cell
        plain = not any(derivative) and bool(((place >= 0) & (place <= 1)).all())
        return cls(y, x, cell, wy, wx, place if plain else None)

    @cached_property
    def _cells(self) -> tuple[Ints, Ints, Ints]:
        """Cells (C,) that have points, in a row, the first group (C,) of each, and where (N,) each point is among the
        groups."""
        cell = self.cell[0] * self.x.cells + self.cell[1]
        order = np.argsort(cell.astype(np.min_scalar_type(self.y.cells * self.x.cells)), kind="stable")
        used, first, count = np.unique(cell[order], return_index=True, return_counts=True)
        groups = -(-count // _GROUP)
        begin = np.cumsum(groups) - groups
        at = np.empty_like(order)
        at[order] = np.arange(len(order)) + np.repeat(begin * _GROUP - first, count)
        return used, begin, at

    def _grouped(self, values: Floats) -> Floats:
        """(groups, _GROUP, ...) of values (N, ...) of the points, zero where a group has no more."""
        _, _, at = self._cells
        size = -(-(int(at.max(initial=-1)) + 1) // _GROUP)
        out = np.zeros((size * _GROUP, *values.shape[1:]))
        out[at] = values
        return out.reshape(size, _GROUP, *values.shape[1:])

    @cached_property
    def _features(self) -> tuple[_Features, _Features]:
        """Along y and along x."""
        p = self.y.degree
        if self.place is not None:
            y, x = (_Features(self._grouped(legvander(2 * u - 1, 2 * p)), _spread(p)) for u in self.place)
            return y, x
        a, b = _pairs(p)
        y, x = (_Features(self._grouped((w[a] * w[b]).T), np.eye(len(a))) for w in (self.wy, self.wx))
        return y, x

    def normal_stencil(self, weights: Floats) -> Floats:
        """Stencil of ``Bᵀ W B`` for weights (N,) in the order of the points as given."""
        p, ny, nx = self.y.degree, self.y.cells, self.x.cells
        (used, begin, _), (y, x) = self._cells, self._features
        # moments of the points of each cell
        weighed = y.grouped * self._grouped(weights)[..., None]
        moments = np.add.reduceat(weighed.swapaxes(1, 2) @ x.grouped, begin, axis=0)
        sums = np.zeros((len(y.spread), ny * nx, moments.shape[2]))
        sums[:, used] = np.tensordot(y.spread, moments, (1, 1))
        # each counts for the coefficients that its cell meets, along one axis after the other
        along = np.zeros((p + 1, self.y.size, nx, moments.shape[2]))
        for a, b, count in zip(*_pairs(p), sums, strict=True):
            along[b - a, a : a + ny] += count.reshape(ny, nx, -1)
        out = np.zeros((p + 1, 2 * p + 1, self.y.size, self.x.size))
        both = np.tensordot(x.spread, along, (1, 3))
        for m, at, one in _meetings(p):
            out[:, at, :, one : one + nx] += both[m]
        return out

    @cached_property
    def sparse(self) -> sparse.csr_matrix:
        """(N, size_y * size_x) the rows, in the order of the points as given."""
        p, nx, count = self.y.degree, self.x.size, self.cell.shape[1]
        first = (self.cell[0] * nx + self.cell[1]).astype(np.int32)
        alive = np.arange(p + 1, dtype=np.int32)
        at = first[:, None] + (alive[:, None] * nx + alive).ravel().astype(np.int32)
        data = (self.wy.T[:, :, None] * self.wx.T[:, None, :]).ravel()
        ends = np.arange(0, data.size + 1, (p + 1) ** 2, dtype=np.int32)
        return sparse.csr_matrix((data, at.ravel(), ends), shape=(count, self.y.size * nx))

    def right_side(self, values: Floats) -> Floats:
        """``Bᵀ values`` for values (N, columns) in the order of the points as given; (size_y, size_x, columns)."""
        return np.asarray(self.sparse.T @ values).reshape(self.y.size, self.x.size, -1)

    def values(self, coefficients: Floats) -> Floats:
        """``B coefficients`` for coefficients (size_y, size_x, columns).

        (N, columns) in the order of the points as given.
        """
        return np.asarray(self.sparse @ coefficients.reshape(-1, coefficients.shape[-1]))

    def quadratic_form(self, stencil: Floats) -> Floats:
        """``bᵀ Z b`` for each row b and a symmetric Z given as a stencil; (N,) in the order of the points as given."""
        used, begin, at = self._cells
        if not len(at):
            return np.empty(0)
        y, x = self._features
        of_group = np.repeat(np.arange(len(used)), np.diff(begin, append=len(y.grouped)))
        along = y.grouped @ self._forms(stencil)[of_group]
        return np.asarray(np.einsum("gnk,gnk->gn", along, x.grouped).ravel()[at])

    def _forms(self, stencil: Floats) -> Floats:
        """(C, features, features) what the products of a feature along y and one along x count in each cell."""
        p, (y, x) = self.y.degree, self._features
        # of all cells around those that have points
        rows, columns = np.divmod(self._cells[0], self.x.cells)
        rows, columns, top, left = rows - rows.min(), columns - columns.min(), rows.min(), columns.min()
        ny, nx = int(rows.max()) + 1, int(columns.max()) + 1
        part = stencil[:, :, top : top + ny + p, left : left + nx + p]
        both = np.zeros((len(x.spread), p + 1, ny + p, nx))
        for m, at, one in _meetings(p):
            both[m] += part[:, at, :, one : one + nx]
        along = np.tensordot(both, x.spread, (0, 0))
        sums = np.stack([(1 + (b > a)) * along[b - a, rows + a, columns] for a, b in zip(*_pairs(p), strict=True)])
        return np.ascontiguousarray(np.moveaxis(np.tensordot(y.spread, sums, (0, 0)), 1, 0))
