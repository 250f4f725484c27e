"""Bicubic splines on rasters: the one basis with which they are read, evaluated and fitted.

A function of (x, y) is a sum of products of two cubic B-splines, one along each axis. Values on a raster are two
products of matrices, each with the functions of one axis at the places of that axis: :func:`design`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline, NdBSpline

from ...base.arrays import AnyArray, Bools, Floats, frozen_array
from ...fitting.spline.basis import band_of_stencil, product_stencil

DEGREE = 3

#: What the roughness of the spline counts beside the known samples, as a share of them. It decides where nothing is
#: known, and nowhere else.
STIFFNESS = 1e-6


@dataclass(frozen=True, eq=False)
class TensorSpline:
    """One bicubic function of (x, y).

    Attributes
    ----------
    knots_x, knots_y : full knot vectors (four-fold ends included), px, edge frame
    coefficients : (nx - 4, ny - 4), px
    """

    knots_x: Floats
    knots_y: Floats
    coefficients: Floats

    def __post_init__(self) -> None:
        for name, ndim in (("knots_x", 1), ("knots_y", 1), ("coefficients", 2)):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float64, ndim))

    def at(self, x: AnyArray, y: AnyArray) -> Floats:
        """Values at the points (x[k], y[k]), edge frame; outside the knots the border value counts, as in FITPACK."""
        spline = NdBSpline((self.knots_x, self.knots_y), self.coefficients, DEGREE)
        return np.asarray(spline(np.stack([_clamp(self.knots_x, x), _clamp(self.knots_y, y)], axis=-1)))

    def on_grid(self, x: AnyArray, y: AnyArray) -> Floats:
        """Values (len(y), len(x)) on the product of two axes, edge frame."""
        down, along = (design(t, _clamp(t, at)) for t, at in ((self.knots_y, y), (self.knots_x, x)))
        return (down @ self.coefficients.T) @ along.T


def _clamp(knots: Floats, at: AnyArray) -> Floats:
    """Places beyond the knots taken to the border."""
    return np.clip(np.asarray(at, float).ravel(), knots[DEGREE], knots[-DEGREE - 1])


def design(knots: Floats, at: Floats, derivative: int = 0) -> Floats:
    """(samples, functions) values of the cubic B-splines on full `knots`, or a derivative of them."""
    if not derivative:
        return BSpline.design_matrix(at, knots, DEGREE).toarray()
    basis = BSpline(knots, np.eye(len(knots) - DEGREE - 1), DEGREE).derivative(derivative)
    return np.asarray(basis(at), np.float64)


def orthonormal(knots: Floats, at: Floats) -> Floats:
    """(samples, functions) orthonormal basis of the same splines on the samples."""
    return np.asarray(np.linalg.qr(design(knots, at))[0])


def least_squares(y: Floats, x: Floats, knots_y: Floats, knots_x: Floats, values: Floats, known: Bools) -> Floats:
    """Coefficients (y slowest) of the spline nearest to the known samples.

    Parameters
    ----------
    y, x : axes of the samples, px
    knots_y, knots_x : full knot vectors, px; each inner one between samples that are
    values : (len(y), len(x)); those that are unknown are not looked at
    known : (len(y), len(x))

    Notes
    -----
    With all samples known these are two projections, one along each axis. Otherwise the normal matrix is block-banded,
    and the integral of the squared second derivatives joins it with a weight so small that it only decides where no
    sample does: there the spline goes on as flat as it can.
    """
    by, bx = design(knots_y, y), design(knots_x, x)
    if known.all():
        (qy, ry), (qx, rx) = np.linalg.qr(by), np.linalg.qr(bx)
        amplitudes = qy.T @ values @ qx
        return np.asarray(np.linalg.solve(ry, np.linalg.solve(rx, amplitudes.T).T))
    weight = known.astype(np.float64)
    normal = _normal(by, bx, weight)
    gy, gx = ([_gram(knots, k) for k in range(3)] for knots in (knots_y, knots_x))
    rough = product_stencil(gy[2], gx[0]) + 2 * product_stencil(gy[1], gx[1]) + product_stencil(gy[0], gx[2])
    normal += STIFFNESS * normal[0, DEGREE].sum() / rough[0, DEGREE].sum() * rough
    right = by.T @ np.where(known, values, 0.0) @ bx
    return band_of_stencil(normal).cholesky().solve(right.ravel()).reshape(right.shape)


def _normal(by: Floats, bx: Floats, weight: Floats) -> Floats:
    """Stencil of the normal matrix: each entry is a weighted sum of products of two functions along each axis."""
    across = weight @ _products(bx, range(-DEGREE, DEGREE + 1))
    both = _products(by, range(DEGREE + 1)).T @ across
    shape = DEGREE + 1, by.shape[1], 2 * DEGREE + 1, bx.shape[1]
    return np.ascontiguousarray(both.reshape(shape).swapaxes(1, 2))


def _products(basis: Floats, shifts: range) -> Floats:
    """(samples, shifts x functions) each function times the one so many further on, zero where there is none."""
    out = np.zeros((basis.shape[0], len(shifts), basis.shape[1]))
    for k, shift in enumerate(shifts):
        first, last = max(0, -shift), basis.shape[1] - max(0, shift)
        if first < last:
            out[:, k, first:last] = basis[:, first:last] * basis[:, first + shift : last + shift]
    return out.reshape(len(basis), -1)


def _gram(knots: Floats, derivative: int) -> Floats:
    """(2 degree + 1, functions) bands of the integrals of products of two functions' derivatives."""
    u, w = np.polynomial.legendre.leggauss(DEGREE + 1)
    edges = np.unique(knots)
    half = np.diff(edges) / 2
    at = (edges[:-1] + half)[:, None] + half[:, None] * u
    basis = design(knots, at.ravel(), derivative) * np.sqrt((half[:, None] * w).ravel())[:, None]
    shifts = range(-DEGREE, DEGREE + 1)
    return np.asarray(_products(basis, shifts).sum(axis=0).reshape(len(shifts), -1))
