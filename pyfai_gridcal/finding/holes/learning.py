"""Learning from an image what its holes look like and how its pixels scatter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...base.arrays import AnyArray, Floats
from ...base.errors import PickingError
from ...records.points import ControlPoints
from ...records.spots import HoleProfile, Noise
from .light import light_of
from .model import SpotState, model_of
from .noise import correlation_of, grain_factor, noise_of
from .profile import disk_profile, learned_profile, normalised, profile_radius
from .refinement import FittedSpots, compared, fit_spots
from .templates import TemplateBank, TemplateMaker
from .undersampled import sharp_disk, sharp_profile
from .windows import PreparedImage, ramp

#: More spots than these would not make the profile better than the pixels' noise lets it be; while it is still coming
#: into shape a quarter of them puts some ten pixels into each of its bins. The number of turns is a convention.
_SPOTS, _FIRST, _TURNS = 800, 200, 5
#: Turns after which the profile is a blurred disk.
_DISKS = 2
#: Square of the slope of the profile, relative to its steepest, up to which pixels tell the noise, and up to which they
#: tell how neighbours share it: what a profile leaves over at the rims is shared by neighbours, too.
_QUIET, _FLAT = 0.25, 0.003
#: Rims that are off by so many times what the noise makes are steps: those of smooth images have 1.2.
STEPS = 1.6
#: Least share of the flat pixels that must be those within holes, and those around; and whole numbers without noise
#: seem to have one of 0.29.
_SIDES, _STILL = 0.03, 0.5
#: Part of what rims are off that stays with the sizes of the holes, where rims are steps.
_STAYS = 0.5
#: Noise is free of the ceiling from so many sigma below it on, and told by so many such pixels.
_FREE, _PIXELS = 3.0, 1000
#: Enough spots for a profile, if they are alike.
_FEW = 400


@dataclass(frozen=True, eq=False)
class Learned:
    """Profile of the holes, noise of the pixels, and by how much it is grainy (the factor of the positions' sigma).

    `rims` is how far, px, the pixels at the rims of most holes may move a place by what they are off their picture: of
    smooth rims that is what the noise does, of those that are steps from pixel to pixel, as in a drawing, far more.
    """

    profile: HoleProfile
    noise: Noise
    grain: float = 1.0
    rims: float = 0.0


@dataclass(frozen=True, eq=False)
class Instrument:
    """What every fit of one search is made with: the image, and what was learned about its holes.

    Attributes
    ----------
    image : prepared for cutting windows
    points : candidates with their nodes, None where they form no lattice
    spacing : distance of neighbouring candidates, px
    radius : of the mean hole at half height, px
    reach : of the windows, px
    limit : farthest that a fit may take a spot along an axis, px
    learned, maker : picture of the holes and noise of the pixels; makes templates of that picture
    workers : threads
    dark : what pixels read without light, counts, holes positive; None where the ground has light of its own
    """

    image: PreparedImage
    points: ControlPoints | None
    spacing: float
    radius: float
    reach: int
    limit: float
    learned: Learned
    maker: TemplateMaker
    workers: int
    dark: float | None = 0.0

    @cached_property
    def profile_radius(self) -> float:
        """Radius of the holes as the profile has it, px."""
        return profile_radius(self.learned.profile)

    def fit(self, state: SpotState, iterations: int, extra: Floats | tuple[float, float] = (0.0, 0.0)) -> FittedSpots:
        """Fit these spots; see :func:`~pyfai_gridcal.finding.holes.refinement.fit_spots`."""
        bank = self.maker.bank(state.stretch, len(state), state.wider)
        return fit_spots(
            self.image,
            state,
            bank,
            self.learned.noise,
            iterations=iterations,
            limit=self.limit,
            extra=extra,
            dark=self.dark,
            workers=self.workers,
        )

    def compared(self, state: SpotState, sizes: tuple[float, float]) -> tuple[FittedSpots, ...]:
        """One step of these spots; see :func:`~pyfai_gridcal.finding.holes.refinement.compared`."""
        bank = self.maker.bank(state.stretch, len(state), state.wider)
        noise, limit, dark = self.learned.noise, self.limit, self.dark
        return compared(self.image, state, bank, noise, sizes=sizes, limit=limit, dark=dark, workers=self.workers)

    def listening(self, state: SpotState) -> Instrument:
        """The same with the noise, and what rims are off, that pixels show once these spots are fitted."""
        fitted = self.fit(state, 3)
        state = replace(state, yx=fitted.yx, amplitude=fitted.amplitude, background=fitted.background)
        state = state.select(np.flatnonzero(fitted.good))
        bank = self.maker.bank(state.stretch, len(state), state.wider)
        level, residual, steep, _ = _relearn(self.image, state, self.learned.profile, bank, self.reach)
        noise = _noise(self.image, level, residual, steep)
        # what sizes alone made look like steps is far less now; real steps stay
        rims = _rims(residual / state.amplitude[:, None], steep, self.learned.profile)
        if rims > _STAYS * self.learned.rims:
            rims = self.learned.rims
        return replace(self, learned=replace(self.learned, noise=noise, rims=rims))


def _noise(image: PreparedImage, level: AnyArray, residual: AnyArray, steep: AnyArray) -> Noise:
    """Noise of the pixels from what a fit leaves over of those that tell."""

    def noise_at(some: AnyArray) -> Noise:
        return noise_of(level[some], residual[some], quantised=image.quantised, factor=image.factor)

    quiet = steep < _QUIET
    noise = noise_at(quiet)
    if image.ceiling is not None:
        # near the ceiling half of the noise is cut off
        free = quiet & (level + _FREE * np.sqrt(noise.variance(level)) < image.ceiling)
        if free.sum() > _PIXELS:
            noise = noise_at(free)
    # what rims alone scatter is no noise; there the flat parts within and around the holes tell
    flat, middle = steep < _FLAT, 0.5 * (level[quiet].min() + level[quiet].max())
    if flat.sum() > _PIXELS:
        plain, inside = noise_at(flat), (level[flat] > middle).mean()
        told = _SIDES < inside < 1 - _SIDES or (image.quantised and plain.readout < _STILL)
        if told and plain.variance(middle) < noise.variance(middle) / STEPS**2:
            noise = plain
    return noise


def hole_radius(image: PreparedImage, yx: Floats, guess: float, spacing: float) -> float:
    """Radius of the mean hole at half height, px; `guess` where the mean picture shows none.

    Parameters
    ----------
    yx : (N, 2) candidates, the strong ones first
    guess : a first idea of the radius, px
    spacing : distance of neighbouring candidates, px
    """
    reach = int(np.clip(min(2.2 * guess + 2, 0.55 * spacing), 3, image.pad - 1))
    windows = image.windows(yx[:400], reach)
    weight = windows.usable.astype(np.float32)
    mean = (windows.data * weight).sum(axis=0) / np.maximum(weight.sum(axis=0), 1)
    y, x = ramp(reach)
    r = np.hypot(y, x)
    rings = np.array([mean[np.abs(r - k) <= 0.5].mean() for k in range(reach + 1)])
    top, low = rings[: max(1, int(0.4 * guess) + 1)].max(), rings.min()
    bottom = int(rings.argmin())
    below = np.flatnonzero(rings[: bottom + 1] < 0.5 * (top + low))
    if top <= low or not len(below) or below[0] == 0:
        return guess
    k = int(below[0])
    radius = k - 1 + (rings[k - 1] - 0.5 * (top + low)) / max(float(rings[k - 1] - rings[k]), 1e-9)
    return float(np.clip(radius, 0.4 * guess, 2.0 * guess))


def learn(
    image: PreparedImage, state: SpotState, *, reach: int, radius: float, spacing: float, limit: float, workers: int = 2
) -> Learned:
    """Fit and learn in turns: the profile from what the fit leaves over, the noise from what the better profile leaves.

    Parameters
    ----------
    state : spots to learn from; whole and undisturbed ones among them are chosen
    reach : of the windows, px
    radius : of the holes, px, for the first turn
    spacing : distance of neighbouring spots, px

    Raises
    ------
    PickingError
        Nothing there looks like a hole.
    """
    whole = _teachers(image, state, reach)
    # a profile that is still coming into shape needs no more spots than its bins
    sample = whole.select(np.arange(0, len(whole), max(1, len(whole) // _FIRST)))
    # the first turn knows nothing: a blurred disk, and all pixels weigh the same
    profile, noise, sharp = disk_profile(radius, max(0.8, 0.15 * radius), reach), None, None
    for turn in range(_TURNS):
        # each turn fits with the profile so far; the last one fits all of the spots, and to the end
        if turn == _TURNS - 1:
            sample = whole
        # of holes of a pixel or two each turn finds a better disk, and only the last one what it is not
        if turn == _DISKS or sharp is not None:
            sharp = sharp_disk(image, sample, profile, noise, known=sharp, limit=limit, workers=workers)
            profile = profile if sharp is None else sharp_profile(sharp, reach)
        # while the profile is still coming into shape, so may its stretched copies
        maker = TemplateMaker(profile, reach, coarseness=2.0 if turn < _TURNS - 2 else 1.0, workers=workers)
        bank = maker.bank(sample.stretch, len(sample))
        iterations = 4 if turn in (0, _TURNS - 1) else 2
        fitted = fit_spots(image, sample, bank, noise, iterations=iterations, limit=limit, workers=workers)
        # what it found replaces what was known of the spots that fit well, and of the light on them
        rows = _typical(fitted)
        sample = replace(sample, yx=fitted.yx, amplitude=fitted.amplitude, background=fitted.background).select(rows)
        if len(sample) >= 12:
            sample = _lit(sample, image, spacing)
        # what it left over corrects the profile, at first its radius and blur alone, and soon tells the noise
        level, residual, steep, profile = _relearn(image, sample, profile, bank.select(rows), reach, disk=turn < _DISKS)
        if turn >= 1:
            noise = _noise(image, level, residual, steep)
    assert noise is not None
    grain = grain_factor(correlation_of(residual, steep < _FLAT), profile)
    return Learned(profile, noise, grain, _rims(residual / sample.amplitude[:, None], steep, profile))


def _rims(relative: AnyArray, steep: AnyArray, profile: HoleProfile) -> float:
    """Error of a coordinate, px, of most holes by what their pixels are off, in units of the amplitude: for weights g
    that are the slopes of the profile, the root of ``sum(g**2 r**2) / sum(g**2)**2``."""
    steepest = 0.5 * max(float((s**2).max()) for s in np.gradient(profile.table)) * profile.oversampling**2
    square = np.where(np.isfinite(steep), steep, 0.0) * steepest
    return float(np.sqrt(np.median((square * relative**2).sum(axis=1) / np.maximum(square.sum(axis=1), 1e-9) ** 2)))


def _teachers(image: PreparedImage, state: SpotState, reach: int) -> SpotState:
    """Spots to learn from: whole ones, stretched alike, no more than make the profile better."""
    rows = np.flatnonzero(image.is_whole(state.yx, reach))
    if len(rows) < 4:
        rows = np.arange(len(state))
    if state.stretch is not None and len(rows) > _FEW:
        # those that are stretched alike say most about the profile that all are to be stretched from
        unlike = np.abs(state.stretch[rows] - np.eye(2)).max(axis=(1, 2))
        rows = rows[unlike <= max(0.03, np.sort(unlike)[max(_FEW, len(rows) // 3)])]
    if len(rows) > _SPOTS:
        rows = rows[np.linspace(0, len(rows) - 1, _SPOTS).astype(int)]
    return state.select(rows)


def _lit(sample: SpotState, image: PreparedImage, spacing: float) -> SpotState:
    """The same with the slopes of the light that the spots themselves show; they may be some of many."""
    yx = sample.yx
    apart = max(spacing, float(np.sqrt(np.ptp(yx, axis=0).prod() / len(yx))))
    light = light_of(yx, sample.amplitude, sample.background, spacing=apart, polarity=image.polarity).at(yx)
    return replace(sample, slope_a=light.slope_a, slope_b=light.slope_b)


def _typical(fitted: FittedSpots) -> AnyArray:
    """Rows of the spots that the fit liked."""
    good = fitted.good
    if good.any():
        good = good & (fitted.amplitude > 0.3 * np.median(fitted.amplitude[good]))
        # relative misfit: bright spots show more of an imperfect profile
        misfit = fitted.chi2 / np.maximum(fitted.amplitude, 1e-9)
        good &= misfit < 5 * np.median(misfit[good]) + 1e-12
    if not good.any():
        raise PickingError("no candidate looks like a hole", hint="check polarity and hole size")
    return np.flatnonzero(good)


def _relearn(
    image: PreparedImage, sample: SpotState, profile: HoleProfile, bank: TemplateBank, reach: int, *, disk: bool = False
) -> tuple[AnyArray, AnyArray, AnyArray, HoleProfile]:
    """Level and residual of the pixels, how steep the profile is there (square, relative to its steepest; infinite for
    pixels that are not used), and the profile corrected by all residuals, or the `disk` nearest to that."""
    # model and residuals
    y, x = ramp(reach)
    windows = image.windows(sample.yx, reach)
    levels, derivatives = model_of(sample, windows, bank)
    relative = (windows.data - levels) / sample.amplitude[:, None].astype(np.float32)
    steep = np.square(derivatives[:, 0]) + np.square(derivatives[:, 1])
    steep /= np.maximum(steep.max(axis=1, keepdims=True), np.float32(1e-30))
    # where each pixel lies in the unstretched hole
    offset = sample.yx - windows.middle
    dy, dx = y - offset[:, :1].astype(np.float32), x - offset[:, 1:].astype(np.float32)
    if sample.stretch is not None:
        back = np.linalg.inv(sample.stretch).astype(np.float32)[:, None]
        dy, dx = dy * back[..., 0, 0] + dx * back[..., 1, 0], dy * back[..., 0, 1] + dx * back[..., 1, 1]
    # strong spots say most; wild pixels nothing
    scale = np.median(np.abs(relative[:: max(1, len(relative) // _FIRST)]), axis=0) + 1e-12
    weight = (image.telling(windows, levels) & (np.abs(relative) < 8 * scale)).astype(float)
    weight *= np.minimum(sample.amplitude / np.median(sample.amplitude), 1.0)[:, None] ** 2
    per_bin = windows.data.size / profile.table.size
    learned = learned_profile(profile, (dy, dx), relative, weight, fourfold=per_bin < 1, disk=disk)
    steep[~image.telling(windows, levels, quiet=True)] = np.inf
    residual = relative * sample.amplitude[:, None]
    return image.sign * levels, residual, steep, normalised(learned, reach)
