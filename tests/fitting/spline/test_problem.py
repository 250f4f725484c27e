"""The penalised spline against dense linear algebra, and the field that comes out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfai_gridcal.fitting.spline.basis import Axis, band_of_stencil
from pyfai_gridcal.fitting.spline.problem import SplineField, SplineProblem, SplineSolution

Y, X = Axis(-1.0, 30.0, 5, 4), Axis(-2.0, 30.0, 6, 4)


@pytest.fixture(params=["wide", "tall"])
def problem(request: pytest.FixtureRequest) -> SplineProblem:
    rng = np.random.default_rng(2)
    yx = np.stack([rng.uniform(0, 148, 120), rng.uniform(0, 177, 120)], axis=1)
    d = np.stack([np.sin(yx[:, 0] / 40), np.cos(yx[:, 1] / 50 + yx[:, 0] / 90)], axis=1)
    d += rng.normal(0, 0.05, d.shape)
    return SplineProblem(Y, X, yx, d, 3) if request.param == "wide" else SplineProblem(X, Y, yx[:, ::-1], d, 3)


def field() -> SplineField:
    return SplineField(Y, X, np.random.default_rng(1).normal(size=(Y.size, X.size, 2)))


def test_at_and_on_grid_agree() -> None:
    y, x = np.array([-30.0, 0.0, 77.7, 200.0]), np.array([3.0, 50.5])
    grid = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
    assert np.allclose(field().on_grid(y, x).reshape(-1, 2), field().at(grid))


def test_gradient_by_differences() -> None:
    yx = np.array([[20.3, 99.1], [140.0, 10.0]])
    h = 1e-4
    for axis in range(2):
        e = np.eye(2)[axis] * h
        assert np.allclose(
            field().gradient(yx)[..., axis], (field().at(yx + e) - field().at(yx - e)) / (2 * h), atol=1e-7
        )


def test_moved_moves_the_corrected_places() -> None:
    matrix, shift = np.array([[1.01, 0.02], [-0.03, 0.99]]), np.array([3.0, -1.5])
    yx = np.array([[20.3, 99.1], [140.0, 10.0], [-50.0, 300.0]])
    assert np.allclose(yx + field().moved(matrix, shift).at(yx), (yx + field().at(yx)) @ matrix.T + shift)


@pytest.mark.parametrize("apart", [False, True])
def test_solution_is_that_of_the_dense_equations(problem: SplineProblem, apart: bool) -> None:
    weights = np.random.default_rng(4).uniform(100, 400, problem.d.shape)
    if not apart:
        weights[:, 1] = weights[:, 0]
    problem.weigh(weights)
    smoothness = 2e7
    solution = problem.solve(smoothness)
    b = problem.rows.sparse.toarray()
    rough = band_of_stencil(problem.rough).dense()
    for c in range(2):
        matrix = b.T @ (weights[:, c, None] * b) + smoothness * rough
        expected = np.linalg.solve(matrix, b.T @ (weights[:, c] * problem.d[:, c]))
        assert np.allclose(b @ solution.coefficients[..., c].ravel(), b @ expected, atol=1e-6)
        hat = b @ np.linalg.inv(matrix) @ b.T * weights[:, c]
        assert np.allclose(solution.leverage[:, c], np.diagonal(hat), atol=1e-6)
        assert np.isclose(solution.roughness, sum(_roughness(solution, rough)), rtol=1e-6)


def _roughness(solution: object, rough: np.ndarray) -> list[float]:
    c = solution.coefficients  # type: ignore[attr-defined]
    return [float(c[..., k].ravel() @ rough @ c[..., k].ravel()) for k in range(2)]


def test_left_out_point_is_predicted_as_the_leverage_says(problem: SplineProblem) -> None:
    weights = np.full(problem.d.shape, 400.0)
    problem.weigh(weights)
    solution = problem.solve(2e7)
    without = weights.copy()
    without[17] = 0.0
    problem.weigh(without)
    other = problem.solve(2e7)
    short_cut = solution.residual[17] / (1 - solution.leverage[17])
    assert np.allclose(other.residual[17], short_cut, rtol=1e-6)


def likelihood(solution: SplineSolution) -> float:
    """Restricted log-likelihood of the smoothness, up to a constant, from dense matrices."""
    problem, w = solution.problem, solution.weights
    rough, b = band_of_stencil(problem.rough).dense(), problem.rows.sparse.toarray()
    normals = [b.T @ (b * w[:, k, None]) + solution.smoothness * rough for k in range(2)]
    rank = solution.coefficients.size - problem.order * (problem.order + 1)
    fit = solution.smoothness * solution.roughness + float((w * solution.residual**2).sum())
    return 0.5 * (rank * np.log(solution.smoothness) - sum(np.linalg.slogdet(n)[1] for n in normals) - fit)


def test_next_smoothness_climbs_the_likelihood(problem: SplineProblem) -> None:
    problem.weigh(np.full(problem.d.shape, 400.0))
    smoothness, seen = 1e3, []
    for _ in range(12):
        solution = problem.solve(smoothness)
        seen.append(likelihood(solution))
        smoothness = solution.next_smoothness()
    assert np.all(np.diff(seen) > -1e-6 * abs(seen[-1]))
    best = likelihood(problem.solve(smoothness))
    assert best > likelihood(problem.solve(smoothness * 3))
    assert best > likelihood(problem.solve(smoothness / 3))


def test_quadratics_are_not_smoothed_away() -> None:
    rng = np.random.default_rng(0)
    yx = np.stack([rng.uniform(0, 148, 80), rng.uniform(0, 177, 80)], axis=1)
    d = np.stack([1e-3 * yx[:, 0] ** 2, 2 - 1e-3 * yx[:, 0] * yx[:, 1]], axis=1)
    problem = SplineProblem(Y, X, yx, d, 3)
    problem.weigh(np.ones_like(d))
    assert np.abs(problem.solve(1e12).residual).max() < 1e-4


def test_uncertainty_modulo_a_rigid_motion_against_draws(problem: SplineProblem) -> None:
    """Errors drawn from the posterior, their best shift and turn taken away, scatter as is said."""
    weights = np.random.default_rng(4).uniform(100, 400, problem.d.shape)
    problem.weigh(weights)
    solution = problem.solve(2e7)
    b = problem.rows.sparse.toarray()
    rng = np.random.default_rng(0)
    rough = band_of_stencil(problem.rough).dense()
    draws = []
    for c in range(2):
        covariance = np.linalg.inv(b.T @ (weights[:, c, None] * b) + 2e7 * rough)
        draws.append(b @ (np.linalg.cholesky(covariance) @ rng.normal(size=(len(covariance), 4000))))
    error = np.stack(draws, axis=1)  # (N, 2, draws)
    at = problem.yx - problem.yx.mean(axis=0)
    one, zero = np.ones(len(at)), np.zeros(len(at))
    rigid = np.stack([np.c_[one, zero], np.c_[zero, one], np.c_[at[:, 1], -at[:, 0]]]).reshape(3, -1)
    rigid /= np.linalg.norm(rigid, axis=1)[:, None]
    flat = error.reshape(-1, error.shape[-1])
    left = (flat - rigid.T @ (rigid @ flat)).reshape(error.shape)
    whole = solution.variance(problem.yx)
    found = solution.modulo_rigid().variance(problem.yx, problem.rows, whole)
    assert np.allclose(found, left.var(axis=-1), rtol=0.2)
    assert found.mean() == pytest.approx(left.var(), rel=0.02)
    assert found.mean() < 0.99 * whole.mean()


@pytest.mark.parametrize("order", [2, 3, 4])
def test_the_next_smoothness_does_not_come_from_rounding(problem: SplineProblem, order: int) -> None:
    """A field that is nearly a polynomial below the order: what it has besides makes the roughness, to the digits that
    it has in the coefficients, and not what is left of large terms that cancel each other.
    """
    y, x = problem.y, problem.x
    at = np.stack(np.meshgrid(np.arange(y.size), np.arange(x.size), indexing="ij"), axis=-1)
    smooth = SplineProblem(y, x, problem.yx, 1e3 + problem.yx @ np.array([[0.3, -0.2], [0.1, 0.4]]), order)
    smooth.weigh(np.ones_like(smooth.d))
    wrinkle = 2.0**-20 * np.rint(100 * np.random.default_rng(3).normal(size=(y.size, x.size, 2)))
    alone = replace(smooth.solve(1.0), coefficients=wrinkle)
    large = replace(alone, coefficients=wrinkle + 1000 + 40 * at)  # no digit is lost
    assert large.roughness == pytest.approx(alone.roughness, rel=1e-8, abs=0)
    assert large.next_smoothness() == pytest.approx(alone.next_smoothness(), rel=1e-8, abs=0)
    assert large.smoothness_for(order) == pytest.approx(alone.smoothness_for(order), rel=1e-8, abs=0)
