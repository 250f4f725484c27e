"""What the joint solution leaves open of the field, without what is no error of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...base.arrays import Floats
from ...base.geometry import rigid_columns
from ..spline.basis import Axis, band_of_stencil, roughness_stencil, stencil_of_dense
from ..spline.rows import CellRows
from .beside import WholeUncertainty
from .joint import JointProblem, JointSolution
from .lean import common_modes


@dataclass(frozen=True, eq=False)
class JointUncertainty:
    """Variance of the field modulo a rigid motion of the whole."""

    y: Axis
    x: Axis
    stencils: tuple[Floats, Floats]

    def variance(self, yx: Floats) -> Floats:
        """(N, 2) px²."""
        rows = CellRows.of_points(self.y, self.x, yx)
        return np.maximum(np.stack([rows.quadratic_form(s) for s in self.stencils], axis=1), 0.0)


def joint_uncertainty(problem: JointProblem, solution: JointSolution) -> JointUncertainty | WholeUncertainty:
    """Covariance of the field without its rigid part: where the whole lies is no error of the field; nor is, where the
    tilts of the plate are solved for, what they have in common.
    """
    y, x, n = problem.y, problem.x, problem.size
    if problem.beside is not None and problem.further:
        at = np.delete(np.arange(len(solution.covariance) - problem.own), slice(2 * n, 2 * n + problem.moving))
        nodes = np.concatenate([e.yx for e in problem.exposures])
        return WholeUncertainty(y, x, problem.beside.columns, solution.covariance[np.ix_(at, at)], nodes)
    gy, gx = (g.ravel() for g in np.meshgrid(y.abscissae, x.abscissae, indexing="ij"))
    # projector on shifts and turn, orthogonal over the area; taken out of the covariance on both sides
    rigid = rigid_columns(np.stack([gy - gy.mean(), gx - gx.mean()], axis=1))
    if problem.lean is not None:
        rigid = np.hstack([rigid, common_modes(y, x)])
    mass = band_of_stencil(roughness_stencil(y, x, 0)).dense()
    weighed = np.vstack([mass @ rigid[:n], mass @ rigid[n:]])
    take = np.linalg.solve(rigid.T @ weighed, weighed.T)
    covariance = solution.covariance[: 2 * n, : 2 * n]
    cross = take @ covariance
    covariance = covariance - rigid @ cross - cross.T @ rigid.T + rigid @ (cross @ take.T) @ rigid.T
    stencils = [stencil_of_dense(covariance[c * n : (c + 1) * n, c * n : (c + 1) * n], y, x) for c in range(2)]
    return JointUncertainty(y, x, (stencils[0], stencils[1]))
