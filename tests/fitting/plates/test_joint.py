"""The joint problem against dense least squares with all holes kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfai_gridcal.base.geometry import turn_matrix
from pyfai_gridcal.fitting.plates.joint import Exposure, JointProblem
from pyfai_gridcal.fitting.spline.basis import Axis, CellRows, band_of_stencil, roughness_stencil

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
