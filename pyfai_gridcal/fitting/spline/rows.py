"""Rows of the design matrix of a tensor-product spline: what points and coefficients have to do with each other.

Of the (degree + 1)² coefficients that a point meets, all pairs count in a normal matrix or a quadratic form. Within a
cell of knots the products of two weights along one axis are polynomials of twice the degree: 2 degree + 1 numbers for
a point stand for (degree + 1)(degree + 2) / 2 products, and the step from one to the other is made once for a cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.polynomial.legendre import leggauss, legvander
from scipy import sparse

from ...base.arrays import Floats, Ints
from .basis import Axis

_GROUP = 8  # points of one cell that are taken together, where there are many


def _pairs(p: int) -> tuple[Ints, Ints]:
    """The (p + 1)(p + 2) / 2 pairs a <= b of pieces alive in one interval."""
    return np.triu_indices(p + 1)


def _meetings(p: int, ny: int, nx: int) -> Iterator[tuple[int, int, list[tuple[int, int, slice, slice]], int]]:
    """Where the product of a pair of weights along y and one along x, of all cells (ny, nx), counts in a stencil: the
    two pairs, the entries (one, or two), and how often each counts in a quadratic form.
    """
    for k, (a, b) in enumerate(np.transpose(_pairs(p)).tolist()):
        for m, (c, d) in enumerate(np.transpose(_pairs(p)).tolist()):
            ways = {(p + d - c, c), (p + c - d, d)}
            yield k, m, [(b - a, dc, slice(a, a + ny), slice(at, at + nx)) for dc, at in ways], 2 if b > a else 1


@lru_cache(maxsize=8)
def _spread(degree: int) -> Floats:
    """(pairs, 2 degree + 1) the products of pairs of pieces as sums of Legendre polynomials over one interval."""
    a, b = _pairs(degree)
    at = leggauss(2 * degree + 1)[0]
    alive = Axis(0.0, 1.0, 1, degree).weights((at + 1) / 2)
    return np.asarray(np.linalg.solve(legvander(at, 2 * degree), (alive[a] * alive[b]).T).T)


@dataclass(frozen=True, eq=False)
class _Features:
    """What is known of the sorted points along one axis.

    Attributes
    ----------
    grouped : (groups, _GROUP, features) for each group of points of one cell; zero where it has no more
    spread : (pairs, features) the products of pairs of weights, as sums of the features
    """

    grouped: Floats
    spread: Floats


@dataclass(frozen=True, eq=False)
class CellRows:
    """Rows of the design matrix for N points, sorted by the cell of knots they lie in.

    Attributes
    ----------
    y, x : the two axes
    order : (N,) rows of the points as given, in the order of their cells
    cell : (N,) cell (row major) of the sorted points
    wy, wx : (degree + 1, N) weights along the two axes of the sorted points
    place : (2, N) where the sorted points lie in their cells, 0..1; None where that does not tell their weights
    """

    y: Axis
    x: Axis
    order: Ints
    cell: Ints
    wy: Floats
    wx: Floats
    place: Floats | None = None

    @classmethod
    def of_points(cls, y: Axis, x: Axis, yx: Floats, derivative: tuple[int, int] = (0, 0)) -> CellRows:
        """Rows for the values at points (N, 2) inside or outside the knots, or for a derivative along (y, x) there."""
        cy, wy = y.extended_weights(yx[:, 0], derivative[0])
        cx, wx = x.extended_weights(yx[:, 1], derivative[1])
        cell = cy * x.cells + cx
        order = np.argsort(cell, kind="stable")
        place = np.stack([(yx[order, k] - axis.start) / axis.step for k, axis in enumerate((y, x))])
        place -= np.stack([cy[order], cx[order]])
        plain = not any(derivative) and bool(((place >= 0) & (place <= 1)).all())
        return cls(y, x, order, cell[order], wy[:, order], wx[:, order], place if plain else None)

    @cached_property
    def _cells(self) -> tuple[Ints, Ints, Ints]:
        """Cells (C,) that have points, the first group (C,) of each, and where (N,) each point is among the groups."""
        used, first, count = np.unique(self.cell, return_index=True, return_counts=True)
        groups = -(-count // _GROUP)
        begin = np.cumsum(groups) - groups
        return used, begin, np.arange(len(self.cell)) + np.repeat(begin * _GROUP - first, count)

    def _grouped(self, values: Floats) -> Floats:
        """(groups, _GROUP, ...) of values (N, ...) of the sorted points, zero where a group has no more."""
        _, _, at = self._cells
        size = -(-(int(at[-1]) + 1) // _GROUP) if len(at) else 0
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
        weighed = y.grouped * self._grouped(weights[self.order])[..., None]
        moments = np.add.reduceat(weighed.swapaxes(1, 2) @ x.grouped, begin, axis=0)
        sums = np.zeros((len(y.spread), len(x.spread), ny * nx))
        sums[..., used] = x.spread @ np.tensordot(y.spread, moments, (1, 1)).swapaxes(1, 2)
        # each counts for the coefficients that its cell meets
        out = np.zeros((p + 1, 2 * p + 1, self.y.size, self.x.size))
        for k, m, entries, _ in _meetings(p, ny, nx):
            for entry in entries:
                out[entry] += sums[k, m].reshape(ny, nx)
        return out

    @cached_property
    def sparse(self) -> sparse.csr_matrix:
        """(N, size_y * size_x) the rows, in the order of the points as given."""
        p, nx, count = self.y.degree, self.x.size, len(self.cell)
        first = np.empty(count, np.int32)
        rows, columns = np.divmod(self.cell, self.x.cells)
        first[self.order] = rows * nx + columns
        wy, wx = np.empty((count, p + 1)), np.empty((count, p + 1))
        wy[self.order], wx[self.order] = self.wy.T, self.wx.T
        alive = np.arange(p + 1, dtype=np.int32)
        at = first[:, None] + (alive[:, None] * nx + alive).ravel().astype(np.int32)
        data = (wy[:, :, None] * wx[:, None, :]).ravel()
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
        out = np.empty(len(at))
        if len(at):
            y, x = self._features
            form = np.tensordot(y.spread, self._forms(stencil), (0, 0))
            form = np.ascontiguousarray(np.moveaxis(x.spread.T @ form, 2, 0))
            of_group = np.repeat(np.arange(len(used)), np.diff(begin, append=len(y.grouped)))
            along = y.grouped @ form[of_group]
            out[self.order] = np.einsum("gnk,gnk->gn", along, x.grouped).ravel()[at]
        return out

    def _forms(self, stencil: Floats) -> Floats:
        """(pairs, pairs, C) what the products of a pair of weights along y and one along x count in each cell."""
        p = self.y.degree
        # of all cells around those that have points
        rows, columns = np.divmod(self._cells[0], self.x.cells)
        rows, columns, top, left = rows - rows.min(), columns - columns.min(), rows.min(), columns.min()
        ny, nx = int(rows.max()) + 1, int(columns.max()) + 1
        part = stencil[:, :, top : top + ny + p, left : left + nx + p]
        pairs = len(_pairs(p)[0])
        out = np.empty((pairs, pairs, ny, nx))
        for k, m, entries, times in _meetings(p, ny, nx):
            out[k, m] = times * sum(part[entry] for entry in entries)
        return out.reshape(pairs, pairs, -1)[..., rows * nx + columns]
