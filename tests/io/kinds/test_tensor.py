"""Bicubic splines on rasters: one basis, the same as that of the programs that read the files."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import LSQBivariateSpline, bisplev

from pyfai_gridcal.io.kinds.tensor import TensorSpline, design, least_squares, orthonormal

Y, X = np.linspace(0, 70, 36), np.linspace(-3, 90, 53)  # not the same along both axes
KNOTS_Y = np.array([0.0] * 4 + [11.0, 30.0, 31.5] + [70.0] * 4)
KNOTS_X = np.array([-3.0] * 4 + [20.0, 61.0] + [90.0] * 4)


def spline(seed=0):
    return TensorSpline(KNOTS_X, KNOTS_Y, np.random.default_rng(seed).normal(0, 2, (6, 7)))


def cox_de_boor(knots, k, degree, at):
    """The definition of a B-spline, function by function."""
    if degree == 0:
        last = at == knots[-1]
        return np.where(last, knots[k] < knots[k + 1] == knots[-1], (knots[k] <= at) & (at < knots[k + 1])).astype(
            float
        )
    out = np.zeros_like(at)
    for start, end, rises in ((k, k + degree, True), (k + 1, k + degree + 1, False)):
        width = knots[end] - knots[start]
        if width > 0:
            share = (at - knots[start]) / width if rises else (knots[end] - at) / width
            out += share * cox_de_boor(knots, start, degree - 1, at)
    return out


@pytest.mark.parametrize(("knots", "at"), [(KNOTS_Y, Y), (KNOTS_X, X)])
def test_the_basis_is_that_of_the_definition(knots, at):
    true = np.stack([cox_de_boor(knots, k, 3, at) for k in range(len(knots) - 4)], axis=1)
    np.testing.assert_allclose(design(knots, at), true, atol=1e-13)
    np.testing.assert_allclose(design(knots, at).sum(axis=1), 1, atol=1e-13)


def test_derivatives_of_the_basis():
    at, h = Y[1:-1] + 0.1, 1e-4
    for order in (1, 2):
        slope = (design(KNOTS_Y, at + h, order - 1) - design(KNOTS_Y, at - h, order - 1)) / (2 * h)
        np.testing.assert_allclose(design(KNOTS_Y, at, order), slope, atol=1e-7)


def test_orthonormal_functions_span_the_same():
    basis, q = design(KNOTS_X, X), orthonormal(KNOTS_X, X)
    np.testing.assert_allclose(q.T @ q, np.eye(6), atol=1e-12)
    np.testing.assert_allclose(q @ (q.T @ basis), basis, atol=1e-12)


def test_values_are_those_of_fitpack():
    """Which is what pyFAI and ImageD11 evaluate them with; beyond the knots the border counts."""
    one = spline()
    y, x = np.array([-5.0, 0.0, 12.3, 69.9, 75.0]), np.array([-10.0, 0.0, 33.3, 89.0, 90.0, 99.0])
    true = bisplev(x, y, (KNOTS_X, KNOTS_Y, one.coefficients.ravel(), 3, 3)).T
    np.testing.assert_allclose(one.on_grid(x, y), true, atol=1e-12)
    points = [axis.ravel() for axis in np.meshgrid(x, y)]
    np.testing.assert_allclose(one.at(*points).reshape(true.shape), true, atol=1e-12)


def test_least_squares_are_those_of_fitpack():
    values = np.random.default_rng(4).normal(0, 1, (len(Y), len(X)))
    yy, xx = np.meshgrid(Y, X, indexing="ij")
    true = LSQBivariateSpline(yy.ravel(), xx.ravel(), values.ravel(), KNOTS_Y[4:-4], KNOTS_X[4:-4])(Y, X)
    c = least_squares(Y, X, KNOTS_Y, KNOTS_X, values, np.ones(values.shape, bool))
    np.testing.assert_allclose(design(KNOTS_Y, Y) @ c @ design(KNOTS_X, X).T, true, atol=1e-9)


def test_unknown_samples_are_not_looked_at():
    """Of a plane, half of whose samples are rubbish, the whole plane comes back."""
    y, x = np.linspace(0, 90, 46), np.linspace(0, 120, 61)
    knots_y, knots_x = (np.r_[[at[0]] * 4, inner, [at[-1]] * 4] for at, inner in ((y, [20.0, 50]), (x, [30.0, 70, 90])))
    plane = 3 + 0.02 * y[:, None] - 0.01 * x[None, :]
    known = (y[:, None] + x[None, :] < 120) & (x[None, :] > 8)
    spoilt = np.where(known, plane, np.nan)
    c = least_squares(y, x, knots_y, knots_x, spoilt, known)
    model = design(knots_y, y) @ c @ design(knots_x, x).T
    assert np.abs(model - plane).max() < 1e-6


def test_with_and_without_a_mask_the_same_spline():
    """The banded solution with one sample unknown, beside the two projections with all of them."""
    rng = np.random.default_rng(8)
    y, x = np.linspace(0, 90, 46), np.linspace(0, 120, 61)
    knots_y, knots_x = (np.r_[[at[0]] * 4, inner, [at[-1]] * 4] for at, inner in ((y, [20.0, 50]), (x, [30.0, 70, 90])))
    true = rng.normal(size=(6, 7))
    values = design(knots_y, y) @ true @ design(knots_x, x).T
    known = np.ones(values.shape, bool)
    assert np.allclose(least_squares(y, x, knots_y, knots_x, values, known), true, atol=1e-10)
    known[17, 23] = False
    assert np.allclose(least_squares(y, x, knots_y, knots_x, values, known), true, atol=1e-3)
