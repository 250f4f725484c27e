"""How far the gradient of the light at single holes differs from what the neighbours' amplitudes say.

A gradient that is fitted costs precision: the place of a hole gets a third more variance. So it is fitted only where
it is known to differ. Noise and rough holes make gradients, too, but each hole its own; what neighbours share is light.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..base.arrays import AnyArray, Bools, Floats, largest_of, with_rows
from ..base.geometry import tree_of
from .holes.learning import Instrument
from .holes.light import LocalLight
from .holes.model import SpotState
from .holes.refinement import NEAR, STEEP_LIGHT, FittedSpots, renew
from .selection import oddity

#: Gradient of the light (relative, per px) that is allowed for when nothing is known of it.
FREE_TILT = 0.05
#: The same where light ends within a few pixels, what may come on top (a tenth of a hole is a strong reflex), and the
#: largest of either that counts in a mean.
_STEEP_TILT, ANY_GROUND, _LARGEST = 0.15, 0.3, 0.2
#: The gradient is fitted when leaving it out would move spots by so many of their sigma: 0.3 makes 4 % of the error.
_TILTED = 0.3
#: Share of the light that is gone where light ends; smooth light is known to some per cent in corners.
_GONE = 0.05
#: Gradients of the light are at most so many times what makes neighbours differ in brightness.
_STEEPER = 2.0
#: Neighbours that are asked for what they share, and how many of its own errors that must be.
_AROUND, _SURE = 12, 3.0
#: One step tells sizes and errors to some per cent: what is so much of what matters may matter.
_PERHAPS = 0.9
#: Square of a single gradient over its variance, of the larger of two, that no chance makes (one in 2000).
_OWN = 12.0

#: Mean square of gradients (N, k), of these variances, over neighbours (N, n), and its error; (N,) each.
_Estimate = Callable[[Floats, Floats, AnyArray], tuple[Floats, Floats]]


@dataclass(frozen=True, eq=False)
class LocalTilts:
    """Sizes (N, 2) of the gradients beyond what is known, of the light (relative, per px) and of what comes on top (in
    units of the amplitude, per px), at places (N, 2) px; 0 where they do not matter."""

    yx: Floats
    size: Floats
    spacing: float

    def at(self, yx: Floats, cut: Bools) -> Floats:
        """Expected sizes (M, 2) at other places (M, 2); holes that are `cut` (M,), which cannot tell gradient from
        place, get one only where all around do."""
        if not self.size.any():
            return np.zeros((len(yx), 2))
        distance, near = (np.asarray(v) for v in tree_of(self.yx).query(yx, k=[1, 2, 3], workers=2))
        size = self.size[near]
        out = np.where(cut[:, None], size.mean(axis=1) * (size > 0).all(axis=1), size.max(axis=1))
        # farther out nobody has looked: what is not known may differ more
        out *= np.maximum(1.0, distance[:, :1] / self.spacing)
        return np.asarray(out)


def unsure_slopes(tools: Instrument, light: LocalLight, fitted: FittedSpots) -> Floats:
    """By how much (N,) the slope of the light may be wrong, relative per px, where that would move spots like those
    `fitted`: what is smooth over some holes does not follow light that bends at its rim."""
    least = _TILTED * float(np.sqrt(np.median(fitted.position_variance[fitted.good]))) if fitted.good.any() else np.inf
    return np.where(light.unsure * tools.radius**2 / 4 > least, light.unsure, 0.0)


def with_slopes_assumed(fitted: FittedSpots, unsure: Floats, size: Floats) -> FittedSpots:
    """The spots with the variance that they share with neighbours where the slope of the light is `unsure` (N,), wrong
    alike at all of them, and gradients were expected to be of a `size` (N,): what noise hides of them stays in the
    places by the share that the variance of the gradient has in the square of that.
    """
    rows = unsure > 0
    left = fitted.extra_variance[rows, :2] * (unsure[rows] / size[rows] ** 2)[:, None]
    return with_rows(fitted, rows, {"assumed": fitted.lever[rows, :2] * left**2})


def dimmed(tools: Instrument, fitted: FittedSpots, light: LocalLight, whole: Bools, sure: float) -> Floats:
    """By how much (N,) px the `whole` spots (N,) that are less bright than those around, by `sure` times what these
    scatter, may be off: light that ends in a hole within as little as its radius, which does not look like a gradient,
    moves it by a quarter of the share of the radius that is gone.
    """
    less = 1 - fitted.amplitude / light.amplitude
    dim = whole & (less > np.maximum(_GONE, sure * light.amplitude_sigma / light.amplitude))
    return np.where(dim, less, 0.0) * tools.profile_radius / 4


def learn_tilts(
    tools: Instrument, state: SpotState, good: Bools, usual_misfit: float, spacing: float
) -> tuple[LocalTilts | None, FittedSpots | None, Bools]:
    """Where and how far gradients of single spots differ from what the neighbours' amplitudes say.

    Parameters
    ----------
    state : fitted spots, in the light of their neighbours
    good : (N,) whole ones, which tell
    spacing : of these, px

    Returns
    -------
    tilts, what one step with nothing more has found of the good ones, either None of too few; and which (N,) of these
    come to their places by that
    """
    rows, there = np.flatnonzero(good), np.zeros(len(good), bool)
    if len(rows) <= _AROUND:
        return None, None, there
    some = state.select(rows)
    plain, topped, free = tools.compared(some, (_STEEP_TILT, ANY_GROUND))
    far, farther = (largest_of(one.yx - some.yx) > NEAR for one in (plain, topped))
    there[rows] = plain.good & (plain.lost == 0) & ~far
    renew(plain, far, lambda rows: tools.fit(some.select(rows), 1))
    asked = np.flatnonzero(plain.good & (oddity(tools, plain, usual_misfit) == 0))
    count = min(_AROUND, len(asked))
    if count < 3:
        return None, plain, there
    near = asked[np.asarray(tree_of(some.yx[asked]).query(some.yx, k=count, workers=2)[1])]
    # what comes from elsewhere first, which costs least, then light that it leaves unexplained
    renew(topped, farther, lambda rows: tools.fit(some.select(rows), 1, (0.0, ANY_GROUND)))
    # grainy noise makes waves as large as that
    topped = replace(topped, extra_variance=tools.learned.grain**2 * topped.extra_variance)
    ground = _allowed(topped, plain, near, _beyond_noise, slice(2, 8))
    del topped
    # one step for all has told where light may matter: there, and where pixels are wild, it is followed to its end
    ask = far | (plain.lost > 0) | (ground > 0) | (_shaded(free, plain, _PERHAPS**2 * _noise_of_gradients(free)) > 0)
    ask[near[_allowed(free, plain, near, _shared, slice(0, 2), _PERHAPS**2) > 0]] = True
    ask |= (np.hypot(*some.slope_a.T) > STEEP_LIGHT) | (_everywhere(free, plain, _PERHAPS) > 0)
    size = np.stack([np.full(len(some), _STEEP_TILT), ground], axis=1)
    renew(free, ask, lambda rows: tools.fit(some.select(rows), 2, size[rows]))
    size[:, 0], fixed = 0, plain
    if (lifted := np.flatnonzero(ground > 0)).size:
        fixed = with_rows(plain, lifted, vars(tools.fit(some.select(lifted), 1, size[lifted])))
    light = _allowed(free, fixed, near, _shared, slice(0, 2))
    # light that differs from hole to hole, everywhere; and single spots that something shades
    light = np.maximum(light, _everywhere(free, fixed))
    light = np.maximum(light, _shaded(free, fixed, _noise_of_gradients(free)))
    light = np.minimum(light, _plausible(plain, near, spacing))
    return LocalTilts(some.yx, np.stack([light, ground], axis=1), spacing), plain, there


def _allowed(
    free: FittedSpots, fixed: FittedSpots, near: AnyArray, estimate: _Estimate, kind: slice, sure: float = 1.0
) -> Floats:
    """Sizes (N,) of the extra columns of one kind by the neighbours `near` (N, n); 0 where leaving them out moves no
    spot by a good part of its sigma, or, for `sure` below 1, by so much less than that."""
    found = np.clip(free.extra[:, kind], -_LARGEST, _LARGEST)
    square, error = estimate(found, free.extra_variance[:, kind], near)
    moved = square * free.lever[:, kind].mean(axis=1)
    matters = (square > sure * _SURE * error) & (moved > sure * _TILTED**2 * fixed.position_variance.mean(axis=1))
    return np.where(matters & free.good, np.sqrt(np.maximum(square, 0.0)), 0.0)


def _shared(found: Floats, variance: Floats, near: AnyArray) -> tuple[Floats, Floats]:
    """Mean square of what neighbours share.

    The square of the mean of n values holds the common part and a share of what each has alone, n times as much of
    which is in the mean of the squares: the difference knows nothing of the noise.
    """
    count = near.shape[1]
    square, mean = _mean_of(found**2, near), _mean_of(found, near)
    shared = (count * mean**2 - square) / (count - 1)
    alone = np.maximum(square - np.maximum(shared, 0.0), 0.0)
    return shared.mean(axis=1), alone.mean(axis=1) / np.sqrt(count * (count - 1))


def _beyond_noise(found: Floats, variance: Floats, near: AnyArray) -> tuple[Floats, Floats]:
    """Mean square beyond the variance: what comes from elsewhere is another at the next hole."""
    noise, square = (_mean_of(each.mean(axis=1), near) for each in (variance, found**2))
    return square - noise, noise * np.sqrt(2 / (near.shape[1] * found.shape[1]))


def _mean_of(values: Floats, near: AnyArray) -> Floats:
    """Mean (N, ...) of the values (N, ...) that the neighbours (N, n) have, without a copy for each of them."""
    total = values[near[:, 0]]
    for rows in near.T[1:]:
        total += values[rows]
    return np.asarray(total / near.shape[1])


def shading(tools: Instrument, state: SpotState, whole: Bools) -> Floats:
    """Size (N,) of the gradients on those of the `whole` (N,) spots that something shades, relative per px; else 0."""
    out, rows = np.zeros(len(state)), np.flatnonzero(whole)
    if len(rows):
        some = state.select(rows)
        out[rows] = _shaded(tools.fit(some, 4, (_STEEP_TILT, 0.0)), tools.fit(some, 4), 1.0)
    return out


def _plausible(fitted: FittedSpots, near: AnyArray, spacing: float) -> Floats:
    """Largest gradient (N,) of light that makes neighbours (N, n) as bright as they are: what looks like more is
    none."""
    level = np.log(np.maximum(fitted.amplitude, 1e-6 * np.median(np.abs(fitted.amplitude))))
    every = np.concatenate([level[near], level[:, None]], axis=1)
    return _STEEPER * np.ptp(every, axis=1) / spacing


def _shaded(free: FittedSpots, fixed: FittedSpots, noise: float) -> Floats:
    """Twice the gradients (N,) of the light that no noise makes, and that move spots; else 0."""
    own = (free.extra**2 > _OWN * noise * free.extra_variance)[:, :2].any(axis=1) & free.good & fixed.good
    own &= ((free.yx - fixed.yx) ** 2 > _TILTED**2 * fixed.position_variance).any(axis=1)
    return np.where(own, 2 * largest_of(free.extra[:, :2]), 0.0)


def _noise_of_gradients(free: FittedSpots) -> float:
    """Factor, at least 1, by which the squares of most gradients exceed their variances: rough holes have some."""
    excess = (free.extra**2 / np.maximum(free.extra_variance, 1e-30))[free.good, :2]
    return max(1.0, float(np.median(excess)) / 0.4549) if len(excess) else 1.0


def _everywhere(free: FittedSpots, fixed: FittedSpots, sure: float = 1.0) -> float:
    """How far the gradient at most spots differs from what the neighbours say, relative per px.

    0 when leaving it out moves no spot by a good part of its sigma, times `sure`: then fitting it would only cost
    precision.
    """
    known = free.good & fixed.good
    variance = fixed.position_variance[known]
    beyond = _excess(free.extra[known, :2], free.extra_variance[known, :2])
    # what a richer model moves beyond the precision that it costs is the error of the poorer one
    error = _excess((free.yx - fixed.yx)[known], np.maximum(free.position_variance[known] - variance, 0))
    return beyond if error > sure * _TILTED * float(np.sqrt(np.median(variance))) else 0.0


def _excess(values: Floats, variance: AnyArray) -> float:
    """Scatter of `values` beyond what their own `variance` explains; robust."""
    # 0.6745 is the upper quartile of the normal distribution
    scatter = float(np.median(np.abs(values))) / 0.6745
    return float(np.sqrt(max(scatter**2 - float(np.median(variance)), 0.0)))
