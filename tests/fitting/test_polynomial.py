"""Polynomials: exact where the truth is one, and the order found by held-out error."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.fitting.polynomial import Polynomial, PolynomialField
from pyfai_gridcal.fitting.recipe import Sample
from pyfai_gridcal.synthetic import fields

SHAPE = (400, 530)
TRUE = fields.radial(SHAPE, 0.05, -0.01)


def sample(sigma: float = 0.02, count: int = 400) -> Sample:
    rng = np.random.default_rng(0)
    yx = rng.uniform((0, 0), (399, 529), (count, 2))
    d = TRUE.at(yx) + rng.normal(0, sigma, (count, 2))
    return Sample(yx, d, np.full((count, 2), sigma), SHAPE, 23.0, np.ones(count, bool))


def probe() -> np.ndarray:
    return np.random.default_rng(9).uniform((5, 5), (390, 520), (300, 2))


def test_the_order_of_the_truth_is_found() -> None:
    fit = Polynomial().fit(sample())
    assert fit.note == "order 5"
    assert (fit.field.at(probe()) - TRUE.at(probe())).std() < 0.008


def test_sigma_and_held_out() -> None:
    fit = Polynomial(5).fit(sample())
    assert fit.uncertainty is not None
    z = (fit.field.at(probe()) - TRUE.at(probe())) / np.sqrt(fit.uncertainty.variance(probe()))
    assert 0.5 < z.std() < 1.6
    given = sample()
    without = Polynomial(5).fit(given.select(np.arange(400) != 33))
    assert np.allclose(without.field.at(given.yx[33:34]) - given.d[33], fit.held_out[33], atol=2e-3)


def test_outliers() -> None:
    given = sample()
    d = given.d.copy()
    d[[3, 77, 200]] += 2.0
    fit = Polynomial(5).fit(Sample(given.yx, d, given.sigma, SHAPE, 23.0, given.used))
    assert np.flatnonzero(~fit.used).tolist() == [3, 77, 200]


def test_too_small_an_order_shows_as_nugget() -> None:
    fit = Polynomial(1).fit(sample())
    assert fit.nugget == pytest.approx(fit.residual.std(), rel=0.05)


def field() -> PolynomialField:
    return PolynomialField(
        np.array([200.0, 260.0]), np.array([210.0, 250.0]), np.random.default_rng(0).normal(size=(4, 4, 2))
    )


def test_grid_gradient_and_motion() -> None:
    y, x = np.array([3.0, 200.0]), np.array([10.0, 20.0, 500.0])
    grid = np.stack(np.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2)
    assert np.allclose(field().on_grid(y, x).reshape(-1, 2), field().at(grid))
    h = 1e-3
    for axis in range(2):
        e = np.eye(2)[axis] * h
        assert np.allclose(
            field().gradient(grid)[..., axis], (field().at(grid + e) - field().at(grid - e)) / (2 * h), atol=1e-6
        )
    matrix, shift = np.array([[1.01, 0.02], [-0.03, 0.99]]), np.array([3.0, -1.5])
    assert np.allclose(grid + field().moved(matrix, shift).at(grid), (grid + field().at(grid)) @ matrix.T + shift)


def test_plain_least_squares() -> None:
    given = sample(sigma=1e-6)
    assert np.abs(Polynomial().plain(given, 5).at(given.yx) - given.d).max() < 1e-4


def lattice(rows: int, columns: int, degrees: float, sigma: float = 0.02, seed: int = 3) -> Sample:
    """Holes of a bent, turned plate in the middle of a larger detector."""
    ij = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), -1).reshape(-1, 2)
    turn = np.deg2rad(degrees)
    basis = 41.0 * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    nodes = (ij - (np.array([rows, columns]) - 1) / 2) @ basis + (190.0, 270.0)
    yx = nodes
    for _ in range(6):
        yx = nodes - TRUE.at(yx)
    d = TRUE.at(yx) + np.random.default_rng(seed).normal(0, sigma, yx.shape)
    return Sample(yx, d, np.full(yx.shape, sigma), SHAPE, 41.0, np.ones(len(yx), bool))


@pytest.mark.parametrize(("rows", "columns"), [(6, 5), (5, 8), (4, 9), (7, 5)])
@pytest.mark.parametrize("degrees", [-1.7, 11.0])
def test_a_polynomial_that_vanishes_at_all_holes_is_left_out(rows: int, columns: int, degrees: float) -> None:
    """Five columns say nothing of a fifth order across them, whatever the residuals are."""
    given = lattice(rows, columns, degrees)
    order = min(rows, columns)
    fit = Polynomial(order).fit(given)
    assert fit.freedom < (order + 1) * (order + 2) / 2
    between = 0.5 * (given.yx[1:] + given.yx[:-1])
    assert fit.uncertainty is not None
    assert np.sqrt(fit.uncertainty.variance(between)).max() < 0.1


def test_orders_that_the_holes_determine_keep_all_their_terms() -> None:
    given = lattice(6, 7, 4.0)
    for order in range(1, 6):
        assert Polynomial(order).fit(given).freedom == (order + 1) * (order + 2) / 2
