"""What a cut does to the place of a hole, as whole holes beside it show that are looked at through the same cut.

No picture of a hole is right to the last: blur, halo and size go by the place, or are a hole's own. In a whole hole
what is wrong with it moves little, and all around alike; where a part is hidden it pulls to one side. How far, the
nearest whole holes tell: the same part of them is hidden, they are fitted once more, and what that makes of their
places is what the cut makes of any, as far as they agree.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np

from ..base.arrays import AnyArray, Bools, Floats
from ..base.geometry import tree_of
from .holes.learning import Instrument
from .holes.light import Light
from .holes.model import SpotState
from .holes.refinement import FittedSpots
from .holes.windows import PreparedImage, ramp

#: Whole holes that a cut is tried on, the nearest ones; and cut holes beside each other that tell how much more than
#: noise they show, and how much they differ.
_TUTORS, _AROUND = 3, 8
#: A hole is cut where more of its pixels than this share are hidden; it ends so many blurs outside of its radius.
_HIDDEN, _BLURS = 0.05, 2.0
#: Steps of a fit; and pixels that a hole may be carried on its way.
_STEPS, _WAY = 4, 2


def rehearsed(
    tools: Instrument, tutors: tuple[SpotState, FittedSpots, Bools, Light | None], fitted: FittedSpots, extra: Floats
) -> FittedSpots:
    """The fitted spots, those that are cut without what the cut has done to them, as far as it is known.

    Parameters
    ----------
    tutors : where fits began, what they found, which are whole holes that look as usual, and the light on them
    fitted : spots
    extra : (N, 2) how much gradient and ground they were allowed, see
        :func:`~pyfai_gridcal.finding.holes.refinement.fit_spots`
    """
    state, known, usual, light = tutors
    cut, whole = np.flatnonzero(fitted.good & _is_cut(tools, fitted.yx)), np.flatnonzero(usual)
    if not len(cut) or len(whole) < _TUTORS:
        return fitted
    near = whole[np.asarray(tree_of(known.yx[whole]).query(fitted.yx[cut], k=_TUTORS)[1]).ravel()]
    pupil, places = np.repeat(cut, _TUTORS), known.yx[near]
    start = replace(state.select(near), yx=places)
    if light is not None:
        start = start.lit(light.at(places), np.ones(len(near), bool))
    image, away = _through(tools.image, places, fitted.yx[pupil], tools.reach)
    again = replace(tools, image=image).fit(replace(start, yx=places + away), _STEPS, extra[pupil])
    move = np.where(again.good[:, None], again.yx - places - away, np.nan).reshape(-1, _TUTORS, 2)
    noise = np.maximum(again.position_variance - known.position_variance[near], 1e-12).reshape(-1, _TUTORS, 2)
    told = np.isfinite(move).all(axis=(1, 2))
    move, noise, cut = move[told], noise[told].mean(axis=1), cut[told]
    if not len(cut):
        return fitted
    return _corrected(fitted, cut, move, noise)


def _corrected(fitted: FittedSpots, cut: AnyArray, move: Floats, noise: Floats) -> FittedSpots:
    """The spots `cut` (C,) less what holes beside them moved by, (C, K, 2) px, whose variance is `noise` (C, 2)."""
    mean, chance = move.mean(axis=1), noise / move.shape[1]
    near = np.asarray(tree_of(fitted.yx[cut]).query(fitted.yx[cut], k=[*range(1, min(_AROUND, len(cut)) + 1)])[1])
    # how many times larger than noise what they have in common is, and what they have not
    shared = np.maximum((mean**2 / chance)[near].mean(axis=1) - 1, 0.0) * chance
    alone = np.maximum((move.var(axis=1, ddof=1) / noise)[near].mean(axis=1) - 1, 0.0) * noise
    share = shared / (shared + chance)
    yx, unsure = fitted.yx.copy(), fitted.unsure.copy()
    yx[cut] -= share * mean
    unsure[cut] += share * chance + alone
    return replace(fitted, yx=yx, unsure=unsure)


def _is_cut(tools: Instrument, yx: Floats) -> Bools:
    """(N,) whether a part of the hole is hidden."""
    end = tools.profile_radius + _BLURS * tools.maker.blur
    reach = min(int(np.ceil(end)), tools.image.pad - 1)
    out = ~tools.image.is_whole(yx, reach)
    inside = np.hypot(*ramp(reach)) <= end
    out[out] = tools.image.windows(yx[out], reach).usable[:, inside].mean(axis=1) < 1 - _HIDDEN
    return out


def _through(image: PreparedImage, tutors: Floats, pupils: Floats, reach: int) -> tuple[PreparedImage, Floats]:
    """The windows around holes (N, 2) px beside each other, as an image of which those pixels are hidden that are so
    around other holes (N, 2) px; and how far (N, 2) px each has been carried."""
    half = min(reach + _WAY, image.pad - 1)
    side, columns = 2 * half + 1, int(np.ceil(len(tutors) ** 0.5))
    middle = np.rint(tutors)
    own, other = image.windows(middle, half), image.windows(pupils - (tutors - middle), half)

    def laid(windows: AnyArray) -> AnyArray:
        rows = -(-len(windows) // columns)
        whole = np.zeros((rows * columns, side, side), windows.dtype)
        whole[: len(windows)] = windows.reshape(-1, side, side)
        side_by_side = whole.reshape(rows, columns, side, side).swapaxes(1, 2).reshape(rows * side, columns * side)
        return np.pad(side_by_side, image.pad)

    new = copy(image)
    new.data, new.usable, new.whole, new.saturated = laid(own.data), laid(own.usable & other.usable), False, None
    ny, nx = new.data.shape
    new.shape = (ny - 2 * image.pad, nx - 2 * image.pad)
    place = np.stack(np.divmod(np.arange(float(len(tutors))), columns), axis=1) * side + half
    return new, place - middle
