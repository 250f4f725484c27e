"""One search for spots: what is learned on the way, and the fits that use it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from ..base.arrays import AnyArray, Bools, Floats, with_rows
from ..base.errors import IndexingError, PickingError
from ..indexing.indexing import GrownLattice, grow_lattice
from ..indexing.prediction import away_from, local_frames, missing_nodes, predicted
from ..records.plate import LatticeKind
from ..records.points import ControlPoints
from ..records.spots import Noise, SpotFlag, Spots
from .learning import hole_radius, learn
from .light import light_of
from .model import BentRims, SpotState, start_from
from .picking import Candidates
from .profile import TemplateMaker, profile_radius, window_reach
from .refinement import FittedSpots, fit_spots
from .survey import HoleGuess
from .windows import PreparedImage, ramp

__all__ = ["Found", "SpotSearch", "refine_at"]

#: A fitted spot must have an amplitude of so many sigma, and of such a share of its neighbours'.
_SIGNIFICANT = 5.0
_FAINT = 0.2
#: What looks less like the learned profile than this (rms over amplitude, beyond the noise) is no hole.
_UNLIKE = 0.25
#: Gradient of the light (relative, per px) that is allowed for when nothing is known of it.
_FREE_TILT = 0.05
#: Pixels nearer to the border than so many blurs are not used.
_RIM_BLURS = 1.6
#: Bending within a hole is looked at when it moves rims by so many px.
_BENT = 5e-4
#: A place that rests so much more on what is assumed of the hole than on what is seen of it is none that was measured.
_ASSUMED = 2.5
#: A place that is known so many times worse than most would count for nothing.
_WORTHLESS = 60.0
#: The gradient is fitted when leaving it out would move spots by so many of their sigma.
_TILTED = 0.3
#: A misfit is out of the common when it is this large and so many times that of most spots.
_ODD, _TIMES = 0.02, 3.0
#: Spots that tell whether holes are stretched at all.
_SAMPLE = 1000
#: Relative error of the radius that a hole is expected to have.
_RADIUS_ERROR = 0.004


@dataclass(frozen=True, eq=False)
class Found:
    """What the search starts from: a guess about the holes, candidates, and their nodes where they form a lattice."""

    guess: HoleGuess
    candidates: Candidates
    points: ControlPoints | None


class SpotSearch:
    """What the stages of one search share."""

    def __init__(self, image: PreparedImage, found: Found, noise: Noise | None, lattice: LatticeKind, workers: int):
        yx = np.asarray(found.candidates.yx)
        self.image, self.workers, self.lattice, self.points = image, workers, lattice, found.points
        self.spacing, self.stretch_error = _spacing(yx), 0.0
        self.tilt: float | None = None
        self.usual_sigma: float | None = None
        strong = yx[np.argsort(-np.asarray(found.candidates.relative), kind="stable")]
        self.maker: TemplateMaker | None = None
        self.radius = radius = hole_radius(image, strong, found.guess.radius_px, self.spacing)
        self.reach = min(window_reach(radius, self.spacing), image.pad - 1)
        self.limit = max(1.5, 0.6 * radius)
        state = start_from(image, yx, self.reach, radius)
        self.state = self._stretched(state, yx, self.points)
        self.learned = learn(
            image,
            self.state,
            reach=self.reach,
            radius=radius,
            spacing=self.spacing,
            limit=self.limit,
            workers=workers,
        )
        basis = None if self.points is None else self.points.basis_px
        self.learned = replace(
            self.learned, profile=replace(self.learned.profile, basis_px=basis), noise=noise or self.learned.noise
        )
        self.maker = TemplateMaker(self.learned.profile, self.reach, workers=workers)
        image.leave_out_rim(int(_RIM_BLURS * self.maker.blur))

    def _stretched(
        self, state: SpotState, yx: Floats, points: ControlPoints | None, where: Floats | None = None
    ) -> SpotState:
        """Give every spot the stretch of the lattice around it against the mean lattice."""
        if points is None or len(points) < 12:
            return state
        places = points.yx if where is None else where
        # cut spots follow from the stretch, they must not make it
        whole = self.image.is_whole(places, self.reach)
        if whole.sum() < 12:
            whole[:] = True
        tree = cKDTree(points.yx)
        turn = np.linalg.inv(points.basis_px)

        def frames_at(rows: AnyArray) -> tuple[Floats, Floats]:
            vectors, bend = local_frames(points.ij[whole], places[whole], points.ij[rows])
            return _without_turn(turn @ vectors), bend

        sample = np.arange(0, len(points), max(1, len(points) // _SAMPLE))
        near = tree.query(points.yx[sample], k=min(5, len(points)))[1]
        rows, place = np.unique(near, return_inverse=True)
        local, bend = frames_at(rows)
        around = local[place.reshape(near.shape)]
        self.stretch_error = 0.3 * float(
            np.median(np.abs(around - around.mean(axis=1, keepdims=True)).max(axis=(1, 2, 3)))
        )
        stretched = np.abs(local - np.eye(2)).max() > 0.01
        usual = float(np.quantile(np.abs(bend), 0.9))
        bent = usual * self.radius**2 > _BENT
        if not (stretched or bent):
            return state
        if len(rows) < len(points):
            local, bend = frames_at(np.arange(len(points)))
        near = np.asarray(tree.query(yx)[1])
        radius = self.radius if self.maker is None else self.maker.stretcher.radius
        return replace(
            state,
            stretch=local[near] if stretched else None,
            bend=BentRims.of(np.clip(bend, -5 * usual, 5 * usual), local, radius).select(near) if bent else None,
        )

    def fit(self, state: SpotState, iterations: int, tilt: float | None = None) -> FittedSpots:
        assert self.maker is not None
        bank = self.maker.bank(state.stretch, len(state))
        return fit_spots(
            self.image,
            state,
            bank,
            self.learned.noise,
            iterations=iterations,
            limit=self.limit,
            tilt=tilt,
            workers=self.workers,
        )

    def spots(self) -> Spots:
        fitted = self.fit(self.state, 4)
        whole = self.image.is_whole(fitted.yx, self.reach)
        # half shadowed spots know nothing about the light, and would spread that to their neighbours
        fitted, plain = self._plain(fitted, fitted.good & whole)
        state = self._continued(self.state, fitted)
        good = fitted.good & whole
        if plain.sum() >= 9:
            good = plain
        if good.sum() >= 9:
            state = self._lit(state, fitted, good, ~whole)
            if self.points is not None:
                where = np.asarray(state.yx)[np.asarray(self.points.spot)]
                state = self._stretched(state, np.asarray(state.yx), self.points, where)
            self.tilt = self._tilt(state, good)
            fitted = self.fit(state, 4, self.tilt)
        self.state, self.fitted, self.good = state, fitted, good
        return self._select(fitted, np.zeros(len(fitted.yx), np.uint8))

    def _plain(self, fitted: FittedSpots, good: Bools) -> tuple[FittedSpots, Bools]:
        """Those of the good spots (N,) that look as usual, and what was found.

        Where the light falls off steeply whole regions look odd as long as that is not known, so odd ones are looked at
        once more with a gradient of their own.
        """
        plain = good & (self._oddity(fitted) == 0)
        odd = np.flatnonzero(good & ~plain)
        if not len(odd):
            return fitted, plain
        again = self.fit(self.state.select(odd), 4, _FREE_TILT)
        clear = again.good & (self._oddity(again, self._usual_misfit(fitted)) == 0)
        plain[odd[clear]] = True
        found = {name: getattr(again, name)[clear] for name in ("yx", "amplitude", "background")}
        return with_rows(fitted, odd[clear], found), plain

    def _tilt(self, state: SpotState, good: Bools) -> float | None:
        """How far the gradient of the light at single spots differs from what the neighbours say, relative per px.

        None when leaving it out moves no spot by a good part of its sigma: then fitting it would only cost precision.
        """
        rows = np.flatnonzero(good)
        some = state.select(rows[np.linspace(0, len(rows) - 1, min(len(rows), 250)).astype(int)])
        free, fixed = self.fit(some, 2, _FREE_TILT), self.fit(some, 2)
        variance = np.abs(np.einsum("nii->ni", free.covariance))
        beyond = _excess(free.tilt, variance[:, 4:])
        known = np.abs(np.einsum("nii->ni", fixed.covariance)[:, :2])
        # what a richer model moves beyond the precision that it costs is the error of the poorer one
        error = _excess(free.yx - fixed.yx, np.maximum(variance[:, :2] - known, 0))
        return beyond if beyond > 0 and error > _TILTED * float(np.sqrt(np.median(known))) else None

    def _continued(self, state: SpotState, fitted: FittedSpots) -> SpotState:
        """Go on from what was fitted; spots that ran away start anew, cut ones where their neighbours say."""
        amplitude = np.where(fitted.good, fitted.amplitude, state.amplitude)
        background = np.where(fitted.good, fitted.background, state.background)
        yx = np.where(fitted.good[:, None], fitted.yx, state.yx)
        if self.points is not None and len(self.points) >= 20:
            rows = np.asarray(self.points.spot)
            whole = self.image.is_whole(yx[rows], self.reach) & fitted.good[rows]
            cut = np.flatnonzero(~whole)
            if whole.sum() >= 12 and len(cut):
                places = predicted(self.points.ij[whole], yx[rows][whole], self.points.ij[cut])
                close = np.hypot(*(places - yx[rows[cut]]).T) < max(3.0, 0.3 * self.spacing)
                yx[rows[cut[close]]] = places[close]
        return replace(state, yx=yx, amplitude=amplitude, background=background)

    def _lit(self, state: SpotState, fitted: FittedSpots, good: Bools, lean: Bools) -> SpotState:
        light = light_of(
            fitted.yx[good],
            fitted.amplitude[good],
            fitted.background[good],
            at=state.yx,
            spacing=self.spacing,
            polarity="bright" if self.image.sign > 0 else "dark",
        )
        lit = state.lit(light, lean)
        return replace(
            lit,
            amplitude=np.where(lean, light.amplitude, state.amplitude),
            background=np.where(lean, light.background, state.background),
        )

    def completed(self, spots: Spots) -> tuple[Spots, GrownLattice | None]:
        """Add spots at nodes that have neighbours but no spot, in a few rounds outwards.

        The second value is the lattice of all spots, None where the last round has added some or there is none.
        """
        for _ in range(4):
            try:
                grown = grow_lattice(spots, self.lattice)
            except IndexingError:
                return spots, None
            points = grown.points(spots)
            if len(points) < 12:
                return spots, grown
            nodes = missing_nodes(np.asarray(points.ij))
            places = predicted(np.asarray(points.ij), np.asarray(points.yx), nodes)
            pitch = min(points.pitch_px)
            ny, nx = self.image.shape
            near = ((places > -0.4) & (places < np.array([ny, nx]) - 0.6)).all(axis=1)
            near &= away_from(places, np.asarray(spots.yx), 0.4 * self.spacing)
            near &= self._lit_pixels(places)
            places = places[near]
            if not len(places):
                return spots, grown
            more = refine_at(self, places, 0.2 * pitch)
            if not len(more):
                return spots, grown
            spots = _merged(spots, more)
        return spots, None

    def _one_sided(self, yx: Floats, radius: float) -> Floats:
        """Error (N, 2) px that the unknown true radius and stretch make where only one side of a hole is seen.

        A wrong radius moves the spot towards the side that is seen, a wrong shear across it as well.
        """
        reach = max(1, int(np.ceil(radius + 1)))
        windows = self.image.windows(yx, reach)
        y, x = ramp(reach)
        inside = np.hypot(y, x) <= radius + 1
        usable = windows.usable[:, inside]
        count = np.maximum(usable.sum(axis=1), 1)
        lean = np.stack([np.abs((usable * o[inside]).sum(axis=1)) / count for o in (y, x)], axis=1)
        lean = np.minimum(lean, 0.5 * radius)
        return 2 * np.hypot((_RADIUS_ERROR + self.stretch_error) * lean, self.stretch_error * lean[:, ::-1])

    def _usual(self, sigma: Floats) -> float:
        """Sigma that most spots of the first look had, px."""
        if self.usual_sigma is None and len(sigma):
            self.usual_sigma = float(np.median(sigma))
        return self.usual_sigma or float("inf")

    def _lit_pixels(self, places: Floats) -> Bools:
        """Whether enough of a hole at this place would fall on usable pixels."""
        radius = profile_radius(self.learned.profile)
        windows = self.image.windows(places, max(1, int(radius)))
        out: Bools = windows.usable.mean(axis=1) > 0.3
        return out

    def _misfit(self, fitted: FittedSpots) -> Floats:
        """(N,) rms of what a fit leaves over beyond the noise, in units of the amplitude."""
        level = self.image.sign * (fitted.background + 0.5 * fitted.amplitude)
        variance = np.median(self.learned.noise.variance(level))
        out: Floats = np.sqrt(np.maximum(fitted.chi2 - 1, 0) * variance) / np.maximum(fitted.amplitude, 1e-9)
        return out

    def _usual_misfit(self, fitted: FittedSpots) -> float:
        return float(np.median(self._misfit(fitted)[fitted.good])) if fitted.good.any() else 0.0

    def _oddity(self, fitted: FittedSpots, usual: float | None = None) -> Floats:
        """(N,) misfit of the spots beyond the usual one (that of most of them), in units of the amplitude; 0 for the
        usual ones."""
        usual = self._usual_misfit(fitted) if usual is None else usual
        out: Floats = np.sqrt(np.maximum(self._misfit(fitted) ** 2 - max(_ODD, _TIMES * usual) ** 2, 0.0))
        return out

    def _select(self, fitted: FittedSpots, bits: AnyArray, extra: Bools | None = None) -> Spots:
        yx, image, reach = fitted.yx, self.image, self.reach
        ny, nx = image.shape
        border = ((np.rint(yx) < reach) | (np.rint(yx) > np.array([ny, nx]) - 1 - reach)).any(axis=1)
        masked = ~image.is_whole(yx, reach) & ~border
        saturated = image.touches_saturation(yx, reach)
        for flag, where in (
            (SpotFlag.BORDER, border),
            (SpotFlag.MASKED, masked & ~saturated),
            (SpotFlag.SATURATED, saturated),
            (SpotFlag.CLIPPED, fitted.clipped),
        ):
            bits = bits | np.where(where, flag, 0).astype(np.uint8)
        sigma = np.sqrt(np.abs(np.einsum("nii->ni", fitted.covariance)[:, :2]))
        # a chi square beyond its own scatter means that the model is wrong there, and the position less sure than
        # counted
        sigma *= self.learned.grain * np.sqrt(np.maximum(fitted.chi2, 1.0))[:, None]
        radius = profile_radius(self.learned.profile)
        assumed = self._one_sided(yx, radius)
        measured = (assumed < _ASSUMED * sigma).all(axis=1)
        sigma = np.hypot(sigma, assumed)
        misfit = self._misfit(fitted)
        # whatever covers such a part of the hole may move its middle by as much of its radius
        sigma = np.hypot(sigma, (radius * self._oddity(fitted))[:, None])
        strength = fitted.amplitude / np.sqrt(np.maximum(fitted.covariance[:, 2, 2], 1e-30))
        keep = fitted.good & measured & (strength > _SIGNIFICANT) & (sigma.max(axis=1) < 0.4 * max(radius, 1.0))
        keep &= misfit < _UNLIKE
        keep &= sigma.max(axis=1) < _WORTHLESS * self._usual(sigma.max(axis=1)[keep])
        keep &= ((yx > -0.5) & (yx < np.array([ny, nx]) - 0.5)).all(axis=1)
        if extra is not None:
            keep &= extra
        elif not keep.any():
            raise PickingError("no candidate looks like a hole", hint="check --polarity and --hole")
        rows = np.flatnonzero(keep)
        rows = rows[_distinct(yx[rows], fitted.chi2[rows], 0.35 * self.spacing)]
        return Spots(
            yx[rows],
            sigma[rows],
            fitted.amplitude[rows],
            (image.sign * fitted.background)[rows],
            fitted.chi2[rows],
            bits[rows],
            "bright" if image.sign > 0 else "dark",
            2 * radius,
            self.learned.noise,
            self.learned.profile,
        )


def refine_at(run: SpotSearch, places: Floats, farthest: float) -> Spots:
    """Fit spots at predicted places; those that are there, near enough and strong enough are returned."""
    start = start_from(run.image, places, run.reach, profile_radius(run.learned.profile))
    nearest = np.asarray(cKDTree(run.state.yx).query(places)[1])
    near = run.state.select(nearest)
    start = replace(start, stretch=near.stretch, bend=near.bend)
    whole = run.image.is_whole(places, run.reach)
    if run.good.sum() >= 9:
        start = run._lit(start, run.fitted, run.good, ~whole)
    fitted = run.fit(start, 5, run.tilt)
    typical = np.median(run.fitted.amplitude[run.good]) if run.good.any() else 0.0
    local = start.prior[:, 0] if start.prior is not None else np.full(len(places), typical)
    # a prior on the amplitude would make every empty place look like a spot: judge cut ones by a fit without it
    alone = run.fit(replace(start, prior=None), 3) if (~whole).any() else fitted
    own = np.where(whole, fitted.amplitude, alone.amplitude)
    error = np.sqrt(np.maximum(np.where(whole, fitted.covariance[:, 2, 2], alone.covariance[:, 2, 2]), 1e-30))
    there = (own > _FAINT * local) & (own > _SIGNIFICANT * error)
    there |= ~whole & (fitted.chi2 < 1.5) & (own > 0.5 * local) & (own > 2 * error)
    there &= np.hypot(*(fitted.yx - places).T) < farthest
    bits = np.full(len(places), SpotFlag.PREDICTED, np.uint8)
    return run._select(fitted, bits, there)


def _excess(values: Floats, variance: Floats) -> float:
    """Scatter of `values` beyond what their own `variance` explains; robust."""
    spread = float(np.median(np.abs(values))) / 0.6745
    return float(np.sqrt(max(spread**2 - float(np.median(variance)), 0.0)))


def _without_turn(matrices: Floats) -> Floats:
    """Symmetric stretches (N, 2, 2) with the effect of `matrices` on a circle: holes are round, a turn changes
    nothing."""
    square = np.matmul(matrices.transpose(0, 2, 1), matrices)
    # the root of a positive matrix of two rows, by the theorem of Cayley and Hamilton
    size = np.abs(np.linalg.det(matrices))
    scale = np.sqrt(np.trace(square, axis1=1, axis2=2) + 2 * size)
    out: Floats = (square + size[:, None, None] * np.eye(2)) / np.maximum(scale, 1e-30)[:, None, None]
    return out


def _spacing(yx: Floats) -> float:
    """Distance that most spots have at least to their nearest neighbour, px."""
    if len(yx) < 2:
        return float("inf")
    distance = np.asarray(cKDTree(yx).query(yx, k=2)[0])
    return float(np.quantile(distance[:, 1], 0.25))


def _distinct(yx: Floats, chi2: Floats, least: float) -> AnyArray:
    """Rows that stay when of two spots closer than `least` px the worse one goes."""
    pairs = cKDTree(yx).query_pairs(least, output_type="ndarray") if len(yx) > 1 else np.empty((0, 2), int)
    keep = np.ones(len(yx), bool)
    if len(pairs):
        worse = np.where(chi2[pairs[:, 0]] > chi2[pairs[:, 1]], pairs[:, 0], pairs[:, 1])
        keep[worse] = False
    return np.flatnonzero(keep)


def _merged(a: Spots, b: Spots) -> Spots:
    return replace(
        a,
        yx=np.concatenate([a.yx, b.yx]),
        sigma_yx=np.concatenate([a.sigma_yx, b.sigma_yx]),
        amplitude=np.concatenate([a.amplitude, b.amplitude]),
        background=np.concatenate([a.background, b.background]),
        chi2=np.concatenate([a.chi2, b.chi2]),
        flags=np.concatenate([a.flags, b.flags]),
    )
