"""Which of the fitted spots are holes, and how well their places are known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..base.arrays import AnyArray, Bools, Floats, every, largest_of
from ..base.errors import PickingError
from ..base.geometry import tree_of
from ..records.spots import SpotFlag, Spots
from .faults import SharedFaults
from .holes.learning import STEPS, Instrument
from .holes.refinement import TOLERANCE, FittedSpots
from .holes.windows import ramp

#: A fitted spot must have an amplitude of so many sigma: of a million empty places none has it by chance.
SIGNIFICANT = 5.0
#: What looks less like the learned profile than this (rms over amplitude, beyond the noise) is no hole.
UNLIKE = 0.25
#: A place that rests so much more on what is assumed of the hole than on what is seen of it is none that was measured.
_ASSUMED = 2.5
#: A place that is known so many times worse than most would count for nothing, a 3600th, in any fit.
_WORTHLESS = 60.0
#: A misfit is out of the common when it is this large and so many times that of most spots.
_ODD, _TIMES = 0.02, 3.0
#: The same for holes that are cut, of which no second half makes up for it: a tenth of a pixel in a radius of 30.
_ODD_CUT, _TIMES_CUT = 0.003, 1.5
#: A chi square is out of the common when it is so many times its own scatter above one.
_SCATTER = 4.0
#: Neighbours are at most so many spacings away.
_NEAR = 1.6
#: Where more than this share of the spots is off by the model, the model is what is wrong, and none is left out for it.
_FEW = 0.4
#: Fewest whole spots whose median is that of most.
_ENOUGH = 9
#: Relative error of the radius that a hole is expected to have: 2 µm of half a millimetre.
_RADIUS_ERROR = 0.004
#: Part of the blur (its variance) that may lie behind what makes the light uneven: none to all, 1 / sqrt(12).
_BEHIND = 0.29
#: Light is steep where it changes by more than this share over the radius of a hole.
_STEEP = 0.04
#: Two spots nearer than this share of the spacing are one.
_ONE = 0.35


@dataclass(frozen=True, eq=False)
class Usual:
    """What is usual among the spots of an image: the first look at all of them tells, single ones are judged by it.

    Attributes
    ----------
    misfit : that of most whole spots, in units of the amplitude
    stretch_error : of the stretch of a hole, relative
    faults : of their picture that neighbours share; None where they do not tell
    sigma : that most spots have, px; infinite as long as that is not known
    """

    misfit: float = 0.0
    stretch_error: float = 0.0
    faults: SharedFaults | None = None
    sigma: float = float("inf")


def chosen(tools: Instrument, fitted: FittedSpots, usual: Usual, *, there: Bools | None = None) -> tuple[Spots, Usual]:
    """The fitted spots that are holes.

    Parameters
    ----------
    usual : what most spots are like
    there : (N,) which may be taken at all; with it the spots count as predicted, and there need be none

    Returns
    -------
    the spots, and what is usual with the sigma that most of them have, where that was not known

    Raises
    ------
    PickingError
        Nothing looks like a hole.
    """
    yx, image = fitted.yx, tools.image
    top = np.array(image.shape) - 0.5
    sigma, shared, measured = _sigma(tools, fitted, usual, all_of_them=there is None)
    largest = largest_of(sigma)
    # what is a hole: strong, like the profile, inside the image, known as well as the others
    strength = fitted.amplitude / np.sqrt(np.maximum(fitted.covariance[:, 2, 2], 1e-30))
    keep = fitted.good & measured & (strength > SIGNIFICANT) & (largest < 0.4 * max(tools.profile_radius, 1.0))
    keep &= _misfit(tools, fitted) < UNLIKE
    if not np.isfinite(usual.sigma) and keep.any():
        usual = replace(usual, sigma=float(np.median(largest[keep])))
    keep &= (largest < _WORTHLESS * usual.sigma) & every((yx > -0.5) & (yx < top))
    if there is not None:
        keep &= there
    elif not keep.any():
        raise PickingError("no candidate looks like a hole", hint="check --polarity and --hole")
    rows = np.flatnonzero(keep)
    rows = rows[_distinct(yx[rows], fitted.chi2[rows], _ONE * tools.spacing)]
    spots = Spots(
        yx[rows],
        sigma[rows],
        fitted.amplitude[rows],
        (image.sign * fitted.background)[rows],
        fitted.chi2[rows],
        _flags(tools, fitted, predicted=there is not None)[rows],
        image.polarity,
        2 * tools.profile_radius,
        tools.learned.noise,
        tools.learned.profile,
        None if shared is None else shared[rows],
    )
    return spots, usual


def _sigma(
    tools: Instrument, fitted: FittedSpots, usual: Usual, *, all_of_them: bool
) -> tuple[Floats, Floats | None, Bools]:
    """Uncertainty (N, 2) of the places, px, without what neighbours share, that (N, 2), and which of them (N,) were
    measured rather than assumed."""
    # a chi square beyond its own scatter means that the model is wrong there, and the position less sure than
    # counted
    counted = np.sqrt(fitted.position_variance) * tools.learned.grain * np.sqrt(np.maximum(fitted.chi2, 1.0))[:, None]
    if fitted.good.any() and tools.learned.rims > STEPS * np.median(counted[fitted.good]):
        counted = np.maximum(counted, tools.learned.rims)
    # of a hole of which one side is seen, the rest is assumed
    assumed = _one_sided(tools, fitted.yx, usual)
    seen = np.hypot(counted, assumed)
    # whatever covers a part of the hole may move its middle by as much of its radius; and light is no exponential
    # where it ends within a hole: the third order moves it by an eighth of the cube
    slope = np.hypot(*fitted.slope.T)
    steep = tools.profile_radius * slope
    odd = oddity(tools, fitted, usual.misfit, strict=steep > _STEEP)
    own = tools.profile_radius * np.hypot(odd, steep**3 / 8)
    # and a blur behind the place where the light ends moves a picture by its square times the slope
    own = np.hypot(own, _BEHIND * tools.maker.blur**2 * slope)
    yx = fitted.yx
    shared = None if usual.faults is None else usual.faults.at(yx)
    wrong = own if shared is None else np.hypot(own, shared.max(axis=1))
    measured = every(assumed < _ASSUMED * counted) & (steep < 1.0)
    # What is wrong with the model is wrong in the same way at the neighbours, and no sigma of single spots makes up for
    # that; but where most are so, there is nothing else.
    limit = _ASSUMED * np.hypot(largest_of(seen), 0.0 if usual.faults is None else usual.faults.usual)
    off = wrong > limit
    if not all_of_them or np.count_nonzero(off & fitted.good) < _FEW * max(int(fitted.good.sum()), 1):
        # a whole one that is odd among others that are not counts for little, and moves nothing that they hold
        lone = all_of_them & tools.image.is_whole(yx, tools.reach) & ~_crowded(yx, off, _NEAR * tools.spacing)
        if shared is not None:
            lone &= shared.max(axis=1) <= limit
        measured &= ~off | lone
    # nor does what neighbours share of that become smaller by their number
    if usual.faults is not None:
        beyond = counted * np.sqrt(1 - 1 / np.maximum(fitted.chi2, 1.0))[:, None]
        shared = usual.faults.at(yx, np.hypot(beyond, own[:, None]))
    # nor what is expected of the light
    if fitted.assumed.any():
        shared = np.sqrt(fitted.assumed + (0.0 if shared is None else shared**2))
    return np.sqrt(seen**2 + own[:, None] ** 2 + fitted.unsure), shared, np.asarray(measured)


def _crowded(yx: Floats, off: Bools, far: float) -> Bools:
    """(N,) which of those that are `off` (N,) have another one nearer than `far` px."""
    out = off.copy()
    if off.any():
        # the nearest of those that are off is the spot itself
        out[off] = np.asarray(tree_of(yx[off]).query(yx[off], k=[2], distance_upper_bound=far)[0])[:, 0] < np.inf
    return out


def _flags(tools: Instrument, fitted: FittedSpots, *, predicted: bool) -> AnyArray:
    """(N,) bits of :class:`SpotFlag`."""
    at, reach, image = np.rint(fitted.yx), tools.reach, tools.image
    border = ((at < reach) | (at > np.array(image.shape) - 1 - reach)).any(axis=1)
    saturated = image.touches_saturation(fitted.yx, reach)
    masked = ~image.is_whole(fitted.yx, reach) & ~border & ~saturated
    bits = np.full(len(at), SpotFlag.PREDICTED if predicted else 0, np.uint8)
    for flag, where in (
        (SpotFlag.BORDER, border),
        (SpotFlag.MASKED, masked),
        (SpotFlag.SATURATED, saturated),
        (SpotFlag.CLIPPED, fitted.lost > 0),
    ):
        bits |= np.where(where, flag, 0).astype(np.uint8)
    return bits


def _one_sided(tools: Instrument, yx: Floats, usual: Usual) -> Floats:
    """Error (N, 2) px that the unknown true radius and stretch make at least where only one side of a hole is seen.

    A wrong radius moves the spot towards the side that is seen, a wrong shear across it as well.
    """
    radius = tools.profile_radius
    reach = max(1, int(np.ceil(radius + 1)))
    y, x = ramp(reach)
    inside = np.hypot(y, x) <= radius + 1
    usable = tools.image.windows(yx, reach).usable[:, inside]
    count = np.maximum(usable.sum(axis=1), 1)
    lean = np.stack([np.abs((usable * o[inside]).sum(axis=1)) / count for o in (y, x)], axis=1)
    lean = np.minimum(lean, 0.5 * radius)
    return 2 * np.hypot((_RADIUS_ERROR + usual.stretch_error) * lean, usual.stretch_error * lean[:, ::-1])


def _misfit(tools: Instrument, fitted: FittedSpots) -> Floats:
    """(N,) rms of what a fit leaves over beyond the noise, in units of the amplitude."""
    return np.sqrt(np.maximum(fitted.chi2 - 1, 0)) * _noise(tools, fitted)


def _noise(tools: Instrument, fitted: FittedSpots) -> Floats:
    """(N,) noise at half height, in units of the amplitude."""
    level = tools.image.sign * (fitted.background + 0.5 * fitted.amplitude)
    return np.asarray(np.sqrt(tools.learned.noise.variance(level)) / np.maximum(fitted.amplitude, 1e-9))


def left_over(tools: Instrument, fitted: FittedSpots) -> Floats:
    """(N,) square of the misfit, in units of the amplitude, with what the pixels that were left out were off by."""
    return np.asarray(_misfit(tools, fitted) ** 2 + TOLERANCE**2 * fitted.lost)


def usual_misfit(tools: Instrument, fitted: FittedSpots, whole: Bools) -> float:
    """Misfit of most spots, in units of the amplitude: of the whole (N,) good ones, where there are any."""
    some = fitted.good & whole if (fitted.good & whole).sum() >= _ENOUGH else fitted.good
    return float(np.median(_misfit(tools, fitted)[some])) if some.any() else 0.0


def oddity(tools: Instrument, fitted: FittedSpots, usual: float, *, strict: Bools | bool = False) -> Floats:
    """(N,) misfit of the spots beyond the `usual` one, in units of the amplitude; 0 for the usual ones.

    Pixels that were left out were off by at least what a wild one is. Of a hole that is cut, whatever is off is on one
    side, and of a hole at the knee of a shadow, too: of these (`strict`) less is usual.
    """
    whole = tools.image.is_whole(fitted.yx, tools.reach) & ~np.asarray(strict)
    # half a window tells its chi square to that, by chance
    chance = _noise(tools, fitted) * np.sqrt(_SCATTER * 2 / (2 * tools.reach + 1))
    floor = np.where(whole, max(_ODD, _TIMES * usual), np.maximum(chance, max(_ODD_CUT, _TIMES_CUT * usual)))
    beyond = _misfit(tools, fitted) ** 2 + np.where(whole, TOLERANCE**2 * fitted.lost, 0.0) - floor**2
    lost = np.where(whole, 0.0, TOLERANCE**2 * fitted.lost - _ODD**2)
    return np.asarray(np.sqrt(np.maximum(beyond, 0.0) + np.maximum(lost, 0.0)))


def _distinct(yx: Floats, chi2: Floats, least: float) -> AnyArray:
    """Rows that stay when of two spots closer than `least` px the worse one goes."""
    pairs = tree_of(yx).query_pairs(least, output_type="ndarray") if len(yx) > 1 else np.empty((0, 2), int)
    keep = np.ones(len(yx), bool)
    keep[np.where(chi2[pairs[:, 0]] > chi2[pairs[:, 1]], pairs[:, 0], pairs[:, 1])] = False
    return np.flatnonzero(keep)
