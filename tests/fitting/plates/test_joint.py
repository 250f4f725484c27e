"""The joint problem against dense least squares with all holes kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfai_gridcal.base.geometry import turn_matrix
from pyfai_gridcal.fitting.plates.joint import Exposure, JointProblem
from pyfai_gridcal.fitting.spline.basis import Axis, band_of_stencil, roughness_stencil
from pyfai_gridcal.fitting.spline.problem import SplineField
from pyfai_gridcal.fitting.spline.rows import CellRows

Y, X, HOLES, ORDER = Axis(-1.0, 30.0, 4, 3), Axis(-1.0, 30.0, 5, 3), 30, 2


@pytest.fixture(scope="module")
def exposures() -> list[Exposure]:
    rng, out = np.random.default_rng(0), []
    for angle in (0.0, 0.9, 2.1):
        n = 26
        yx = rng.uniform((0, 0), (118, 148), (n, 2))
        node = yx + rng.normal(0, 0.3, (n, 2))
        hole = rng.permutation(HOLES)[:n]
        used = np.arange(n) != 3
        out.append(
            Exposure(yx, node, rng.uniform(0.02, 0.06, (n, 2)), turn_matrix(angle), node.mean(axis=0), hole, used)
        )
    return out


def dense(exposures: list[Exposure], smoothness: float, hole_rms: float) -> tuple[np.ndarray, np.ndarray]:
    """Solution and covariance of (coefficients y, x, moves but the first, errors of the holes y, x)."""
    size, moving = Y.size * X.size, 3 * (len(exposures) - 1)
    count = 2 * size + moving + 2 * HOLES
    normal, right = np.zeros((count, count)), np.zeros(count)
    rough = band_of_stencil(roughness_stencil(Y, X, ORDER)).dense()
    for c in range(2):
        normal[c * size : (c + 1) * size, c * size : (c + 1) * size] += smoothness * rough
    normal[2 * size + moving :, 2 * size + moving :] += np.eye(2 * HOLES) / hole_rms**2
    for k, e in enumerate(exposures):
        field = CellRows.of_points(Y, X, e.yx).sparse.toarray()
        for n in np.flatnonzero(e.used):
            for c in range(2):
                row = np.zeros(count)
                row[c * size : (c + 1) * size] = field[n]
                if k:
                    off = e.node[n] - e.centre
                    row[2 * size + 3 * (k - 1) :][:3] = [-off[1], -1, 0] if c == 0 else [off[0], 0, -1]
                row[2 * size + moving + e.hole[n]] = -e.turn[c, 0]
                row[2 * size + moving + HOLES + e.hole[n]] = -e.turn[c, 1]
                weight = 1 / (e.sigma[n] ** 2).mean()
                normal += weight * np.outer(row, row)
                right += weight * row * (e.node[n, c] - e.yx[n, c])
    covariance = np.linalg.inv(normal)
    return covariance @ right, covariance


def test_holes_are_eliminated_without_loss(exposures: list[Exposure]) -> None:
    problem = JointProblem(Y, X, exposures, HOLES, ORDER)
    solution = problem.solve(3.0, 0.2)
    u, covariance = dense(exposures, 3.0, 0.2)
    size, kept = Y.size * X.size, 2 * Y.size * X.size + 6
    assert np.allclose(solution.coefficients[..., 0].ravel(), u[:size], atol=1e-7)
    assert np.allclose(solution.coefficients[..., 1].ravel(), u[size : 2 * size], atol=1e-7)
    assert np.allclose(solution.moves, [[0, 0, 0], *u[2 * size : kept].reshape(-1, 3)], atol=1e-9)
    assert np.allclose(solution.errors.T.ravel(), u[kept:], atol=1e-8)
    assert np.allclose(solution.error_sigma.T.ravel() ** 2, np.diagonal(covariance)[kept:], rtol=1e-6)
    assert np.allclose(solution.covariance, covariance[:kept, :kept], rtol=1e-5, atol=1e-9)


def test_leverage_is_what_a_point_moves_its_own_prediction_by(exposures: list[Exposure]) -> None:
    problem = JointProblem(Y, X, exposures, HOLES, ORDER)
    solution = problem.solve(3.0, 0.2)
    share = problem.leverage(1, solution)
    assert ((share >= 0) & (share < 1)).all()
    assert not share[3].any()
    step = 1e-5
    for c in range(2):
        node = exposures[1].node.copy()
        node[11, c] += step
        moved = [exposures[0], replace(exposures[1], node=node), exposures[2]]
        other = JointProblem(Y, X, moved, HOLES, ORDER).solve(3.0, 0.2)
        change = (other.residuals[1] - solution.residuals[1])[11, c] / step
        assert change == pytest.approx(share[11, c] - 1, abs=5e-3)


SLOW, FAST = Axis(-1.0, 40.0, 3, 3), Axis(-2.0, 36.0, 4, 3)


COUNT, SMOOTHNESS, RMS, EXTRA = 40, 30.0, 0.08, 1e-4


def exposure(seed: int, angle: float) -> Exposure:
    rng = np.random.default_rng(seed)
    count = 30
    yx = rng.uniform((0, 0), (115, 140), (count, 2))
    node = yx + np.stack([0.02 * yx[:, 1], 0.5 * np.sin(yx[:, 0] / 30)], axis=1) + rng.normal(0, 0.1, yx.shape)
    c, s = np.cos(angle), np.sin(angle)
    used = np.ones(count, bool)
    used[[3, 11]] = False
    sigma = rng.uniform(0.01, 0.03, (count, 2))
    hole = rng.permutation(COUNT)[:count]
    return Exposure(yx, node, sigma, np.array([[c, s], [-s, c]]), np.array([57.0, 70.0]), hole, used)


EXPOSURES = exposure(1, 0.1), exposure(2, 1.4), exposure(3, -0.7)


@pytest.fixture(scope="module")
def problem() -> JointProblem:
    return JointProblem(SLOW, FAST, EXPOSURES, COUNT, 2, EXTRA)


def whole(problem: JointProblem) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Design, right side, weights and penalty of all unknowns: coefficients (component first), moves, errors."""
    size = SLOW.size * FAST.size
    unit = np.eye(size).reshape(size, SLOW.size, FAST.size)
    rows, right, weights = [], [], []
    for k, e in enumerate(EXPOSURES):
        fields = (SplineField(SLOW, FAST, np.stack([one, 0 * one], axis=-1)) for one in unit)
        basis = np.stack([field.at(e.yx)[:, 0] for field in fields], axis=1)
        for n in range(len(e.yx)):
            for c in range(2):
                row = np.zeros(2 * size + 6 + 2 * COUNT)
                row[c * size : (c + 1) * size] = basis[n]
                if k:
                    row[2 * size + 3 * (k - 1) : 2 * size + 3 * k] = -e.pose_columns()[n, c]
                at = 2 * size + 6 + 2 * e.hole[n]
                row[at : at + 2] = -e.turn[c]
                rows.append(row)
                right.append((e.node - e.yx)[n, c])
                weights.append(e.used[n] / ((e.sigma[n] ** 2).mean() + EXTRA))
    penalty = np.zeros((len(rows[0]),) * 2)
    for c in range(2):
        penalty[c * size : (c + 1) * size, c * size : (c + 1) * size] = SMOOTHNESS * problem.rough
    at = np.arange(2 * size + 6, len(penalty))
    penalty[at, at] = 1 / RMS**2
    return np.array(rows), np.array(right), np.array(weights), penalty


