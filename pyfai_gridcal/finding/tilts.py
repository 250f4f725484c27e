"""How far the gradient of the light at single holes differs from what the neighbours' amplitudes say.

A gradient that is fitted costs precision: the place of a hole gets a third more variance. So it is fitted only where
it is known to differ. Noise and rough holes make gradients, too, but each hole its own; what neighbours share is light.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..base.arrays import AnyArray, Bools, Floats
from .learning import Instrument
from .model import SpotState
from .refinement import FittedSpots
from .selection import oddity

#: Gradient of the light (relative, per px) that is allowed for when nothing is known of it.
FREE_TILT = 0.05
#: The same where light ends within a few pixels, and the largest one that counts in a mean.
_STEEP_TILT, _LARGEST = 0.15, 0.2
#: Spots that tell how large such gradients are: their scatter is then known to five per cent.
_SAMPLE = 250
#: The gradient is fitted when leaving it out would move spots by so many of their sigma: 0.3 makes 4 % of the error.
_TILTED = 0.3
#: Neighbours that are asked for what they share, and how many of its own errors that must be.
_AROUND, _SURE = 12, 3.0
#: Square of a single gradient over its variance, of the larger of two, that no chance makes (one in 2000).
_OWN = 12.0


@dataclass(frozen=True, eq=False)
class LocalTilts:
    """Size (N,) of the gradients beyond what is known of the light, relative per px, at places (N, 2) px; 0 where they
    do not matter."""

    yx: Floats
    size: Floats
    spacing: float

    def at(self, yx: Floats, cut: Bools) -> Floats:
        """Expected size (M,) at other places (M, 2); holes that are `cut` (M,), which cannot tell gradient from place,
        get one only where all around do."""
        distance, near = cKDTree(self.yx).query(yx, k=min(3, len(self.yx)))
        near, distance = (np.asarray(v).reshape(len(yx), -1) for v in (near, distance))
        size = self.size[near]
        out = np.where(cut, size.mean(axis=1) * (size > 0).all(axis=1), size.max(axis=1))
        # farther out nobody has looked: what is not known may differ more
        out *= np.maximum(1.0, distance[:, 0] / self.spacing)
        return np.asarray(out)


def learn_tilts(tools: Instrument, state: SpotState, good: Bools, usual_misfit: float) -> LocalTilts | None:
    """Where and how far gradients of single spots differ from what the neighbours' amplitudes say.

    Parameters
    ----------
    state : fitted spots, in the light of their neighbours
    good : (N,) whole ones
    """
    rows = np.flatnonzero(good)
    if len(rows) <= _AROUND:
        return None
    some = state.select(rows)
    free, fixed = tools.fit(some, 3, _STEEP_TILT), tools.fit(some, 2)
    known = fixed.good & free.good
    variance = np.where(known[:, None], free.tilt_variance, np.inf)
    # by how much a gradient moves a spot, both squared
    lever = np.maximum(free.position_variance - fixed.position_variance, 1e-12) / np.maximum(variance, 1e-30)
    tilt = np.where(known[:, None], np.clip(free.tilt, -_LARGEST, _LARGEST), 0.0)
    shared, error = _shared(some.yx, tilt, known & (oddity(tools, fixed, usual_misfit) == 0))
    least = _TILTED**2 * fixed.position_variance.mean(axis=1)
    matters = (shared > _SURE * error) & (shared * lever.mean(axis=1) > least)
    size = np.where(matters, np.sqrt(np.maximum(shared, 0.0)), 0.0)
    # light that differs from hole to hole, everywhere
    size = np.maximum(size, everywhere(tools, some, known))
    # and single spots that something shades
    size = np.maximum(size, _shaded(free, fixed, noise_of_gradients(free)))
    return LocalTilts(some.yx, size, tools.spacing)


def shading(tools: Instrument, state: SpotState, whole: Bools) -> Floats:
    """Size (N,) of the gradients on those of the `whole` (N,) spots that something shades, relative per px; else 0."""
    out, rows = np.zeros(len(state)), np.flatnonzero(whole)
    if len(rows):
        some = state.select(rows)
        out[rows] = _shaded(tools.fit(some, 4, _STEEP_TILT), tools.fit(some, 4), 1.0)
    return out


def _shaded(free: FittedSpots, fixed: FittedSpots, noise: float) -> Floats:
    """Twice the gradients (N,) that no noise makes, and that move spots; else 0."""
    own = (free.tilt**2 > _OWN * noise * free.tilt_variance).any(axis=1) & free.good & fixed.good
    own &= ((free.yx - fixed.yx) ** 2 > _TILTED**2 * fixed.position_variance).any(axis=1)
    return np.where(own, 2 * np.abs(free.tilt).max(axis=1), 0.0)


def noise_of_gradients(free: FittedSpots) -> float:
    """Factor, at least 1, by which the squares of most gradients exceed their variances: rough holes have some."""
    excess = (free.tilt**2 / np.maximum(free.tilt_variance, 1e-30))[free.good]
    return max(1.0, float(np.median(excess)) / 0.4549) if len(excess) else 1.0


def _shared(yx: Floats, tilt: Floats, asked: Bools) -> tuple[Floats, Floats]:
    """Mean square (N,) of what the gradients (N, 2) of neighbours share along an axis, and its error (N,).

    The square of the mean of n values holds the common part and a share of what each has alone, n times as much of
    which is in the mean of the squares: the difference knows nothing of the noise.
    """
    rows = np.flatnonzero(asked)
    count = min(_AROUND, len(rows))
    if count < 3:
        return np.zeros(len(yx)), np.full(len(yx), np.inf)
    near = rows[np.asarray(cKDTree(yx[rows]).query(yx, k=count)[1])]
    square, mean = (tilt[near] ** 2).mean(axis=1), tilt[near].mean(axis=1)
    shared = (count * mean**2 - square) / (count - 1)
    alone = np.maximum(square - np.maximum(shared, 0.0), 0.0)
    return shared.mean(axis=1), alone.mean(axis=1) / np.sqrt(count * (count - 1))


def everywhere(tools: Instrument, state: SpotState, good: Bools) -> float:
    """How far the gradient at most spots differs from what the neighbours say, relative per px.

    0 when leaving it out moves no spot by a good part of its sigma: then fitting it would only cost precision.
    """
    rows = np.flatnonzero(good)
    some = state.select(rows[np.linspace(0, len(rows) - 1, min(len(rows), _SAMPLE)).astype(int)])
    free, fixed = tools.fit(some, 2, FREE_TILT), tools.fit(some, 2)
    beyond = _excess(free.tilt, free.tilt_variance)
    known = fixed.position_variance
    # what a richer model moves beyond the precision that it costs is the error of the poorer one
    error = _excess(free.yx - fixed.yx, np.maximum(free.position_variance - known, 0))
    return beyond if error > _TILTED * float(np.sqrt(np.median(known))) else 0.0


def _excess(values: Floats, variance: AnyArray) -> float:
    """Scatter of `values` beyond what their own `variance` explains; robust."""
    # 0.6745 is the upper quartile of the normal distribution
    scatter = float(np.median(np.abs(values))) / 0.6745
    return float(np.sqrt(max(scatter**2 - float(np.median(variance)), 0.0)))
