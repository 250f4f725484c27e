"""Tilts of the plate, solved for with everything else: two numbers for each exposure, under a prior.

Differences between the exposures are determined. A tilt that all have in common is a field like any other: it is taken
out of the uncertainty of the field, as a rigid motion is, and stays with that of the plate
(:mod:`~pyfai_gridcal.records.budget`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...base.arrays import Floats
from ...records.budget import PlateBudget
from ...records.fit import Lean, Pose
from ..spline.basis import Axis
from .joint import JointProblem, JointSolution

#: Step of the numerical derivative by a tilt, rad: the error of the second order is a millionth.
_STEP = 1e-4


@dataclass(frozen=True)
class Leaning:
    """What is known of the tilts before.

    Attributes
    ----------
    sigma : of the tilt of an exposure about each axis, rad
    source_m : distance of the source, metres
    foot_m : middle of the detector, metres
    """

    sigma: float
    source_m: float
    foot_m: tuple[float, float]

    @classmethod
    def of(cls, budget: PlateBudget, shape: tuple[int, int], pixel_size: tuple[float, float]) -> Leaning | None:
        """None where nothing is told of tilts, or the source is so far away that they show by their squares, if at all:
        these leave open to which side the plate leans."""
        foot = (shape[0] / 2 * pixel_size[0], shape[1] / 2 * pixel_size[1])
        if not 0 < budget.tilt_rad * budget.source_m < min(foot):
            return None
        return cls(budget.tilt_rad, budget.source_m, foot)

    def upright(self, pose: Pose) -> Pose:
        """A pose whose tilt is to be found."""
        return replace(pose, lean=Lean((0.0, 0.0), self.source_m, self.foot_m))

    def prior(self, poses: Sequence[Pose]) -> tuple[Floats, float]:
        """Tilts so far (E, 2), and their uncertainty before, rad."""
        return np.array([p.lean.tilt_rad for p in poses if p.lean is not None]), self.sigma


def bends(pose: Pose, positions: Floats, pixel_size: tuple[float, float]) -> Floats | None:
    """(N, 2, 2) change of the nodes by a tilt (y, x), px per rad; None of a pose without."""
    if pose.lean is None:
        return None
    sides = [
        [replace(pose, lean=pose.lean.tilted(sign * _STEP * axis)).corrected(positions, pixel_size) for sign in (1, -1)]
        for axis in np.eye(2)
    ]
    return np.stack([(up - down) / (2 * _STEP) for up, down in sides], axis=2)


def common_modes(y: Axis, x: Axis) -> Floats:
    """(2 n, 2) coefficients of what a tilt of all exposures does to a field."""
    gy, gx = (g.ravel() for g in np.meshgrid(y.abscissae, x.abscissae, indexing="ij"))
    py, px = (g - g.mean() for g in (gy, gx))
    return np.stack([np.r_[py * py, py * px], np.r_[py * px, px * px]], axis=1)


def lean_words(problem: JointProblem, solution: JointSolution) -> str:
    """The tilts against their mean, with their uncertainty, and what is not known; of a problem with tilts."""
    assert problem.lean is not None
    before, sigma = problem.lean
    tilts = np.rad2deg(before + solution.tilts)
    count = len(tilts)
    apart = np.kron(np.eye(count) - 1 / count, np.eye(2))
    own = solution.covariance[problem.tilting, problem.tilting]
    off = np.rad2deg(np.sqrt(np.trace(apart @ own @ apart) / (2 * count)))
    listed = "; ".join(f"{y:+.3f}°, {x:+.3f}°" for y, x in tilts - tilts.mean(axis=0))
    return (
        f"the plate leans, against the mean of the exposures (slow, fast): {listed}; ± {off:.2g}°. A tilt that all "
        f"have in common is not determined, and counts with {np.rad2deg(sigma):.2g}°"
    )