def test_uncertainty_of_a_mode_of_the_holes(problem: JointProblem) -> None:
    a, _, w, penalty = whole(problem)
    covariance = np.linalg.inv(a.T @ (w[:, None] * a) + penalty)[-2 * COUNT :, -2 * COUNT :]
    mode = np.random.default_rng(4).normal(size=(COUNT, 2))
    mode /= np.sqrt((mode**2).sum())
    expected = np.sqrt(mode.ravel() @ covariance @ mode.ravel())
    assert problem.mode_sigma(problem.solve(SMOOTHNESS, RMS), mode) == pytest.approx(expected, rel=1e-6)


def test_a_hole_that_nobody_saw_is_where_it_should_be(problem: JointProblem) -> None:
    seen = {int(h) for e in EXPOSURES for h in e.hole[e.used]}
    alone = next(h for h in range(COUNT) if h not in seen) if len(seen) < COUNT else None
    if alone is None:
        pytest.fail("all holes are seen: the test says nothing")
    found = problem.solve(SMOOTHNESS, RMS)
    np.testing.assert_allclose(found.errors[alone], 0.0, atol=1e-12)
    np.testing.assert_allclose(found.error_sigma[alone], RMS)


def test_a_strong_prior_holds_the_shifts() -> None:
    """Which then are where it says."""
    wanted = np.array([0.0, 0.0, 0.3, -0.2, 0.1, 0.4])
    strong = 1e9 * np.eye(6)
    held = JointProblem(SLOW, FAST, EXPOSURES, COUNT, 2, EXTRA, prior=(strong, strong @ wanted)).solve(SMOOTHNESS, RMS)
    np.testing.assert_allclose(held.moves[1:, 1:].ravel(), wanted[2:], atol=1e-4)
    assert (held.moves[0] == 0).all()


def test_pose_columns_are_derivatives_of_a_motion() -> None:
    e = EXPOSURES[1]
    columns, h = e.pose_columns(), 1e-6
    turn = np.array([[np.cos(h), np.sin(h)], [-np.sin(h), np.cos(h)]])
    moved = (e.node - e.centre) @ turn.T + e.centre
    np.testing.assert_allclose((moved - e.node) / h, columns[:, :, 0], atol=1e-4)
    np.testing.assert_array_equal(columns[:, :, 1:], np.broadcast_to(np.eye(2), (30, 2, 2)))
