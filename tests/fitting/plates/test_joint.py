"""The joint problem of field, poses and holes, against the whole of its equations solved at once."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.fitting.plates.joint import Exposure, JointProblem
from pyfai_gridcal.fitting.spline.basis import Axis
from pyfai_gridcal.fitting.spline.problem import SplineField

Y, X = Axis(-1.0, 40.0, 3, 3), Axis(-2.0, 36.0, 4, 3)
HOLES, SMOOTHNESS, RMS, EXTRA = 40, 30.0, 0.08, 1e-4


def exposure(seed: int, angle: float) -> Exposure:
    rng = np.random.default_rng(seed)
    count = 30
    yx = rng.uniform((0, 0), (115, 140), (count, 2))
    node = yx + np.stack([0.02 * yx[:, 1], 0.5 * np.sin(yx[:, 0] / 30)], axis=1) + rng.normal(0, 0.1, yx.shape)
    c, s = np.cos(angle), np.sin(angle)
    used = np.ones(count, bool)
    used[[3, 11]] = False
    sigma = rng.uniform(0.01, 0.03, (count, 2))
    hole = rng.permutation(HOLES)[:count]
    return Exposure(yx, node, sigma, np.array([[c, s], [-s, c]]), np.array([57.0, 70.0]), hole, used)


EXPOSURES = exposure(1, 0.1), exposure(2, 1.4), exposure(3, -0.7)


@pytest.fixture(scope="module")
def problem() -> JointProblem:
    return JointProblem(Y, X, EXPOSURES, HOLES, 2, EXTRA)


def whole(problem: JointProblem) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Design, right side, weights and penalty of all unknowns: coefficients (component first), moves, errors."""
    size = Y.size * X.size
    unit = np.eye(size).reshape(size, Y.size, X.size)
    rows, right, weights = [], [], []
    for k, e in enumerate(EXPOSURES):
        fields = (SplineField(Y, X, np.stack([one, 0 * one], axis=-1)) for one in unit)
        basis = np.stack([field.at(e.yx)[:, 0] for field in fields], axis=1)
        for n in range(len(e.yx)):
            for c in range(2):
                row = np.zeros(2 * size + 6 + 2 * HOLES)
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


def test_elimination_of_the_holes_changes_nothing(problem: JointProblem) -> None:
    a, d, w, penalty = whole(problem)
    covariance = np.linalg.inv(a.T @ (w[:, None] * a) + penalty)
    u = covariance @ (a.T @ (w * d))
    size = Y.size * X.size
    found = problem.solve(SMOOTHNESS, RMS)
    np.testing.assert_allclose(found.coefficients.transpose(2, 0, 1).ravel(), u[: 2 * size], atol=1e-7)
    np.testing.assert_allclose(found.moves[1:].ravel(), u[2 * size : 2 * size + 6], atol=1e-8)
    np.testing.assert_allclose(found.errors.ravel(), u[2 * size + 6 :], atol=1e-8)
    sigma = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(found.error_sigma.ravel(), sigma[2 * size + 6 :], rtol=1e-6)
    residual = np.concatenate([r.ravel() for r in found.residuals])
    np.testing.assert_allclose(residual, a @ u - d, atol=1e-7)
    freedom = np.trace(covariance @ (a.T @ (w[:, None] * a)))
    assert found.freedom == pytest.approx(freedom, rel=1e-5)


def test_leverage_is_the_diagonal_of_the_hat_matrix(problem: JointProblem) -> None:
    a, _, w, penalty = whole(problem)
    covariance = np.linalg.inv(a.T @ (w[:, None] * a) + penalty)
    hat = w * np.einsum("nk,kl,nl->n", a, covariance, a)
    solution = problem.solve(SMOOTHNESS, RMS)
    found = np.concatenate([problem.leverage(k, solution).ravel() for k in range(3)])
    np.testing.assert_allclose(found, hat, atol=1e-7)


def test_uncertainty_of_a_mode_of_the_holes(problem: JointProblem) -> None:
    a, _, w, penalty = whole(problem)
    covariance = np.linalg.inv(a.T @ (w[:, None] * a) + penalty)[-2 * HOLES :, -2 * HOLES :]
    mode = np.random.default_rng(4).normal(size=(HOLES, 2))
    mode /= np.sqrt((mode**2).sum())
    expected = np.sqrt(mode.ravel() @ covariance @ mode.ravel())
    assert problem.mode_sigma(problem.solve(SMOOTHNESS, RMS), mode) == pytest.approx(expected, rel=1e-6)


def test_a_hole_that_nobody_saw_is_where_it_should_be(problem: JointProblem) -> None:
    seen = {int(h) for e in EXPOSURES for h in e.hole[e.used]}
    alone = next(h for h in range(HOLES) if h not in seen) if len(seen) < HOLES else None
    if alone is None:
        pytest.fail("all holes are seen: the test says nothing")
    found = problem.solve(SMOOTHNESS, RMS)
    np.testing.assert_allclose(found.errors[alone], 0.0, atol=1e-12)
    np.testing.assert_allclose(found.error_sigma[alone], RMS)


def test_a_strong_prior_holds_the_shifts() -> None:
    """Which then are where it says."""
    wanted = np.array([0.0, 0.0, 0.3, -0.2, 0.1, 0.4])
    strong = 1e9 * np.eye(6)
    held = JointProblem(Y, X, EXPOSURES, HOLES, 2, EXTRA, prior=(strong, strong @ wanted)).solve(SMOOTHNESS, RMS)
    np.testing.assert_allclose(held.moves[1:, 1:].ravel(), wanted[2:], atol=1e-4)
    assert (held.moves[0] == 0).all()


def test_pose_columns_are_derivatives_of_a_motion() -> None:
    e = EXPOSURES[1]
    columns, h = e.pose_columns(), 1e-6
    turn = np.array([[np.cos(h), np.sin(h)], [-np.sin(h), np.cos(h)]])
    moved = (e.node - e.centre) @ turn.T + e.centre
    np.testing.assert_allclose((moved - e.node) / h, columns[:, :, 0], atol=1e-4)
    np.testing.assert_array_equal(columns[:, :, 1:], np.broadcast_to(np.eye(2), (30, 2, 2)))
