"""Tensor-product B-splines on uniform knots: values, Gram matrices, and symmetric matrices over their coefficients as
stencils.

Coefficient (iy, ix) of an axis pair meets only coefficients up to `degree` rows and columns away, so a symmetric
matrix over the coefficients (normal matrix, roughness, inverse near the diagonal) is kept as a *stencil* ``T[dr, dc +
degree, iy, ix]`` = entry between (iy, ix) and (iy + dr, ix + dc) for dr in 0..degree and dc in -degree..degree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import comb

import numpy as np
from numpy.polynomial.legendre import legvander

from ...base.arrays import Floats, Ints
from .blockband import BlockBanded


@lru_cache(maxsize=8)
def _cardinal(degree: int) -> Floats:
    """Coefficients c[a, k].

    Piece a of the uniform B-splines alive in one interval is sum_k c[a, k] u^k for u in [0, 1].
    """
    pieces = np.ones((1, 1))
    for p in range(1, degree + 1):
        # B_a^p(u) = ((u + p - a) B_{a-1}^{p-1} + (a + 1 - u) B_a^{p-1}) / p, alive pieces counted from the left
        out = np.zeros((p + 1, p + 1))
        for a in range(p + 1):
            if a > 0:
                out[a, 1:] += pieces[a - 1]
                out[a, :-1] += (p - a) * pieces[a - 1]
            if a < p:
                out[a, 1:] -= pieces[a]
                out[a, :-1] += (a + 1) * pieces[a]
        pieces = out / p
    return pieces


@dataclass(frozen=True)
class Axis:
    """Uniform B-splines along one axis.

    Attributes
    ----------
    start : left end of the first interval, px, index frame
    step : length of an interval, px
    cells : number of intervals
    degree : of the polynomial pieces
    """

    start: float
    step: float
    cells: int
    degree: int

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return self.cells + self.degree

    @property
    def stop(self) -> float:
        """Right end of the last interval, px."""
        return self.start + self.cells * self.step

    @property
    def abscissae(self) -> Floats:
        """Where a coefficient sits: a spline with these as coefficients is the identity, px."""
        return np.asarray(self.start + (np.arange(self.size) - (self.degree - 1) / 2) * self.step, dtype=np.float64)

    def locate(self, t: Floats) -> tuple[Ints, Floats, Floats]:
        """Interval (clipped to the knots).

        Place within it in 0..1 and the overshoot beyond the knots (px) of each t.
        """
        inside = np.clip(t, self.start, self.stop)
        u = (inside - self.start) / self.step
        cell = np.minimum(u.astype(np.int64), self.cells - 1)
        return cell, u - cell, np.asarray(t - inside)

    def weights(self, u: Floats, derivative: int = 0) -> Floats:
        """(degree + 1, N) values (per px^derivative) of the splines alive at places u within their interval."""
        powers = _cardinal(self.degree)
        for _ in range(derivative):
            powers = powers[:, 1:] * np.arange(1, powers.shape[1]) / self.step
        out = np.empty((self.degree + 1, *np.shape(u)))
        for a in range(self.degree + 1):
            out[a] = powers[a, -1]
            for k in range(powers.shape[1] - 2, -1, -1):
                out[a] *= u
                out[a] += powers[a, k]
        return out

    def extended_weights(self, t: Floats, derivative: int = 0) -> tuple[Ints, Floats]:
        """Interval and (degree + 1, N) weights of values (or first derivatives, 1/px) at any t.

        Beyond the knots the spline goes on as a straight line.
        """
        cell, u, over = self.locate(t)
        if derivative:
            return cell, self.weights(u, derivative)
        weights = self.weights(u)
        if np.any(over):
            weights += over * self.weights(u, 1)
        return cell, weights

    def matrix(self, t: Floats) -> Floats:
        """Dense (N, size) design matrix of values at t."""
        cell, weights = self.extended_weights(np.asarray(t, float))
        out = np.zeros((len(cell), self.size))
        rows = np.arange(len(cell))
        for a in range(self.degree + 1):
            out[rows, cell + a] = weights[a]
        return out

    @cached_property
    def _gauss(self) -> tuple[Floats, Floats]:
        x, w = np.polynomial.legendre.leggauss(self.degree + 1)
        return (x + 1) / 2, w / 2 * self.step

    def gram(self, derivative: int) -> Floats:
        """(2 degree + 1, size) bands ``G[d + degree, i] = integral of B_i^(k) B_{i+d}^(k)`` over the knots."""
        p = self.degree
        out = np.zeros((2 * p + 1, self.size))
        if derivative > p:
            return out
        u, w = self._gauss
        values = self.weights(u, derivative)
        local = (values * w) @ values.T
        for a in range(p + 1):
            for b in range(p + 1):
                out[b - a + p, a : a + self.cells] += local[a, b]
        return out


def uniform_axes(origin: tuple[float, float], shape: tuple[int, int], cells: int, degree: int) -> tuple[Axis, Axis]:
    """Knots over all pixels of an image, equally far apart along both axes, `cells` intervals along the longer one."""
    step = (max(shape) + 2.0) / cells
    counts = [max(2, int(np.ceil((n + 2.0) / step))) for n in shape]
    y, x = (
        Axis(first + (n - 1 - c * step) / 2, step, c, degree) for first, n, c in zip(origin, shape, counts, strict=True)
    )
    return y, x


def product_stencil(gy: Floats, gx: Floats) -> Floats:
    """Stencil of the Kronecker product of two banded matrices (2 degree + 1, size) as :meth:`Axis.gram` gives them."""
    p = gy.shape[0] // 2
    return gy[p:, None, :, None] * gx[None, :, None, :]


def roughness_stencil(y: Axis, x: Axis, order: int) -> Floats:
    """Stencil of the isotropic roughness ``∫∫ Σ_k C(order, k) (∂_y^{order-k} ∂_x^k f)²``, px^(2 - 2 order)."""
    gy, gx = [y.gram(k) for k in range(order + 1)], [x.gram(k) for k in range(order + 1)]
    out = product_stencil(gy[order], gx[0])
    for k in range(1, order + 1):
        out += comb(order, k) * product_stencil(gy[order - k], gx[k])
    return out


def _diagonals(p: int, size: int) -> Iterator[tuple[int, int, Ints, Ints]]:
    """The (dr, dc) of a stencil, with the columns that have a partner dc further on, and those partners."""
    for dr in range(p + 1):
        for dc in range(-p, p + 1):
            here = np.arange(max(0, -dc), min(size, size - dc))
            yield dr, dc, here, here + dc


def band_of_stencil(stencil: Floats) -> BlockBanded:
    """Block-banded matrix of a stencil, one row of coefficients a block."""
    p, size_y, size_x = stencil.shape[0] - 1, stencil.shape[2], stencil.shape[3]
    columns = np.zeros((size_y, p + 1, size_x, size_x))
    for dr, dc, here, there in _diagonals(p, size_x):
        columns[:, dr, there, here] = stencil[dr, dc + p][:, here]
    return BlockBanded(columns)


def stencil_of_band(band: BlockBanded) -> Floats:
    """The entries of a block-banded matrix that a stencil can hold (the inverse of :func:`band_of_stencil`)."""
    size_y, reach, size_x = band.columns.shape[:3]
    p = reach - 1
    out = np.zeros((p + 1, 2 * p + 1, size_y, size_x))
    for dr, dc, here, there in _diagonals(p, size_x):
        out[dr, dc + p][:, here] = band.columns[:, dr, there, here]
    return out


def stencil_of_dense(matrix: Floats, y: Axis, x: Axis) -> Floats:
    """The entries of a dense symmetric matrix that a stencil holds."""
    table = matrix.reshape(y.size, x.size, y.size, x.size)
    columns = np.zeros((y.size, y.degree + 1, x.size, x.size))
    for dr in range(y.degree + 1):
        row = np.arange(y.size - dr)
        columns[row, dr] = table[row, :, row + dr].swapaxes(1, 2)
    return stencil_of_band(BlockBanded(columns))


def transposed_stencil(stencil: Floats) -> Floats:
    """The stencil of the same symmetric matrix when the coefficients are taken column by column."""
    p, size_y, size_x = stencil.shape[0] - 1, stencil.shape[2], stencil.shape[3]
    out = np.zeros((p + 1, 2 * p + 1, size_x, size_y))
    for dc in range(p + 1):
        for dr in range(p + 1):
            out[dc, p + dr] = stencil[dr, p + dc].T
            if dr:  # what leads backwards is known from the other end
                out[dc, p - dr][: size_x - dc, dr:] = stencil[dr, p - dc][: size_y - dr, dc:].T
    return out


@lru_cache(maxsize=8)
def _smoothest(size_y: int, size_x: int, order: int) -> Floats:
    """(size_y size_x, order (order + 1) / 2) orthonormal coefficients of all polynomials below a degree: on uniform
    knots they are polynomials of the same degree in the numbers of the coefficients.
    """
    y, x = (legvander(np.linspace(-1, 1, size), order - 1) for size in (size_y, size_x))
    both = [np.multiply.outer(y[:, a], x[:, b]).ravel() for a in range(order) for b in range(order - a)]
    return np.linalg.qr(np.stack(both, axis=1))[0]


def rough_part(c: Floats, order: int) -> Floats:
    """Coefficients (size_y, size_x) without the polynomial below a degree that is nearest to them.

    It has no roughness of this order, but rounding gives it one, which is more than that of a smooth field.
    """
    basis = _smoothest(*c.shape, order)
    out = c.ravel() - basis @ (basis.T @ c.ravel())
    return np.asarray(out - basis @ (basis.T @ out)).reshape(c.shape)


def stencil_energy(stencil: Floats, c: Floats) -> float:
    """``cᵀ S c`` of a symmetric matrix given as a stencil and coefficients (size_y, size_x)."""
    p, (ny, nx) = stencil.shape[0] - 1, c.shape
    total = 0.0
    for dr in range(p + 1):
        for dc in range(-p, p + 1):
            lo, hi = max(0, -dc), min(nx, nx - dc)
            part = stencil[dr, dc + p, : ny - dr, lo:hi] * c[: ny - dr, lo:hi]
            total += float(np.vdot(part, c[dr:, lo + dc : hi + dc])) * (2 if dr else 1)
    return total
