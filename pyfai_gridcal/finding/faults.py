"""What is wrong with the picture of a hole where neighbours share it: reflexes, bleeding, afterglow.

A fault that all holes of a region share moves all of them, and no residual of a smooth field shows it. But it leaves
something over in the pixels, too: of a pattern that is odd about the middle of a hole a fit takes that part for a move
which looks like one, and the rest is left. How large the part is that was taken is not known; that it is as large as
what is left, ring by ring, is the most plausible guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

from ..base.arrays import AnyArray, Bools, Floats
from .learning import Instrument
from .model import SpotState
from .refinement import FittedSpots, looked_at
from .windows import ramp

#: Most holes that are asked, and how many neighbours tell what they share.
_MOST, _AROUND = 3000, 12
#: So many of its errors are taken off what neighbours share: of noise alone a fortieth is left.
_SURE = 2.0
#: A pixel that is off by more of the amplitude tells of dirt, not of light.
_WILD = 0.3
#: Inner limits of the rings: shares of the radius, and blurs outside of the rim.
_RINGS = ((0.0, 0.0), (0.45, 0.0), (1.0, -1.2), (1.0, 0.0), (1.0, 1.2))


@dataclass(frozen=True, eq=False)
class SharedFaults:
    """By how much (N, 2), px, a fault of the picture may move the holes around places (N, 2) px, along y and x."""

    yx: Floats
    size: Floats

    def at(self, yx: Floats) -> Floats:
        """The same at other places (M, 2)."""
        near = np.asarray(cKDTree(self.yx).query(yx, k=[1, 2, 3])[1])
        return np.asarray(np.sqrt((self.size[near] ** 2).mean(axis=1)))


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
    # what is the same everywhere moves everything, which is no distortion
    odd -= np.median(odd, axis=0)
    near = np.asarray(cKDTree(yx).query(yx, k=_AROUND)[1])
    square, mean = (odd[near] ** 2).mean(axis=1), odd[near].mean(axis=1)
    shared = (_AROUND * mean**2 - square) / (_AROUND - 1)
    # where light is scarce, neighbours seem to share some of their noise
    chance = np.maximum(square - np.maximum(shared, 0.0), 0.0) / np.sqrt(0.5 * _AROUND * (_AROUND - 1))
    power = ((shared - _SURE * chance) * weight[:, None]).sum(axis=1) / weight.sum()
    # A dipole d at the rim, whose slope is that of a blur s, moves the fit by 2 sqrt(pi) s d. The rings have one part
    # less than there are: the one that went into the move.
    count = len(_RINGS) - 1
    move = 2 * np.sqrt(np.pi) * tools.maker.blur * np.sqrt(count / (count - 1) * np.maximum(power, 0.0))
    return SharedFaults(yx, move)


def _odd_parts(tools: Instrument, state: SpotState) -> tuple[Floats, Floats]:
    """Dipoles (N, rings, 2) along y and x of what the model leaves over, in units of the amplitude, and the mean number
    of pixels in each ring."""
    y, x = ramp(tools.reach)
    limits = [share * tools.profile_radius + blurs * tools.maker.blur for share, blurs in _RINGS]
    odd, count = np.zeros((len(state), len(_RINGS) - 1, 2)), np.zeros(len(_RINGS) - 1)
    bank = tools.maker.bank(state.stretch, len(state), state.wider)
    for rows, windows, _, seen in looked_at(tools.image, state, bank):
        off = (state.yx[rows] - windows.middle).astype(np.float32)
        dy, dx = y - off[:, :1], x - off[:, 1:]
        far = np.hypot(dy, dx)
        relative = np.clip(seen[:, -1] / state.amplitude[rows, None], -_WILD, _WILD)
        for k, (low, high) in enumerate(pairwise(limits)):
            ring = (far >= low) & (far < high) & windows.usable
            share = ring / np.maximum(np.count_nonzero(ring, axis=1), 1)[:, None]
            for axis, along in enumerate((dy, dx)):
                odd[rows, k, axis] = 2 * _mean_along(relative, along / np.maximum(far, 1e-3), share)
            count[k] += np.count_nonzero(ring) / len(state)
    return odd, count


def _mean_along(values: AnyArray, along: AnyArray, share: AnyArray) -> Floats:
    return np.asarray((values * along * share).sum(axis=1), dtype=np.float64)
