"""The stages of a search for spots that fit: candidates, an instrument, a first look at all, a second one at the gaps.

Candidates with their lattice (:class:`Found`) know where holes may be. The instrument
(:class:`~pyfai_gridcal.finding.holes.learning.Instrument`) knows besides what a hole looks like and how pixels
scatter. The first look (:class:`FirstLook`) knows besides where each hole is and how the light goes. The second one
(:func:`completed`) knows where holes are missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..base.arrays import Bools, Floats, largest_of, select_rows, with_rows
from ..base.errors import IndexingError
from ..base.geometry import tree_of
from ..indexing.indexing import GrownLattice, grow_lattice, index_spots
from ..indexing.prediction import away_from, missing_nodes, predicted
from ..indexing.regularity import regularity_of
from ..records.plate import LatticeKind
from ..records.points import ControlPoints
from ..records.spots import Noise, Spots
from .faults import learn_faults
from .holes.learning import Instrument, hole_radius, learn
from .holes.light import Light, LocalLight, light_of
from .holes.model import SpotState, start_from, stretched
from .holes.profile import window_reach
from .holes.refinement import NEAR, FittedSpots, renew
from .holes.sizes import HoleSizes, by_their_rims, learn_sizes
from .holes.templates import TemplateMaker
from .holes.windows import PreparedImage
from .picking import Candidates
from .rehearsal import rehearsed
from .selection import SIGNIFICANT, UNLIKE, Usual, chosen, left_over, oddity, usual_misfit
from .survey import HoleGuess
from .tilts import ANY_GROUND, FREE_TILT, LocalTilts, dimmed, learn_tilts, shading, unsure_slopes, with_slopes_assumed

#: Holes have no neighbour nearer than so many pitches, those of the next nodes aside, which no optics squeezes more
#: than to the first; points of a lattice, and their share, that are enough without those that have.
_SQUEEZED, _ALONE, _LONE, _MOSTLY = 0.4, 0.6, 20, 0.3
#: Points that lie off the middle of their neighbours by less than this, in pitches, are a lattice for certain.
REGULAR = 0.08
#: Pixels nearer to the border than so many blurs are not used: a twentieth of their light, and more, falls outside.
_RIM_BLURS = 1.6
#: Fewest spots that tell of the light: it takes a plane, and some more for the scatter.
_LEAST_LIT = 9
#: So many spots tell how far apart all are.
_ASKED = 5000
#: Fewest spots without a wild pixel that may stand for all, and spots that tell the noise well enough.
_CALM, _NOISE = 40, 400
#: So many spots tell where light has gradients of its own; and those whose brightness is off by so many times what is
#: usual, of a normal noise one in four hundred, with all that are at most so many spacings away.
_TELLING, _STRANGE, _AROUND = 15000, 3.0, 2.5
#: Rounds outwards from what is known: gaps of more than eight holes are left to be gaps.
_ROUNDS = 4
#: A predicted spot must have such a share of its neighbours' amplitude: half blocked holes have more.
_FAINT = 0.2
#: Farthest that a spot may lie from its predicted place, in pitches, and least distance from any other, in spacings.
_FARTHEST, _AWAY = 0.2, 0.4
#: Least share of the pixels of a hole that must be usable: of less, an edge alone is seen.
_SEEN = 0.3
#: Holes have a middle apart from their rims from such a radius on, in blurs.
_RIMS_APART = 6.0
#: What leaving out the middle must leave of the square of the misfit at most, if that is where a hole differs.
_IN_THE_RIM = 0.2
#: Marks stand in at most this share of the holes; of two kinds in turns, a quarter at least is of the other kind.
_MARKED = 0.15


@dataclass(frozen=True, eq=False)
class Found:
    """What the search starts from: a guess about the holes, candidates, and their nodes where they form a lattice."""

    guess: HoleGuess
    candidates: Candidates
    points: ControlPoints | None

    def without_crowds(self, lattice: LatticeKind = "auto", aspect: float = 1.0) -> Found:
        """Without candidates that have another one between themselves and the next nodes, as those in a row along the
        rim of a plate have: a hole among them is looked for again where holes are missing. A second lattice stays."""
        points, yx = self.points, self.candidates.yx
        if points is None or len(yx) < 2:
            return self
        near = np.asarray(tree_of(yx).query(yx, k=[2], workers=2))[..., 0]
        node = np.full((len(yx), 2), np.nan)
        node[points.spot] = points.ij
        # neighbours on the lattice may lie as near as the field squeezes them
        beside = largest_of(node[near[1].astype(int)] - node) <= 1
        alone = near[0] > np.where(beside, _SQUEEZED, _ALONE) * min(points.pitch_px)
        kept = alone[points.spot]
        if kept.sum() < max(_LONE, _MOSTLY * len(points)):
            return self
        others = self.candidates.select(np.delete(np.arange(len(yx)), points.spot))
        second = regularity_of(lattice_of(others, lattice, aspect) if len(others) >= _LONE else None, len(others))
        if second.share > 0.5 and second.irregularity < REGULAR:
            return self
        left = points.select(kept)
        left = replace(left, spot=(np.cumsum(alone) - 1)[left.spot])
        return Found(self.guess, self.candidates.select(alone), left)


def lattice_of(candidates: Candidates, lattice: LatticeKind, aspect: float) -> ControlPoints | None:
    """Candidates with their nodes; a hint that contradicts the image is for :func:`index_spots` to complain about."""
    if len(candidates) < 4:
        return None
    spots = Spots.from_positions(candidates.yx)
    kinds: tuple[LatticeKind, ...] = (lattice,) if lattice == "auto" else (lattice, "auto")
    for kind in kinds:
        try:
            return index_spots(spots, lattice=kind, sieve=False, aspect=aspect)
        except IndexingError:
            continue
    return None


@dataclass(frozen=True, eq=False)
class FirstLook:
    """All candidates fitted.

    Attributes
    ----------
    tools : the instrument, which knows the noise and the dark level better now
    state : where the last fit began: the light of the neighbours, the stretch of the lattice, the size of the holes
    fitted : what it found
    good : (N,) spots that tell about the light
    light : what they tell; None: too few
    tilts : how far the gradient of the light at single spots differs from what the neighbours say; None: too few
    usual : what most spots are like
    stretch : (N, 2, 2) as the lattice tells it, without the size of the holes
    sizes : size and blur of the holes by place; None where they are alike, or do not tell
    """

    tools: Instrument
    state: SpotState
    fitted: FittedSpots
    good: Bools
    light: Light | None
    tilts: LocalTilts | None
    usual: Usual
    stretch: Floats | None
    sizes: HoleSizes | None = None

    @property
    def tutors(self) -> tuple[SpotState, FittedSpots, Bools, Light | None]:
        """The spots that tell what a cut does to others; see :func:`~pyfai_gridcal.finding.rehearsal.rehearsed`."""
        return self.state, self.fitted, self.good & self.fitted.good, self.light


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
    spacing = spacing_of(yx)
    strong = found.candidates.strong_first
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
    maker = TemplateMaker(learned.profile, reach, unsure=stretch_error, workers=workers)
    image.leave_out_rim(int(_RIM_BLURS * maker.blur))
    return Instrument(image, found.points, spacing, radius, reach, limit, learned, maker, workers), state, stretch_error


def look_at(tools: Instrument, state: SpotState, stretch_error: float) -> FirstLook:
    """Fit all candidates, once without knowing the light and once with what the first fits say of it."""
    fitted = tools.fit(state, 4)
    whole = tools.image.is_whole(fitted.yx, tools.reach)
    usual = Usual(usual_misfit(tools, fitted, whole), stretch_error)
    # half shadowed spots know nothing about the light, and would spread that to their neighbours
    fitted, plain = _plain(tools, state, fitted, fitted.good & whole, usual.misfit)
    state = _continued(tools, state, fitted)
    good = plain if plain.sum() >= _LEAST_LIT else fitted.good & whole
    if good.sum() < _LEAST_LIT:
        return FirstLook(tools, state, fitted, good, None, None, usual, state.stretch)
    # the light as the good ones see it, the stretch as their places tell it
    light = _light_of(tools, fitted, good)
    state, tools, expected = _lit(tools, state, light, ~whole)
    if tools.points is not None:
        rows, sure = tools.points.spot, fitted.good & (left_over(tools, fitted) < UNLIKE**2)
        state, stretch_error = stretched(
            state,
            tools.points,
            tools.image,
            reach=tools.reach,
            radius=tools.radius,
            rim=tools.maker.stretcher.radius,
            places=state.yx[rows],
            sure=sure[rows],
        )
    plain_stretch = state.stretch
    # size and blur of the holes by place; with these, pixels scatter less
    calm = good & (fitted.lost == 0)
    sizes = learn_sizes(tools, state, calm if calm.sum() >= _CALM else good)
    if sizes is not None:
        state = sizes.given_to(state)
        tools = tools.listening(state.select(np.flatnonzero(good)[:: int(good.sum()) // _NOISE + 1]))
        # holes that are larger than they were thought to be were taken for brighter ones
        fitted = tools.fit(state, 4)
        light = _light_of(tools, fitted, good & fitted.good)
        state, tools, expected = _lit(tools, _continued(tools, state, fitted), light, ~whole)
    # and the gradient of the light where that matters: of many spots some tell of it; and all around those that are not
    # as bright as all, for that is light where neighbours share it
    clear = fitted.good & whole
    strange = np.abs(fitted.amplitude - expected.amplitude) > _STRANGE * expected.amplitude_sigma
    strange |= oddity(tools, fitted, usual.misfit) > 0
    asked = clear & ~away_from(state.yx, state.yx[clear & strange], _AROUND * tools.spacing)
    apart = int(clear.sum()) // _TELLING + 1
    asked[np.flatnonzero(clear)[::apart]] = True
    tilts, stepped, there = learn_tilts(tools, state, asked, usual.misfit, tools.spacing * float(np.sqrt(apart)))
    if stepped is not None:
        fitted = with_rows(fitted, np.flatnonzero(asked), vars(stepped))
    tilt = np.zeros((len(state), 2)) if tilts is None else tilts.at(state.yx, ~whole)
    unsure = unsure_slopes(tools, expected, fitted)
    tilt[:, 0] = np.maximum(tilt[:, 0], unsure)
    # those that have a plain place, and came to it by the way, stay there
    renew(fitted, ~there | tilt.any(axis=1), lambda rows: tools.fit(state.select(rows), 4, tilt[rows]))
    fitted = with_slopes_assumed(fitted, unsure, tilt[:, 0])
    faults = learn_faults(tools, state, fitted, good)
    usual = Usual(usual_misfit(tools, fitted, good), stretch_error, faults)
    fitted = replace(fitted, unsure=fitted.unsure + dimmed(tools, fitted, expected, whole, _STRANGE)[:, None] ** 2)
    look = FirstLook(tools, state, fitted, good, light, tilts, usual, plain_stretch, sizes)
    return replace(look, fitted=rehearsed(tools, look.tutors, fitted, tilt))


def _light_of(tools: Instrument, fitted: FittedSpots, good: Bools) -> Light:
    """The light that the good ones among the fitted spots see."""
    told = fitted.yx[good], fitted.amplitude[good], fitted.background[good]
    return light_of(*told, spacing=tools.spacing, polarity=tools.image.polarity)


def _lit(tools: Instrument, state: SpotState, light: Light, lean: Bools) -> tuple[SpotState, Instrument, LocalLight]:
    """The spots in this light, those that `lean` (N,) beginning with its level; the instrument that knows the dark;
    and the light on each."""
    here = light.at(state.yx)
    state = replace(
        state.lit(here, lean),
        amplitude=np.where(lean, here.amplitude, state.amplitude),
        background=np.where(lean, here.background, state.background),
    )
    return state, replace(tools, dark=here.dark), here


def _plain(
    tools: Instrument, state: SpotState, fitted: FittedSpots, good: Bools, usual: float
) -> tuple[FittedSpots, Bools]:
    """What was found, and those of the good spots (N,) that look as usual.

    Where the light falls off steeply whole regions look odd as long as that is not known, so odd ones are looked at
    once more with a gradient of their own.
    """
    plain = good & (oddity(tools, fitted, usual) == 0)
    odd = np.flatnonzero(good & ~plain)
    if not len(odd):
        return fitted, plain
    again = tools.fit(state.select(odd), 4, (FREE_TILT, ANY_GROUND))
    clear = again.good & (oddity(tools, again, usual) == 0)
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


def spacing_of(yx: Floats) -> float:
    """Distance that most spots have at least to their nearest neighbour, px."""
    if len(yx) < 2:
        return float("inf")
    distance = np.asarray(tree_of(yx).query(yx[:: len(yx) // _ASKED + 1], k=2)[0])
    return float(np.quantile(distance[:, 1], 0.25))


def completed(
    look: FirstLook, spots: Spots, usual: Usual, lattice: LatticeKind, aspect: float = 1.0
) -> tuple[Spots, GrownLattice | None]:
    """Add spots at nodes that have neighbours but no spot, in a few rounds outwards.

    Parameters
    ----------
    spots : of the first look
    usual : what most of them are like
    aspect : of a pixel, slow over fast

    Returns
    -------
    all spots, and their lattice; None where there is none
    """
    tools, grown = look.tools, _handed_on(look, spots, lattice, aspect)
    asked: list[Floats] = []
    while True:
        try:
            grown = grow_lattice(spots, lattice, aspect=aspect, start=grown)
        except IndexingError:
            return spots, None
        points = grown.points(spots)
        if len(points) < 12 or len(asked) == _ROUNDS:
            return spots, grown
        places = predicted(points.ij, points.yx, missing_nodes(points.ij))
        near = ((places > -0.4) & (places < np.array(tools.image.shape) - 0.6)).all(axis=1)
        near &= away_from(places, spots.yx, _AWAY * tools.spacing)
        # a place where nothing was found says the same again, unless new neighbours have moved it
        near &= away_from(places, np.concatenate([spots.yx[:0], *asked]), NEAR)
        near &= tools.image.windows(places, max(1, int(tools.profile_radius))).usable.mean(axis=1) > _SEEN
        if not near.any():
            return spots, grown
        asked.append(places[near])
        more = refine_at(look, places[near], _FARTHEST * min(points.pitch_px), usual)
        if not len(more):
            return spots, grown
        spots = spots.joined(more)


def _handed_on(look: FirstLook, spots: Spots, lattice: LatticeKind, aspect: float) -> GrownLattice | None:
    """The lattice of the candidates that became these spots; None where there is none of the kind that is asked for."""
    points = look.tools.points
    if points is None or (
        lattice not in ("auto", "oblique") and (points.angle_deg == 60.0) != (lattice == "hexagonal")
    ):
        return None
    # places of spots are those of the fit, to the last bit
    rows, (old, new) = np.full(len(look.fitted.yx), -1), (yx @ (1, 1j) for yx in (look.fitted.yx, spots.yx))
    order = np.argsort(old)
    rows[order[np.searchsorted(old, new, sorter=order)]] = np.arange(len(spots))
    return GrownLattice.of(points, rows[points.spot], aspect)


def refine_at(look: FirstLook, places: Floats, farthest: float, usual: Usual) -> Spots:
    """Fit spots at predicted places (N, 2); those that are there, near enough and strong enough are returned."""
    tools = look.tools
    # what a hole looks like there, and the light on it, is what the first look knows of the nearest spots
    start = start_from(tools.image, places, tools.reach, tools.profile_radius)
    nearest = np.asarray(tree_of(look.state.yx).query(places)[1])
    stretch, like = None if look.stretch is None else look.stretch[nearest], look.state.select(nearest)
    start = replace(start, stretch=stretch, bend=like.bend, room=like.room)
    whole = tools.image.is_whole(places, tools.reach)
    tilt = np.zeros((len(places), 2)) if look.tilts is None else look.tilts.at(places, ~whole)
    unsure = np.zeros(len(places))
    if look.light is not None:
        start, _, light = _lit(tools, start, look.light, ~whole)
        unsure = unsure_slopes(tools, light, look.fitted)
    if look.sizes is not None:
        start = look.sizes.given_to(start)
    tilt[:, 0] = np.maximum.reduce([tilt[:, 0], unsure, shading(tools, start, whole)])
    fitted = rehearsed(tools, look.tutors, with_slopes_assumed(tools.fit(start, 5, tilt), unsure, tilt[:, 0]), tilt)
    typical = np.median(look.fitted.amplitude[look.good]) if look.good.any() else 0.0
    local = start.prior[:, 0] if start.prior is not None else np.full(len(places), typical)
    # a prior on the amplitude would make every empty place look like a spot: judge cut ones by a fit without it
    alone = tools.fit(replace(start, prior=None), 3) if (~whole).any() else fitted
    own = np.where(whole, fitted.amplitude, alone.amplitude)
    error = np.sqrt(np.maximum(np.where(whole, fitted.covariance[:, 2, 2], alone.covariance[:, 2, 2]), 1e-30))
    there = (own > _FAINT * local) & (own > SIGNIFICANT * error)
    there |= ~whole & (fitted.chi2 < 1.5) & (own > 0.5 * local) & (own > 2 * error)
    there &= np.hypot(*(fitted.yx - places).T) < farthest
    spots = chosen(tools, fitted, usual, there=there)[0]
    left = np.flatnonzero(whole & away_from(places, spots.yx, _AWAY * tools.spacing))
    if not len(left) or tools.profile_radius < _RIMS_APART * tools.maker.blur:
        return spots
    # something else may stand in the middle of a hole, as in those that mark a plate's origin; its rim tells its place
    rims = by_their_rims(tools, start.select(left))
    if usual.faults is not None:
        others = away_from(usual.faults.yx, places[left], _AWAY * tools.spacing)
        usual = replace(usual, faults=select_rows(usual.faults, others, "yx", "size", "part"))
    near = (np.hypot(*(rims.yx - places[left]).T) < farthest) & (rims.amplitude > 0.5 * local[left])
    # where the rim is as wrong as the middle there is no mark, but a shadow, the end of the light, bleeding
    near &= left_over(tools, rims) < _IN_THE_RIM * left_over(tools, fitted)[left]
    # and where many are so, they are holes of another kind
    if near.sum() > _MARKED * look.good.sum():
        return spots
    return spots.joined(chosen(tools, rims, usual, there=near)[0])
