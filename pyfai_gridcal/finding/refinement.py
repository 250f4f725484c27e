"""Positions of spots at the Cramér-Rao bound: weighted least squares of the learned profile.

Around each candidate the pixels D of a small window are fitted by ``B (1 + b.d) + A (1 + a.d) P(d - t)`` with P the
profile of a hole, d the offset from the window's middle, and free position t, amplitude A and background B. The
relative slopes a and b of the light are not fitted spot by spot, where they would cost precision, but taken from the
neighbours; and where a hole is cut by a border, amplitude and background lean on the neighbours too. Holes stretched
by the distortion are fitted with the profile stretched alike. Weights are the inverse variances by a noise model that
comes from the residuals of the fit itself, so `sigma_yx` follows from the normal matrix; pixels that contradict the
profile (hot ones) are left out. For independent pixels of variance v the bound of one coordinate is ``1 / sum((A
dP/dt)**2 / v)``.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace

import numpy as np

from ..base.arrays import AnyArray, Bools, Floats, with_rows
from ..base.normal import inverses, solved
from ..base.robust import spread
from ..records.spots import Noise
from .model import SpotState, model_of
from .profile import TemplateBank, Templates
from .windows import PreparedImage, Windows, odd_powers, ramp

#: Pixels that are fitted at a time, and the least number of spots: few enough for the cache, enough for the calls not
#: to count.
_CHUNK, _LEAST = 1 << 17, 32
#: Below so many pixels threads wait for each other longer than they work.
_WORTH_THREADS = 500_000
#: A pixel is left out when it is this many sigma off the fit (of a normal noise one in two million is) ...
_WILD = 5.0
#: ... and also this share of the amplitude, since a learned profile is not perfect: in the last step, and before.
TOLERANCE, _GLARING = 0.12, 0.8
#: What a pixel counts among the lost ones that is brighter than it should be.
_BAD = 0.05
#: A window that would lose more of its pixels is not spoilt in places, it shows something else.
_MOST_WILD = 0.2
#: A gradient of this size is none.
_NOTHING = 1e-7
#: Light that changes by more per px is steep, and the slope that the ground may have there, in units of the amplitude
#: over half a window.
STEEP_LIGHT, _LEANING = 0.007, 1.0
#: A spot has come near its place when a step is shorter than this, px, and changes the light at the rim of the window
#: by less than this share: the next one ends it.
_NEAR = 0.03
#: At the start, when neither place nor noise are known, a pixel is left out when it is off by so many amplitudes; a
#: whole one is what a wrong place makes.
_HOT = 1.5


@dataclass(frozen=True, eq=False)
class FittedSpots:
    """What a fit found: columns over N spots, holes positive.

    Attributes
    ----------
    yx, amplitude, background : as in :class:`SpotState`
    covariance : (N, 4, 4) of (y, x, amplitude, background)
    chi2 : (N,) reduced chi square (of the mean square, without a noise model)
    lost : (N,) share of the pixels that were left out as wild, bad ones counted little
    good : (N,) whether the fit stayed near its start with a positive amplitude
    extra : (N, 8) what was found beyond the start, 0 unless fitted: gradient of the light (y, x), relative per px, and
        what comes on top of it, in units of the amplitude
        (:func:`~pyfai_gridcal.finding.windows.odd_powers`)
    extra_variance : (N, 8) of these
    lever : (N, 8) square of the move along (y, x, y, x, ...), px^2, that 1 of each makes when it is left out
    slope : (N, 2) relative gradient of the light on the hole, all in all, per px
    """

    yx: Floats
    amplitude: Floats
    background: Floats
    covariance: Floats
    chi2: Floats
    lost: Floats
    good: Bools
    extra: Floats
    extra_variance: Floats
    lever: Floats
    slope: Floats

    @property
    def position_variance(self) -> Floats:
        """(N, 2) px^2."""
        return np.abs(np.einsum("nii->ni", self.covariance)[:, :2])

    def after(self, state: SpotState, dark: float) -> SpotState:
        """Where a fit that began at `state` has ended."""
        state = replace(state, yx=self.yx, amplitude=self.amplitude, background=self.background)
        return state.topped(self.extra, dark)


@dataclass(frozen=True, eq=False)
class _Pixels:
    """Pixels around spots, from where a fit stands.

    Attributes
    ----------
    level : (N, P) what they should read
    rows : (N, parameters + 1, P) derivatives of that, and last what is left over
    usable : (N, P)
    """

    level: AnyArray
    rows: AnyArray
    usable: Bools


@dataclass(frozen=True, eq=False)
class _Look:
    """What these pixels tell, columns over spots.

    Attributes
    ----------
    square : weighted sum of squares of what is left over
    weight : (N, P) of the pixels
    lost : share of the usable ones that were left out as wild
    normal, right : equations of the next step
    """

    square: Floats
    weight: AnyArray
    lost: Floats
    normal: Floats
    right: Floats

    def after(self, move: Floats) -> _Look:
        """The same once this step (N, parameters) is taken, as far as the equations know."""
        return replace(self, square=np.maximum(self.square - (move * self.right).sum(axis=1), 0.0))

    def changed(self, rows: AnyArray, part: _Look) -> _Look:
        """The same where the spots `rows` look as in `part`."""
        return with_rows(self, rows, vars(part))


@dataclass(frozen=True, eq=False)
class _Kit:
    """What the spots of one class of stretch are fitted with; without a noise model all pixels weigh the same.

    With `light` the gradient of the light is fitted as well, which multiplies all but the `dark` level; with `ground`
    what comes on top of it. Where light is `steep` the ground has a slope of its own, too, since brighter neighbours
    shine onto it.
    """

    image: PreparedImage
    templates: Templates
    noise: Noise | None
    dark: float
    light: bool = False
    ground: bool = False
    steep: bool = False

    @property
    def columns(self) -> list[int]:
        """Columns of :attr:`FittedSpots.extra` that are fitted."""
        return [*range(2 * self.light), *range(2, 2 + self.on_ground)]

    @property
    def on_ground(self) -> int:
        """How many of the odd polynomials come on top."""
        return 6 if self.ground else 2 * self.steep

    def seen(self, state: SpotState, windows: Windows, rest: Floats) -> _Pixels:
        extra = self.columns
        rows = np.empty((len(state), len(extra) + 5, windows.data.shape[1]), np.float32)
        level, _ = model_of(state, windows, self.templates, rest, out=rows[:, :4])
        if self.light:
            lit = level - np.float32(self.dark) if self.dark else level
            for k, along in enumerate(ramp(self.templates.reach)):
                np.multiply(lit, along, out=rows[:, 4 + k])
        if self.on_ground:
            on_top = odd_powers(self.templates.reach)[: self.on_ground]
            rows[:, -1 - len(on_top) : -1] = state.amplitude.astype(np.float32)[:, None, None] * on_top
        np.subtract(windows.data, level, out=rows[:, -1])
        return _Pixels(level, rows, windows.usable)

    def look(
        self, state: SpotState, seen: _Pixels, extra: Floats, size: Floats, tolerance: float | None = None
    ) -> _Look:
        """Weigh what is seen; pixels that are off by `tolerance` amplitudes (and much more than their noise) do not
        count. What was found so far beyond the start, `extra` (N, 8), is expected to be of the `size` (N, 2)."""
        noise, level, rows = self.noise, seen.level, seen.rows
        lost = np.zeros(len(state))
        if noise is None:
            weight: AnyArray = seen.usable.astype(np.float32)
        else:
            variance: AnyArray = noise.variance(level if self.image.sign > 0 else -level)
            weight = seen.usable / variance
            if tolerance is not None:
                wild = wild_square(variance, state.amplitude, tolerance)
                spot, pixel = np.nonzero((rows[:, -1] ** 2 > wild) & seen.usable)
                count = np.bincount(spot, minlength=len(state))
                some = np.flatnonzero(count)
                pixels = np.count_nonzero(seen.usable[some], axis=1)
                share = count[some] / pixels
                # nothing that covers a hole makes pixels brighter: such pixels are bad ones, and tell little
                bad = self.image.sign * rows[spot, -1, pixel] > 0
                told = np.bincount(spot, np.where(bad, _BAD, 1.0), minlength=len(state))[some] / pixels
                lost[some] = np.where(share <= _MOST_WILD, told, 0.0)
                left_out = lost[spot] > 0
                weight[spot[left_out], pixel[left_out]] = 0
        # all sums of products at once: the last row and column are those with what is left over
        gram = np.matmul(rows * weight[:, None, :], rows.transpose(0, 2, 1)).astype(np.float64)
        normal, right, square = gram[:, :-1, :-1], gram[:, :-1, -1], gram[:, -1, -1]
        # equal weights are not inverse variances: leave the prior to the fits that know the noise
        if state.prior is not None and noise is not None:
            for k, column in ((2, 0), (3, 2)):
                strength = 1 / state.prior[:, column + 1] ** 2
                normal[:, k, k] += strength
                now = state.amplitude if k == 2 else state.background
                right[:, k] += strength * (state.prior[:, column] - now)
        columns = self.columns
        if columns:
            expected = size if self.ground else np.maximum(size, (0.0, _LEANING))
            stiff: Floats = np.repeat(np.maximum(expected, _NOTHING) ** -2, (2, 6), axis=1)[:, columns]
            own = np.arange(4, normal.shape[1])
            normal[:, own, own] += stiff
            right[:, 4:] -= extra[:, columns] * stiff
        return _Look(square, weight, lost, normal, right)


def wild_square(variance: AnyArray, amplitude: Floats, tolerance: float) -> AnyArray:
    """Squares (N, P), counts, of what pixels of this `variance` (N, P) must be off to be wild: much more than their
    noise, and `tolerance` amplitudes (N,), since a learned profile is not perfect."""
    out: AnyArray = _WILD**2 * variance + (tolerance * amplitude[:, None].astype(np.float32)) ** 2
    return out


def _calm(amplitude: Floats, seen: _Pixels) -> Bools:
    """Usable pixels without those that cannot belong to a hole: the start knows neither place nor noise, but nothing of
    a hole is off by more than its amplitude."""
    off = np.abs(seen.rows[:, -1])
    some = off[::8][seen.usable[::8]]
    noise = spread(some, about=0.0) if len(some) else 0.0
    most = _HOT * np.maximum(amplitude, np.median(amplitude)) + 6 * noise
    out: Bools = seen.usable & (off < most[:, None].astype(np.float32))
    return out


def _fit_chunk(
    kit: _Kit, state: SpotState, rest: Floats, size: Floats, *, iterations: int, limit: float
) -> FittedSpots:
    """Gauss-Newton on spots of one class of stretch.

    Each spot takes as many steps as it needs to come near its place; then comes one step in which wild pixels do not
    count: while a fit is still on its way only the glaring ones are left out, for rims that are misplaced look wild,
    too. What that step leaves over follows from its own equations, which are exact for so short a way; only a spot
    that still moved farther is looked at once more.
    """
    start = state.yx
    # all spots are on their way at first; from step to step fewer are
    windows = kit.image.windows(start, kit.templates.reach)
    extra = np.zeros((len(start), 8))
    rows = np.arange(len(start))
    for step in range(iterations):
        last = step == iterations - 1 or not len(rows)
        if last:
            rows = np.arange(len(start))
        # what the pixels of those say at their present places
        part, cut = state.select(rows), windows.select(rows)
        seen = kit.seen(part, cut, rest[rows])
        if step == 0:
            seen = replace(seen, usable=_calm(part.amplitude, seen))
            windows = replace(windows, usable=seen.usable)
        look = kit.look(part, seen, extra[rows], size[rows], TOLERANCE if last else _GLARING if step else None)
        move = solved(look.normal, look.right)
        bright = np.zeros(len(rows))
        if kit.columns:
            more = np.zeros((len(rows), 8))
            more[:, kit.columns] = move[:, 4:]
            extra[rows] += more
            part = part.topped(more, kit.dark)
            bright = np.abs(more[:, :2]).max(axis=1) * kit.templates.reach
        # a step is at most 0.7 px, about what a first-order expansion bears, and nobody leaves its surroundings
        yx = np.clip(part.yx + np.clip(move[:, :2], -0.7, 0.7), start[rows] - limit, start[rows] + limit)
        far = (np.abs(yx - part.yx).max(axis=1) > _NEAR) | (bright > _NEAR)
        part = replace(part, yx=yx, amplitude=part.amplitude + move[:, 2], background=part.background + move[:, 3])
        state = state.changed(rows, part)
        # who has left the middle pixel of its window gets another window
        out = rows[(np.abs(yx - cut.middle) > 0.6).any(axis=1)]
        if len(out):
            windows = windows.changed(out, kit.image.windows(state.yx[out], kit.templates.reach))
        rows = rows[far]
        if last:
            break
    # what is left over follows from the equations, but for those who moved far in the last step
    end = look.after(move)
    if len(rows):
        part = state.select(rows)
        seen = kit.seen(part, windows.select(rows), rest[rows])
        end = end.changed(rows, kit.look(part, seen, extra[rows], size[rows], TOLERANCE))
    return _summary(state, start, limit, end, kit, extra)


def _summary(state: SpotState, start: Floats, limit: float, end: _Look, kit: _Kit, extra: Floats) -> FittedSpots:
    chi2 = end.square / np.maximum(np.count_nonzero(end.weight, axis=1) - 4, 1)
    covariance = inverses(end.normal)
    if kit.noise is None:
        covariance = covariance * chi2[:, None, None]
    good = (np.abs(state.yx - start).max(axis=1) < 0.98 * limit) & (state.amplitude > 0) & np.isfinite(chi2)
    good &= np.isfinite(covariance).all(axis=(1, 2)) & (covariance[:, 0, 0] > 0) & (covariance[:, 1, 1] > 0)
    variance, lever, columns = np.zeros_like(extra), np.zeros_like(extra), kit.columns
    if columns:
        variance[:, columns] = np.abs(np.einsum("nii->ni", covariance)[:, 4:])
        moved = inverses(end.normal[:, :4, :4])[:, :2] @ end.normal[:, :4, 4:]
        # what goes along an axis moves along that axis
        lever[:, columns] = np.where(np.arange(len(columns)) % 2 == 0, moved[:, 0], moved[:, 1]) ** 2
    return FittedSpots(
        state.yx,
        state.amplitude,
        state.background,
        np.ascontiguousarray(covariance[:, :4, :4]),
        chi2,
        end.lost,
        good,
        extra,
        variance,
        lever,
        state.slope_a,
    )


def fit_spots(
    image: PreparedImage,
    state: SpotState,
    bank: TemplateBank,
    noise: Noise | None,
    *,
    iterations: int,
    limit: float,
    extra: Floats | tuple[float, float] = (0.0, 0.0),
    dark: float = 0.0,
    workers: int = 2,
) -> FittedSpots:
    """Fit the profile of a hole at every spot of `state`.

    Parameters
    ----------
    image : prepared with a padding of at least the reach of the templates
    bank : templates of the profile, made for this state
    noise : variance of the pixels, None for equal weights
    limit : farthest that a spot may move from its start along an axis, px
    extra : of the spots where it is above 0, one pair or (N, 2), more is fitted: the gradient of the light, expected to
        differ by so much (relative, per px) from the slopes of the start, and what comes on top of it from elsewhere,
        expected to be so large (in units of the amplitude)
    dark : what pixels read without light, holes positive: no gradient belongs to it
    workers : threads
    """
    # spots of one class of stretch go together, those that get a gradient apart, in pieces that fit the cache
    sizes = np.broadcast_to(np.asarray(extra, float), (len(state), 2))
    steep = (sizes[:, 0] > 0) & (np.hypot(*state.slope_a.T) > STEEP_LIGHT)
    kind = 8 * bank.label + 4 * steep + 2 * (sizes[:, 0] > 0) + (sizes[:, 1] > 0)
    order = np.argsort(kind, kind="stable")
    window = (2 * bank.templates[0].reach + 1) ** 2
    most = max(_CHUNK // window, _LEAST)
    pieces = []
    for rows in np.split(order, np.flatnonzero(np.diff(kind[order])) + 1):
        pieces += [rows[a : a + most] for a in range(0, len(rows), most)]

    def run(rows: AnyArray) -> FittedSpots:
        label, more = divmod(int(kind[rows[0]]), 8)
        lit, topped, ends = (bool(more & bit) for bit in (2, 1, 4))
        kit = _Kit(image, bank.templates[label], noise, dark, light=lit, ground=topped, steep=ends)
        return _fit_chunk(kit, state.select(rows), bank.rest[rows], sizes[rows], iterations=iterations, limit=limit)

    if workers > 1 and len(pieces) > 1 and len(state) * window > _WORTH_THREADS:
        with ThreadPoolExecutor(workers) as pool:
            parts = list(pool.map(run, pieces))
    else:
        parts = [run(piece) for piece in pieces]
    back = np.argsort(np.concatenate(pieces))
    return FittedSpots(*(np.concatenate([getattr(p, f.name) for p in parts])[back] for f in fields(FittedSpots)))


def looked_at(
    image: PreparedImage, state: SpotState, bank: TemplateBank
) -> Iterator[tuple[AnyArray, Windows, AnyArray, AnyArray]]:
    """What pixels say of spots as they stand, some at a time: their rows, windows, the levels (n, P) that are expected,
    and the derivatives of these by y, x, amplitude and background and last what is left over, (n, 5, P)."""
    most = max(_CHUNK // (2 * bank.templates[0].reach + 1) ** 2, _LEAST)
    for label, templates in enumerate(bank.templates):
        every = np.flatnonzero(bank.label == label)
        for rows in (every[a : a + most] for a in range(0, len(every), most)):
            windows = image.windows(state.yx[rows], templates.reach)
            seen = _Kit(image, templates, None, 0.0).seen(state.select(rows), windows, bank.rest[rows])
            yield rows, windows, seen.level, seen.rows
