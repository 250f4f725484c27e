"""The main recipe: a spline whose smoothness, noise and outliers all follow from the points themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial.legendre import legvander

from ...base.errors import FittingError
from ..recipe import CLEARLY, FieldFit, Sample
from .basis import uniform_axes
from .problem import SplineProblem, SplineSolution
from .state import Doubted, SplineState, Trial

__all__ = ["BSpline"]

#: As many points tell the smoothness, the order and the knots of a field as well as more of them would.
_ENOUGH = 16000

#: Smoothness, in decades from that of the largest likelihood, at which the held-out error is looked at as well ...
_CURVE = (-1.0, -0.5, 0.5, 1.0)

#: ... on not more than this many cells: that is what takes time, and hardly changes the curve.
_CURVE_CELLS = 40

#: A model counts by this power of its held-out error: an eighth as much when that is larger by a fifth.
_DECISIVE = 12

#: A higher order must predict better by this share where nearly each point has a parameter of its own: what holes tell
#: of a spacing is not so below. Real tapers of which it predicts the holes a tenth better are no better known between.
_UNTOLD = 0.15

#: Points determine polynomials of which none is so many times smaller at all of them than another.
_DETERMINED = 1e-4

#: Share of the smoothness of the largest likelihood in the uncertainty, beside that which predicts best.
_LIKELY = 1 / 3


@dataclass(frozen=True)
class BSpline:
    """Tensor-product spline with a roughness penalty.

    Smoothness by restricted maximum likelihood first and by the held-out error around that in the end, the order of the
    roughness by held-out error; knots are set closer until that no longer helps. Outliers are points whose held-out
    residual stands out of those around; what the others scatter beyond their own sigma is found on the way (the
    *nugget*: errors of the holes, or of the model).

    Attributes
    ----------
    orders : derivatives to be tried as roughness, the highest first; a single one is taken without trial
    degree : of the polynomial pieces, at least; roughness of a higher order has pieces of its own degree
    first_cells : intervals along the longer axis to start with
    most_cells : never more intervals than this
    density : never more knots than this per distance of neighbouring points
    limit : held-out residual in units of its predicted scatter beyond which a point is left out
    """

    orders: tuple[int, ...] = (5, 4, 3, 2)
    degree: int = 4
    first_cells: int = 14
    most_cells: int = 80
    density: float = 1.5
    limit: float = 5.0
    name: str = "spline"

    def fit(self, sample: Sample) -> FieldFit:
        """Fit a smooth field; see :class:`FieldFit` for what comes out."""
        # smoothness, order and knots from some of the points, where there are many
        some = sample
        if len(sample) > 1.5 * _ENOUGH:
            some = sample.select(np.sort(np.random.default_rng(0).permutation(len(sample))[:_ENOUGH]))
        best = self._searched(some)
        curve = self._curve(best)
        # then all of them, and the smoothness that left-out points like best
        if some is not sample:
            best = self._on_all(sample, best)
        ratio = _lowest(curve)
        trial = self._polished(best, ratio)
        shown = _about(curve, ratio, trial.held_out_px)
        return replace(trial.result(sample, self.name), curve=shown, uncertainty=self._doubted(trial, best, sample))

    def _on_all(self, sample: Sample, some: Trial) -> Trial:
        """All points on the knots that some of them asked for, or on closer ones when they ask for these."""
        state, cells, most = replace(some.state, sample=sample, used=sample.used), some.cells, self._levels(sample)[-1]
        # more of them tell as much as these would with so many times less smoothness
        share = len(some.state.sample) / len(sample)
        smooth = replace(some, solution=_solved(some.solution.problem, some.solution.smoothness * share)).is_smooth
        while True:
            if not smooth:
                closer = int(np.ceil(1.5 * cells))
                cells = closer if closer < 0.85 * most else most
            best = self._converge(sample, state, cells, some.order, 6)
            smooth = best.is_smooth
            if smooth or best.cells >= most:
                return best
            state, cells = best.state, best.cells

    def _searched(self, sample: Sample) -> Trial:
        """From coarse knots to fine ones, and through the orders of roughness."""
        levels = self._levels(sample)
        orders = self._possible(sample)
        first = next((order for order in orders if order <= self.degree), orders[-1])
        best = self._converge(sample, SplineState(sample, sample.used, nugget=sample.nugget), levels[0], first, 10)
        if len(levels) == 1:
            best = self._other_orders(sample, best, orders)
        # closer knots until they predict no better, and need far fewer parameters than there are knots
        for cells in levels[1:]:
            state = replace(best.state, nugget=sample.nugget, noise_scale=1.0)
            finer = self._converge(sample, state, cells, best.order, 6)
            done = best.score < 1.005 * finer.score and finer.is_smooth
            best = finer
            if done or cells == levels[max(len(levels) - 2, 1)]:
                best = self._other_orders(sample, best, orders)
            # another order may ask for closer knots
            if done and best.is_smooth:
                break
        return self._quiet(sample, best)

    def _quiet(self, sample: Sample, best: Trial) -> Trial:
        """Without a nugget, where the points are so few that it cannot be told from the field.

        If that predicts better.
        """
        state = best.state
        if state.nugget < 0.3 * sample.typical_sigma or best.freedom < 0.4 * len(sample):
            return best
        silent = replace(sample, nugget=0.0)
        other = self._converge(silent, replace(state, sample=silent, nugget=0.0), best.cells, best.order, 5)
        return other if other.score < best.score else best

    def _curve(self, best: Trial) -> list[tuple[float, float, float]]:
        """Held-out error for other values of the smoothness: (decades from this one, weighted, plain rms in px).

        On fewer knots where there are many: what smoothness predicts best hardly depends on them.
        """
        if best.cells > _CURVE_CELLS:
            best = self._converge(best.state.sample, best.state, _CURVE_CELLS, best.order, 1)
        problem, smoothness, curve = best.solution.problem, best.solution.smoothness, {0.0: best}
        for ratio in _CURVE:
            curve[ratio] = replace(best, solution=_solved(problem, smoothness * 10.0**ratio))
        return sorted((at, trial.score, trial.held_out_px) for at, trial in curve.items())

    def _doubted(self, trial: Trial, likely: Trial, sample: Sample) -> Doubted:
        """The uncertainty, averaged over the opinions on how the field goes on where no points show it.

        Left-out points tell how rough the field is over two spacings, and like it smoother than the likelihood does;
        over longer ways, in gaps and beside the rim, the likelihood may be right. And where nearly each point has a
        parameter of its own, how the field goes on below one spacing is what the order of the roughness assumes. The
        next lower order is the more careful assumption; it counts the less, the worse it predicts.
        """
        others = []
        if likely.solution.smoothness < trial.solution.smoothness:
            others.append((likely.solution, _LIKELY))
        order, crowded = trial.order - 1, trial.crowded
        if crowded > 0 and order in self.orders:
            state = replace(trial.state, smoothness={order: trial.solution.smoothness_for(order)})
            careful = self._converge(sample, state, trial.cells, order, 1)
            others.append((careful.solution, crowded / (1 + (careful.score / trial.score) ** _DECISIVE)))
        return Doubted(trial.solution, tuple(others))

    def _levels(self, sample: Sample) -> list[int]:
        """Numbers of cells along the longer axis, from coarse to fine."""
        length = max(_window(sample)[1])
        most = int(np.clip(np.ceil(self.density * length / sample.spacing), 4, self.most_cells))
        levels = [most]
        while levels[0] > 1.25 * self.first_cells:
            levels.insert(0, int(np.ceil(levels[0] / 1.6)))
        return levels

    def _other_orders(self, sample: Sample, first: Trial, orders: list[int]) -> Trial:
        """The best of some orders of roughness on the same knots: higher ones until one is worse, and lower ones unless
        these were clearly better.

        Lenses and beams make fields of which a high order is all there is to penalise, and each order more takes a
        tenth to a half off the error where holes are few; tapers are rough.
        """
        at, found = orders.index(first.order), [first]
        for way in (orders[:at][::-1], orders[at + 1 :]):
            best = first
            for order in way:
                state = replace(best.state, smoothness={order: best.solution.smoothness_for(order)})
                try:
                    other = self._converge(sample, state, best.cells, order, 4)
                except FittingError:  # these points hardly determine it
                    break
                if other.score >= best.score * (1 - _UNTOLD * best.crowded if order > best.order else 1):
                    break
                best = other
            found.append(best)
            if best.score < CLEARLY * first.score:
                break
        return min(found, key=lambda trial: trial.score)

    def _polished(self, trial: Trial, ratio: float) -> Trial:
        """One more solution, smoother by some decades, the two coordinates weighed each by its own uncertainty."""
        own, both = trial.state.weights(apart=True), trial.state.weights()
        together = bool(np.all(np.abs(own - both) <= 0.05 * both))
        if together and not ratio and trial.state.smoothness[trial.order] == trial.solution.smoothness:
            return trial
        problem = trial.solution.problem
        problem.weigh(both if together else own)
        solution = _solved(problem, trial.state.smoothness[trial.order] * 10.0**ratio)
        return Trial(solution, replace(trial.state, smoothness={trial.order: solution.smoothness}))

    def _possible(self, sample: Sample) -> list[int]:
        """Orders whose polynomials the points can determine: those of four straight rows no fourth degree across."""
        yx = sample.yx[sample.used]
        low, high = yx.min(axis=0), yx.max(axis=0)
        y, x = (legvander(u, max(self.orders) - 1) for u in (2 * (yx - low) / np.maximum(high - low, 1.0) - 1).T)
        for k, order in enumerate(self.orders[:-1]):
            terms = [y[:, a] * x[:, b] for a in range(order) for b in range(order - a)]
            if 1.5 * len(terms) <= len(yx):
                size = np.linalg.svd(np.stack(terms, axis=1), compute_uv=False)
                # who determines the polynomials of one degree determines those of all lower ones
                if size[-1] > _DETERMINED * size[0]:
                    return list(self.orders[k:])
        return [self.orders[-1]]

    def _converge(self, sample: Sample, state: SplineState, cells: int, order: int, rounds: int) -> Trial:
        """Solve on knots of this density until smoothness, nugget and outliers stay."""
        y, x = uniform_axes(*_window(sample), cells, max(self.degree, order))
        problem = SplineProblem(y, x, sample.yx, sample.d, order)
        smoothness, last_step = state.smoothness.get(order, 0.0), 0.0
        weighed: SplineState | None = None
        for _ in range(rounds):
            # the normal matrix is made anew only where the weights have changed
            if weighed is None or not state.weighs_like(weighed):
                problem.weigh(state.weights())
                weighed = state
            if not smoothness:
                smoothness = 1e-4 * float(problem.weights.sum()) / 2 / float(problem.rough[0, y.degree].sum())
            solution = _solved(problem, smoothness)
            smoothness = used_smoothness = solution.smoothness
            # what the solution asks of smoothness, nugget and outliers
            step = float(np.clip(np.log(solution.next_smoothness() / smoothness), -7, 7))
            state = state.after(solution, self.limit)
            settled = abs(step) < 0.2 and state.weighs_like(weighed)
            if solution.leverage.sum() - order * (order + 1) < 1.5:  # a polynomial: smoother makes no difference
                step, settled = min(step, 0.0), state.weighs_like(weighed)
            if settled:
                break
            # steps that shrink by a constant ratio are carried on to their end (Aitken)
            ratio = float(np.clip(step / last_step, -0.5, 0.6)) if last_step else 0.0
            smoothness *= float(np.exp(np.clip(step / (1 - ratio), -7, 7)))
            last_step = step
        return Trial(solution, replace(state, smoothness={**state.smoothness, order: used_smoothness}))


def _lowest(curve: Sequence[tuple[float, float, float]], step: float = 0.5) -> float:
    """Where a parabola through the lowest of the middle points of a curve and its neighbours has its lowest point.

    The largest likelihood leaves fields that are smoother than its prior a little too rough, and their uncertainty too
    large. The curve is flat, so its minimum is believed near that value only.
    """
    square = {at: score**2 for at, score, _ in curve}
    middle = min((at for at in square if abs(at) <= step), key=lambda at: square[at])
    low, here, high = (square[middle + k * step] for k in (-1, 0, 1))
    bend = low - 2 * here + high
    return float(np.clip(middle + step * (low - high) / (2 * bend), -step, 2 * step)) if bend > 0 else middle


def _about(curve: Sequence[tuple[float, float, float]], ratio: float, chosen: float) -> tuple[tuple[float, float], ...]:
    """The curve seen from the value that was chosen, through the held-out error that it has on all knots and points."""
    ratios, _, values = (list(column) for column in zip(*curve, strict=True))
    scale = chosen / min(float(np.interp(ratio, ratios, values)), *values)
    shown = {round(at - ratio, 6): value * scale for at, value in zip(ratios, values, strict=True)}
    return tuple(sorted((shown | {0.0: chosen}).items()))


def _window(sample: Sample, margin: float = 3.0) -> tuple[tuple[float, float], tuple[int, int]]:
    """Origin and size (px) of the part of the detector that gets knots: the points and some spacings around."""
    points = sample.yx[sample.used]
    first, last = np.asarray(sample.origin), np.asarray(sample.origin) + np.asarray(sample.shape) - 1
    low = np.maximum(first, np.floor(points.min(axis=0) - margin * sample.spacing))
    high = np.minimum(last, np.ceil(points.max(axis=0) + margin * sample.spacing))
    size = np.maximum(high - low + 1, 2).astype(int)
    return (float(low[0]), float(low[1])), (int(size[0]), int(size[1]))


def _solved(problem: SplineProblem, smoothness: float) -> SplineSolution:
    """The solution, with more smoothness where less leaves the equations singular."""
    for _ in range(12):
        try:
            return problem.solve(smoothness)
        except np.linalg.LinAlgError:
            smoothness *= 30.0
    raise FittingError("the control points do not determine a smooth field", hint="try the model 'polynomial'")
