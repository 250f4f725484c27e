"""What is wrong with the picture of a hole where neighbours share it: reflexes, bleeding, afterglow.

A fault that all holes of a region share moves all of them, and no residual of a smooth field shows it. But it leaves
something over in the pixels, too: of a pattern that is odd about the middle of a hole a fit takes that part for a move
which looks like one, and the rest is left. How large the part is that was taken is not known; that it is as large as
what is left, ring by ring, is the most plausible guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

from ..base.arrays import AnyArray, Bools, Floats
from ..base.geometry import tree_of
from ..base.robust import NORMAL
from .holes.learning import Instrument
from .holes.looks import wild_square
from .holes.model import SpotState
from .holes.refinement import TOLERANCE, FittedSpots, looked_at
from .holes.windows import ramp

#: Most holes that are asked, and how many neighbours tell what they share.
_MOST, _AROUND = 3000, 12
#: What neighbours share must be so many times what chance makes.
_SURE = 3.0
#: A ring of fewer pixels tells nothing.
_PIXELS = 8
#: What a hole has of its own is so many times the usual.
_STRANGE = 8.0
#: Inner limits of the rings: shares of the radius, and blurs outside of the rim.
_RINGS = ((0.0, 0.0), (0.45, 0.0), (1.0, -1.2), (1.0, 0.0), (1.0, 1.2))


@dataclass(frozen=True, eq=False)
class SharedFaults:
    """By how much (N, 2), px, a fault of the picture may move the holes around places (N, 2) px, along y and x, and the
    part (N, 2) that neighbours share of the squares of what is odd about a hole there."""

    yx: Floats
    size: Floats
    part: Floats

    def at(self, yx: Floats, own: Floats | float = 0.0) -> Floats:
        """The same at other places (M, 2), where holes look as the nearest one does; and may be off by their `own`
        (M, 1), of which neighbours share a part."""
        near = self._tree.query(yx, workers=2)[1]
        return np.maximum(self.size[near], np.sqrt(self.part[near]) * own)

    @cached_property
    def usual(self) -> float:
        """What most holes share, px: where all do, it is the picture that is so and not the holes."""
        return float(np.median(self.size.max(axis=1)))

    @cached_property
    def _tree(self) -> cKDTree:
        return tree_of(self.yx)


def learn_faults(tools: Instrument, state: SpotState, fitted: FittedSpots, good: Bools) -> SharedFaults | None:
    """What a fit leaves over that is odd about the holes and shared by neighbours; None of too few.

    Parameters
    ----------
    state, fitted : where the fit began, and what it found
    good : (N,) whole spots that look as usual
    """
    rows = np.flatnonzero(good & fitted.good)
    rows = rows[:: len(rows) // _MOST + 1]
    if len(rows) <= _AROUND:
        return None
    odd, weight = _odd_parts(tools, fitted.after(state, tools.dark).select(rows))
    yx = fitted.yx[rows]
    # what is the same everywhere moves everything, which is no distortion; what single holes have does not count here
    odd = np.where((weight >= _PIXELS)[:, None], odd - np.median(odd, axis=0), 0.0)
    usual = NORMAL * np.median(np.abs(odd), axis=0)
    strange = np.count_nonzero(np.abs(odd) > _STRANGE * usual, axis=1) > 0
    near = np.asarray(tree_of(yx).query(yx, k=_AROUND)[1])
    common = np.clip(odd, -_STRANGE * usual, _STRANGE * usual)[near]
    square, mean = (common**2).mean(axis=1), common.mean(axis=1)
    shared = (_AROUND * mean**2 - square) / (_AROUND - 1)
    # where light is scarce, neighbours seem to share some of their noise
    chance = np.maximum(square - np.maximum(shared, 0.0), 0.0) / np.sqrt(0.5 * _AROUND * (_AROUND - 1))
    share = (weight / weight.sum())[:, None]
    power, error = (shared * share).sum(axis=1), np.sqrt(((chance * share) ** 2).sum(axis=1))
    power = np.where(power > _SURE * error, power, 0.0)
    part = np.minimum(power / np.maximum((square * share).sum(axis=1), 1e-30), 1.0)
    power = np.where(strange, (odd**2 * share).sum(axis=1), power)
    # A dipole d at the rim, whose slope is that of a blur s, moves the fit by 2 sqrt(pi) s d. What is left over has
    # fewer free parts than there are rings: one went into the move, and two into what was thought to come on top.
    topped = np.count_nonzero(fitted.extra[rows, 2:], axis=1) > 0
    free = np.where(topped, (len(_RINGS) - 1) / (len(_RINGS) - 4), (len(_RINGS) - 1) / (len(_RINGS) - 2))
    move = 2 * np.sqrt(np.pi) * tools.maker.blur * np.sqrt(power * free[:, None])
    return SharedFaults(yx, move, part)


def _odd_parts(tools: Instrument, state: SpotState) -> tuple[Floats, Floats]:
    """Dipoles (N, rings, 2) along y and x of what the model leaves over, in units of the amplitude, and the mean number
    of pixels in each ring."""
    y, x = ramp(tools.reach)
    limits = [share * tools.profile_radius + blurs * tools.maker.blur for share, blurs in _RINGS]
    odd, count = np.zeros((len(state), len(_RINGS) - 1, 2)), np.zeros(len(_RINGS) - 1)
    bank = tools.maker.bank(state.stretch, len(state), state.wider)
    for rows, windows, level, seen in looked_at(tools.image, state, bank):
        off = (state.yx[rows] - windows.middle).astype(np.float32)
        dy, dx = y - off[:, :1], x - off[:, 1:]
        far = np.hypot(dy, dx)
        # wild pixels have moved nothing
        variance = tools.learned.noise.variance(tools.image.sign * level)
        usable = windows.usable & (seen[:, -1] ** 2 < wild_square(variance, state.amplitude[rows], TOLERANCE))
        # what is missing on one side must not count on the other: what is even would look odd
        usable &= usable[:, ::-1]
        relative = seen[:, -1] / state.amplitude[rows, None].astype(np.float32)
        for k, (low, high) in enumerate(pairwise(limits)):
            ring = (far >= low) & (far < high) & usable
            share = ring / np.maximum(np.count_nonzero(ring, axis=1), 1)[:, None]
            for axis, along in enumerate((dy, dx)):
                odd[rows, k, axis] = 2 * _mean_along(relative, along / np.maximum(far, 1e-3), share)
            count[k] += np.count_nonzero(ring) / len(state)
    return odd, count


def _mean_along(values: AnyArray, along: AnyArray, share: AnyArray) -> Floats:
    return np.asarray((values * along * share).sum(axis=1), dtype=np.float64)
