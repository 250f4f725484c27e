"""What the spline recipe knows between its rounds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ...base.arrays import Bools, Floats
from ...base.robust import rms, spread
from ...indexing.nodes import isolated_outliers
from ..recipe import FieldFit, Sample
from .problem import ModuloRigid, SplineProblem, SplineSolution
from .rows import CellRows


@dataclass(frozen=True, eq=False)
class Doubted:
    """Variance of the shape of a solution, raised by shares of what more careful ones have beyond it."""

    own: SplineSolution
    others: tuple[tuple[SplineSolution, float], ...] = ()

    @property
    def problem(self) -> SplineProblem:
        return self.own.problem

    def smoothness_for(self, order: int) -> float:
        return self.own.smoothness_for(order)

    def variance(self, yx: Floats) -> Floats:
        """(N, 2) px²."""
        rows = CellRows.of_points(self.problem.y, self.problem.x, yx)
        whole = self.own.variance_of(rows)
        shape = self._shape.variance(yx, rows, whole)
        for careful, share in self.others:
            shape += share * np.maximum(careful.variance(yx) - whole, 0.0)
        return shape

    @cached_property
    def _shape(self) -> ModuloRigid:
        return self.own.modulo_rigid()


@dataclass(frozen=True, eq=False)
class SplineState:
    """What is thought of the points so far."""

    sample: Sample
    used: Bools
    nugget: float = 0.0
    noise_scale: float = 1.0
    smoothness: dict[int, float] = field(default_factory=dict)

    def variance(self, *, apart: bool = True) -> Floats:
        """(N, 2) variance of each coordinate, px², the same for both unless they are to be told apart."""
        out: Floats = (self.noise_scale * self.sample.sigma) ** 2 + self.nugget**2
        if not apart:
            out = np.broadcast_to(out.mean(axis=1, keepdims=True), out.shape)
        return np.maximum(out, 1e-12)

    def weights(self, *, apart: bool = False) -> Floats:
        """(N, 2) 1 / variance, 0 for outliers."""
        return np.where(self.used[:, None], 1.0 / self.variance(apart=apart), 0.0)

    def weighs_like(self, other: SplineState) -> bool:
        """Whether the weights are nearly the same as with another state."""
        if not np.array_equal(self.used, other.used):
            return False
        typical = self.sample.typical_sigma**2
        mine, theirs = (s.noise_scale**2 * typical + s.nugget**2 for s in (self, other))
        return abs(mine / theirs - 1) < 0.1

    def scores(self, solution: SplineSolution) -> Floats:
        """(N, 2) held-out residuals in units of their predicted scatter."""
        # those that were not used have no weight
        spread = (1 - solution.leverage) / np.maximum(solution.weights, 1e-300)
        if not self.used.all():
            spread = np.where(self.used[:, None], spread, self.variance())
        return np.asarray(solution.residual / np.sqrt(spread))

    def after(self, solution: SplineSolution, limit: float) -> SplineState:
        """The same after looking at the residuals of a solution."""
        # who stands out of those around is wrong; who was wrong must come clearly below the limit to come back
        z = np.sqrt((self.scores(solution) ** 2).sum(axis=1) / 2)
        use = self.used
        typical = spread(z[use], about=0.0) / 1.18 if use.any() else 1.0
        wrong = isolated_outliers(self.sample.tree, z / max(typical, 1.0), limit * 0.8) | (
            ~use & (z > 0.7 * limit * max(typical, 1.0))
        )
        wrong |= ~self.sample.used
        # the rest tell the scatter beyond sigma
        nugget, scale = self._noise(solution, use & (z < limit * max(typical, 1.0)))
        return replace(self, used=~wrong, nugget=nugget, noise_scale=scale)

    def _noise(self, solution: SplineSolution, use: Bools) -> tuple[float, float]:
        """Nugget and scale of the noise that the residuals ask for (moments of the restricted likelihood)."""
        w, leverage, residual, sigma = solution.weights, solution.leverage, solution.residual, self.sample.sigma
        if not use.all():
            w, leverage, residual, sigma = w[use], leverage[use], residual[use], sigma[use]
        free, r2, s2 = 1 - leverage, residual**2, sigma**2
        if free.sum() < 0.02 * free.size or free.sum() < 12:
            return self.nugget, self.noise_scale
        square = float(((r2 - free * s2) * w**2).sum() / (free * w**2).sum())
        # the rule creeps where most of the residual is taken up by the field: stretch its steps
        square = self.nugget**2 + (square - self.nugget**2) / max(float(free.mean()), 0.1) ** 0.5
        if square > 0:
            return min(float(np.sqrt(square)), self.sample.nugget), 1.0
        scale = float(np.sqrt((r2 / s2).sum() / free.sum()))
        return 0.0, float(np.clip(scale, 0.3, 1.0))


@dataclass(frozen=True, eq=False)
class Trial:
    solution: SplineSolution
    state: SplineState

    @property
    def order(self) -> int:
        return self.solution.problem.order

    @property
    def cells(self) -> int:
        return max(self.solution.problem.y.cells, self.solution.problem.x.cells)

    @property
    def freedom(self) -> float:
        return float(self.solution.leverage.sum()) / 2

    @property
    def crowded(self) -> float:
        """0 where points share parameters, 1 where nearly each of them has one of its own."""
        return float(np.clip((self.freedom / max(int(self.state.used.sum()), 1) - 0.5) / 0.4, 0.0, 1.0))

    @property
    def is_smooth(self) -> bool:
        """Whether the field needs far fewer parameters than there are knots and points."""
        return self.freedom < 0.25 * self.solution.coefficients[..., 0].size and self.freedom < 0.3 * len(
            self.state.sample
        )

    @cached_property
    def held_out(self) -> Floats:
        """(N, 2) fitted - given displacement without the point itself."""
        leverage = np.where(self.state.used[:, None], self.solution.leverage, 0.0)
        return np.asarray(-self.solution.residual / (1 - leverage))

    @cached_property
    def held_out_px(self) -> float:
        """Rms of the held-out residuals, px per axis."""
        return rms(self.held_out[self.state.used], self.state.sample.sigma[self.state.used])

    @cached_property
    def score(self) -> float:
        """Weighted rms of the held-out residuals."""
        w = 1.0 / self.state.sample.sigma[self.state.used] ** 2
        return float(np.sqrt((w * self.held_out[self.state.used] ** 2).sum() / w.sum()))

    def result(self, sample: Sample, name: str) -> FieldFit:
        state, solution, problem = self.state, self.solution, self.solution.problem
        return FieldFit(
            name=name,
            field=solution.field,
            residual=-solution.residual,
            held_out=self.held_out,
            used=state.used,
            z=-state.scores(solution),
            leverage=solution.leverage,
            nugget=state.nugget,
            noise_scale=state.noise_scale,
            freedom=self.freedom,
            sigma=sample.sigma,
            note=f"roughness of order {self.order} on {problem.y.cells} x {problem.x.cells} cells",
        )
