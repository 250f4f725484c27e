"""Splines and stencils against scipy and dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import BSpline

from pyfai_gridcal.fitting.spline.basis import (
    Axis,
    band_of_stencil,
    rough_part,
    roughness_stencil,
    stencil_energy,
    stencil_of_band,
    transposed_stencil,
    uniform_axes,
)
from pyfai_gridcal.fitting.spline.rows import CellRows

DEGREES = (2, 3, 4, 5)


def axes(degree: int) -> tuple[Axis, Axis]:
    return Axis(-0.5, 7.0, 6, degree), Axis(-1.0, 5.0, 5, degree)


def dense(stencil: np.ndarray) -> np.ndarray:
    return band_of_stencil(stencil).dense()


def some_points(y: Axis, x: Axis, count: int = 150) -> np.ndarray:
    rng = np.random.default_rng(5)
    return np.stack([rng.uniform(y.start, y.stop, count), rng.uniform(x.start, x.stop, count)], axis=1)


def design(y: Axis, x: Axis, yx: np.ndarray) -> np.ndarray:
    return np.einsum("na,nb->nab", y.matrix(yx[:, 0]), x.matrix(yx[:, 1])).reshape(len(yx), -1)


@pytest.mark.parametrize("degree", DEGREES)
def test_values_are_those_of_scipy(degree: int) -> None:
    y, _ = axes(degree)
    t = np.linspace(y.start, y.stop - 1e-9, 83)
    knots = y.start + np.arange(-degree, y.cells + degree + 1) * y.step
    assert np.allclose(y.matrix(t), BSpline.design_matrix(t, knots, degree).toarray())


@pytest.mark.parametrize("degree", DEGREES)
def test_abscissae_make_the_identity_and_go_on_straight(degree: int) -> None:
    y, _ = axes(degree)
    t = np.array([-40.0, -0.5, 3.3, 41.5, 90.0])
    assert np.allclose(y.matrix(t) @ y.abscissae, t)


def test_derivatives_by_differences() -> None:
    y, _ = axes(4)
    t = np.linspace(1.0, 40.0, 11)
    cell, u, _ = y.locate(t)
    c = np.random.default_rng(0).normal(size=y.size)
    slope = sum(y.weights(u, 1)[a] * c[cell + a] for a in range(5))
    h = 1e-5
    assert np.allclose(slope, (y.matrix(t + h) - y.matrix(t - h)) @ c / (2 * h), atol=1e-7)


@pytest.mark.parametrize("degree", [3, 4])
def test_stencil_and_band_are_inverse_to_each_other(degree: int) -> None:
    y, x = axes(degree)
    stencil = CellRows.of_points(y, x, some_points(y, x)).normal_stencil(np.ones(150)) + roughness_stencil(y, x, 2)
    assert np.allclose(stencil_of_band(band_of_stencil(stencil)), stencil)


def test_a_transposed_stencil_is_the_same_matrix_column_by_column() -> None:
    y, x = axes(4)
    assert y.size != x.size
    stencil = CellRows.of_points(y, x, some_points(y, x)).normal_stencil(np.ones(150)) + roughness_stencil(y, x, 2)
    columns_first = np.arange(y.size * x.size).reshape(y.size, x.size).T.ravel()
    turned = transposed_stencil(stencil)
    assert np.allclose(dense(turned), dense(stencil)[np.ix_(columns_first, columns_first)])
    assert np.allclose(transposed_stencil(turned), stencil)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_polynomials_below_the_order_have_no_roughness(order: int) -> None:
    y, x = axes(4)
    roughness = dense(roughness_stencil(y, x, order))
    gy, gx = np.meshgrid(np.linspace(y.start, y.stop, 40), np.linspace(x.start, x.stop, 40), indexing="ij")
    yx = np.stack([gy.ravel(), gx.ravel()], axis=1)
    b = design(y, x, yx)
    for a in range(order + 1):
        f = yx[:, 0] ** a * yx[:, 1] ** (order - a)
        c = np.linalg.lstsq(b, f, rcond=None)[0]
        below = np.linalg.lstsq(b, yx[:, 0] ** (order - 1), rcond=None)[0]
        assert c @ roughness @ c > 1e-3
        assert abs(below @ roughness @ below) < 1e-6 * (below @ below)


def test_roughness_of_a_known_function() -> None:
    y, x = axes(4)
    gy, gx = np.meshgrid(np.linspace(y.start, y.stop, 40), np.linspace(x.start, x.stop, 40), indexing="ij")
    yx = np.stack([gy.ravel(), gx.ravel()], axis=1)
    f = 0.3 * yx[:, 0] ** 2 + 0.2 * yx[:, 0] * yx[:, 1]  # f_yy = 0.6, f_yx = 0.2
    c = np.linalg.lstsq(design(y, x, yx), f, rcond=None)[0].reshape(y.size, x.size)
    area = (y.stop - y.start) * (x.stop - x.start)
    assert np.isclose(stencil_energy(roughness_stencil(y, x, 2), c), area * (0.6**2 + 2 * 0.2**2), rtol=1e-6)


def test_axes_cover_the_pixels() -> None:
    y, x = uniform_axes((10.0, 20.0), (300, 401), 13, 4)
    assert y.step == x.step
    assert x.cells == 13
    assert y.start <= 9.5
    assert y.stop >= 309.5
    assert x.start <= 19.5
    assert x.stop >= 420.5


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_the_rough_part_is_without_polynomials_below_the_order(order: int) -> None:
    y, x = axes(4)
    ny, nx = np.meshgrid(np.arange(y.size), np.arange(x.size), indexing="ij")
    c = np.random.default_rng(6).normal(size=(y.size, x.size))
    rough = roughness_stencil(y, x, order)
    assert np.isclose(stencil_energy(rough, rough_part(c, order)), stencil_energy(rough, c))
    for a in range(order):
        assert np.allclose(rough_part(c + 30.0 * ny**a * nx ** (order - 1 - a), order), rough_part(c, order), atol=1e-9)
    assert not np.allclose(rough_part(c + ny**order, order), rough_part(c, order), atol=1e-3)
