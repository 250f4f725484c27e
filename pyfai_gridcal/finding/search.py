"""The stages of a search for spots that fit: candidates, an instrument, a first look at all, a second one at the gaps.

Candidates with their lattice (:class:`Found`) know where holes may be. The instrument
(:class:`~pyfai_gridcal.finding.learning.Instrument`) knows besides what a hole looks like and how pixels scatter. The
first look (:class:`FirstLook`) knows besides where each hole is and how the light goes. The second one
(:func:`completed`) knows where holes are missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from ..base.arrays import Bools, Floats, with_rows
from ..base.errors import IndexingError
from ..indexing.indexing import GrownLattice, grow_lattice
from ..indexing.prediction import away_from, missing_nodes, predicted
from ..records.plate import LatticeKind
from ..records.points import ControlPoints
from ..records.spots import Noise, Spots
from .learning import Instrument, hole_radius, learn
from .light import light_of
from .model import SpotState, start_from, stretched
from .picking import Candidates
from .profile import TemplateMaker, window_reach
from .refinement import FittedSpots
from .selection import SIGNIFICANT, chosen, oddity, usual_misfit
from .survey import HoleGuess
from .windows import PreparedImage

#: Gradient of the light (relative, per px) that is allowed for when nothing is known of it.
_FREE_TILT = 0.05
#: Spots that tell how large such gradients are: their scatter is then known to five per cent.
_TILT_SAMPLE = 250
#: Pixels nearer to the border than so many blurs are not used: a twentieth of their light, and more, falls outside.
_RIM_BLURS = 1.6
#: The gradient is fitted when leaving it out would move spots by so many of their sigma: 0.3 makes 4 % of the error.
_TILTED = 0.3
#: Fewest spots that tell of the light: it takes a plane, and some more for the scatter.
_LEAST_LIT = 9
#: Rounds outwards from what is known: gaps of more than eight holes are left to be gaps.
_ROUNDS = 4
#: A predicted spot must have such a share of its neighbours' amplitude: half blocked holes have more.
_FAINT = 0.2
#: Farthest that a spot may lie from its predicted place, in pitches, and least distance from any other, in spacings.
_FARTHEST, _AWAY = 0.2, 0.4
#: Least share of the pixels of a hole that must be usable: of less, an edge alone is seen.
_SEEN = 0.3


@dataclass(frozen=True, eq=False)
class Found:
    """What the search starts from: a guess about the holes, candidates, and their nodes where they form a lattice."""

    guess: HoleGuess
    candidates: Candidates
    points: ControlPoints | None


@dataclass(frozen=True, eq=False)
class FirstLook:
    """All candidates fitted.

    Attributes
    ----------
    state : where the last fit began: the light of the neighbours, the stretch of the lattice
    fitted : what it found
    good : (N,) spots that tell about the light
    tilt : how far the gradient of the light at single spots differs from what the neighbours say; None: not fitted
    stretch_error : of the stretch of a hole, relative
    """

    state: SpotState
    fitted: FittedSpots
    good: Bools
    tilt: float | None
    stretch_error: float


def instrument_of(
    image: PreparedImage, found: Found, noise: Noise | None, workers: int
) -> tuple[Instrument, SpotState, float]:
    """What the candidates teach: size, stretch and picture of the holes, noise of the pixels.

    Returns
    -------
    the instrument, the candidates ready to be fitted with it, and the relative error of their stretches
    """
    yx = found.candidates.yx
    # the mean picture of the strong ones tells the size, that the windows
    spacing = _spacing(yx)
    strong = yx[np.argsort(-found.candidates.relative, kind="stable")]
    radius = hole_radius(image, strong, found.guess.radius_px, spacing)
    reach = min(window_reach(radius, spacing), image.pad - 1)
    # the lattice tells how the holes are stretched against their mean
    state = start_from(image, yx, reach, radius)
    state, stretch_error = stretched(state, found.points, image, reach=reach, radius=radius)
    # with both, the pixels tell the profile, and the profile the noise
    limit = max(1.5, 0.6 * radius)
    learned = learn(image, state, reach=reach, radius=radius, spacing=spacing, limit=limit, workers=workers)
    basis = None if found.points is None else found.points.basis_px
    learned = replace(learned, profile=replace(learned.profile, basis_px=basis), noise=noise or learned.noise)
    maker = TemplateMaker(learned.profile, reach, workers=workers)
    image.leave_out_rim(int(_RIM_BLURS * maker.blur))
    return Instrument(image, found.points, spacing, radius, reach, limit, learned, maker, workers), state, stretch_error


def look_at(tools: Instrument, state: SpotState, stretch_error: float) -> FirstLook:
    """Fit all candidates, once without knowing the light and once with what the first fits say of it."""
    fitted = tools.fit(state, 4)
    whole = tools.image.is_whole(fitted.yx, tools.reach)
    # half shadowed spots know nothing about the light, and would spread that to their neighbours
    fitted, plain = _plain(tools, state, fitted, fitted.good & whole)
    state = _continued(tools, state, fitted)
    good = plain if plain.sum() >= _LEAST_LIT else fitted.good & whole
    if good.sum() < _LEAST_LIT:
        return FirstLook(state, fitted, good, None, stretch_error)
    # the light as the good ones see it, the stretch as their places tell it, and its gradient where that matters
    state = _lit(tools, state, fitted, good, ~whole)
    if tools.points is not None:
        where = state.yx[tools.points.spot]
        rim = tools.maker.stretcher.radius
        state, stretch_error = stretched(
            state, tools.points, tools.image, reach=tools.reach, radius=tools.radius, rim=rim, places=where
        )
    tilt = _tilt(tools, state, good)
    return FirstLook(state, tools.fit(state, 4, tilt), good, tilt, stretch_error)


def _lit(tools: Instrument, state: SpotState, fitted: FittedSpots, good: Bools, lean: Bools) -> SpotState:
    """The spots in the light that the good ones among the fitted see; those that `lean` (N,) begin with its level."""
    light = light_of(
        fitted.yx[good],
        fitted.amplitude[good],
        fitted.background[good],
        at=state.yx,
        spacing=tools.spacing,
        polarity=tools.image.polarity,
    )
    return replace(
        state.lit(light, lean),
        amplitude=np.where(lean, light.amplitude, state.amplitude),
        background=np.where(lean, light.background, state.background),
    )


def _plain(tools: Instrument, state: SpotState, fitted: FittedSpots, good: Bools) -> tuple[FittedSpots, Bools]:
    """What was found, and those of the good spots (N,) that look as usual.

    Where the light falls off steeply whole regions look odd as long as that is not known, so odd ones are looked at
    once more with a gradient of their own.
    """
    plain = good & (oddity(tools, fitted) == 0)
    odd = np.flatnonzero(good & ~plain)
    if not len(odd):
        return fitted, plain
    again = tools.fit(state.select(odd), 4, _FREE_TILT)
    clear = again.good & (oddity(tools, again, usual_misfit(tools, fitted)) == 0)
    plain[odd[clear]] = True
    found = {name: getattr(again, name)[clear] for name in ("yx", "amplitude", "background")}
    return with_rows(fitted, odd[clear], found), plain


def _continued(tools: Instrument, state: SpotState, fitted: FittedSpots) -> SpotState:
    """Go on from what was fitted; spots that ran away start anew, cut ones where their neighbours say."""
    amplitude = np.where(fitted.good, fitted.amplitude, state.amplitude)
    background = np.where(fitted.good, fitted.background, state.background)
    yx = np.where(fitted.good[:, None], fitted.yx, state.yx)
    if tools.points is not None and len(tools.points) >= 20:
        rows = tools.points.spot
        whole = tools.image.is_whole(yx[rows], tools.reach) & fitted.good[rows]
        cut = np.flatnonzero(~whole)
        if whole.sum() >= 12 and len(cut):
            places = predicted(tools.points.ij[whole], yx[rows][whole], tools.points.ij[cut])
            close = np.hypot(*(places - yx[rows[cut]]).T) < max(3.0, 0.3 * tools.spacing)
            yx[rows[cut[close]]] = places[close]
    return replace(state, yx=yx, amplitude=amplitude, background=background)


def _tilt(tools: Instrument, state: SpotState, good: Bools) -> float | None:
    """How far the gradient of the light at single spots differs from what the neighbours say, relative per px.

    None when leaving it out moves no spot by a good part of its sigma: then fitting it would only cost precision.
    """
    rows = np.flatnonzero(good)
    some = state.select(rows[np.linspace(0, len(rows) - 1, min(len(rows), _TILT_SAMPLE)).astype(int)])
    free, fixed = tools.fit(some, 2, _FREE_TILT), tools.fit(some, 2)
    variance = np.abs(np.einsum("nii->ni", free.covariance))
    beyond = _excess(free.tilt, variance[:, 4:])
    known = np.abs(np.einsum("nii->ni", fixed.covariance)[:, :2])
    # what a richer model moves beyond the precision that it costs is the error of the poorer one
    error = _excess(free.yx - fixed.yx, np.maximum(variance[:, :2] - known, 0))
    return beyond if beyond > 0 and error > _TILTED * float(np.sqrt(np.median(known))) else None


def _excess(values: Floats, variance: Floats) -> float:
    """Scatter of `values` beyond what their own `variance` explains; robust."""
    # 0.6745 is the upper quartile of the normal distribution
    scatter = float(np.median(np.abs(values))) / 0.6745
    return float(np.sqrt(max(scatter**2 - float(np.median(variance)), 0.0)))


def _spacing(yx: Floats) -> float:
    """Distance that most spots have at least to their nearest neighbour, px."""
    if len(yx) < 2:
        return float("inf")
    distance = np.asarray(cKDTree(yx).query(yx, k=2)[0])
    return float(np.quantile(distance[:, 1], 0.25))


def completed(
    tools: Instrument, look: FirstLook, spots: Spots, usual: float, lattice: LatticeKind
) -> tuple[Spots, GrownLattice | None]:
    """Add spots at nodes that have neighbours but no spot, in a few rounds outwards.

    Parameters
    ----------
    spots : of the first look
    usual : sigma that most of them have, px

    Returns
    -------
    all spots, and their lattice; None where the last round has added some or there is none
    """
    for _ in range(_ROUNDS):
        try:
            grown = grow_lattice(spots, lattice)
        except IndexingError:
            return spots, None
        points = grown.points(spots)
        if len(points) < 12:
            return spots, grown
        places = predicted(points.ij, points.yx, missing_nodes(points.ij))
        near = ((places > -0.4) & (places < np.array(tools.image.shape) - 0.6)).all(axis=1)
        near &= away_from(places, spots.yx, _AWAY * tools.spacing)
        near &= tools.image.windows(places, max(1, int(tools.profile_radius))).usable.mean(axis=1) > _SEEN
        if not near.any():
            return spots, grown
        more = refine_at(tools, look, places[near], _FARTHEST * min(points.pitch_px), usual)
        if not len(more):
            return spots, grown
        spots = spots.joined(more)
    return spots, None


def refine_at(tools: Instrument, look: FirstLook, places: Floats, farthest: float, usual: float) -> Spots:
    """Fit spots at predicted places (N, 2); those that are there, near enough and strong enough are returned."""
    # what a hole looks like there, and the light on it, is what the first look knows of the nearest spots
    start = start_from(tools.image, places, tools.reach, tools.profile_radius)
    near = look.state.select(np.asarray(cKDTree(look.state.yx).query(places)[1]))
    start = replace(start, stretch=near.stretch, bend=near.bend)
    whole = tools.image.is_whole(places, tools.reach)
    if look.good.sum() >= _LEAST_LIT:
        start = _lit(tools, start, look.fitted, look.good, ~whole)
    fitted = tools.fit(start, 5, look.tilt)
    typical = np.median(look.fitted.amplitude[look.good]) if look.good.any() else 0.0
    local = start.prior[:, 0] if start.prior is not None else np.full(len(places), typical)
    # a prior on the amplitude would make every empty place look like a spot: judge cut ones by a fit without it
    alone = tools.fit(replace(start, prior=None), 3) if (~whole).any() else fitted
    own = np.where(whole, fitted.amplitude, alone.amplitude)
    error = np.sqrt(np.maximum(np.where(whole, fitted.covariance[:, 2, 2], alone.covariance[:, 2, 2]), 1e-30))
    there = (own > _FAINT * local) & (own > SIGNIFICANT * error)
    there |= ~whole & (fitted.chi2 < 1.5) & (own > 0.5 * local) & (own > 2 * error)
    there &= np.hypot(*(fitted.yx - places).T) < farthest
    return chosen(tools, fitted, stretch_error=look.stretch_error, usual=usual, there=there)[0]
