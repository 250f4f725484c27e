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

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace

import numpy as np

from ...base.arrays import AnyArray, Bools, Floats, largest_of, select_rows
from ...base.normal import inverses, solved
from ...base.robust import spread
from ...records.spots import Noise
from .looks import Kit, Look, Pixels
from .model import SpotState
from .templates import TemplateBank
from .windows import PreparedImage, Windows

#: Pixels that are fitted at a time, and the least number of spots: few enough for the cache, enough for the calls not
#: to count.
_CHUNK, _LEAST = 1 << 17, 32
#: Below so many pixels threads wait for each other longer than they work.
_WORTH_THREADS = 500_000
#: A wild pixel is off by this share of the amplitude, since a learned profile is not perfect: in the last step, and
#: before.
TOLERANCE, _GLARING = 0.12, 0.8
#: So many windows tell the noise of a piece.
_ASKED = 50
#: Light that changes by more than this share per px is steep.
STEEP_LIGHT = 0.007
#: A ground with a slope of its own, two more numbers, is believed where chi square becomes less by so much, as chance
#: makes it once in twelve times: in vain it costs half of the precision, and where it is there, a place is off without.
_SHONE = 5.0
#: A spot has come near its place when a step is shorter than this, px, and changes the light at the rim of the window
#: by less than this share: the next one ends it.
NEAR = 0.03
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
        (:func:`~pyfai_gridcal.finding.holes.windows.odd_powers`)
    extra_variance : (N, 8) of these
    lever : (N, 8) square of the move along (y, x, y, x, ...), px^2, that 1 of each makes when it is left out
    slope : (N, 2) relative gradient of the light on the hole, all in all, per px
    unsure : (N, 2) variance of the place beyond what the pixels tell, px^2
    assumed : (N, 2) variance of the place that is alike at neighbours, since light was expected alike there, px^2
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
    unsure: Floats
    assumed: Floats

    @property
    def position_variance(self) -> Floats:
        """(N, 2) px^2."""
        return np.abs(np.einsum("nii->ni", self.covariance)[:, :2])

    def after(self, state: SpotState, dark: float | None) -> SpotState:
        """Where a fit that began at `state` has ended."""
        state = replace(state, yx=self.yx, amplitude=self.amplitude, background=self.background)
        return state.topped(self.extra, dark)


def _calm(amplitude: Floats, seen: Pixels) -> Bools:
    """Usable pixels without those that cannot belong to a hole: the start knows neither place nor noise, but nothing of
    a hole is off by more than its amplitude."""
    off = np.abs(seen.rows[:, -1])
    step = len(off) // _ASKED + 1
    some = off[::step][seen.usable[::step]]
    noise = spread(some, about=0.0) if len(some) else 0.0
    most = _HOT * np.maximum(amplitude, np.median(amplitude)) + 6 * noise
    out: Bools = seen.usable & (off < most[:, None].astype(np.float32))
    return out


def _fit_chunk(
    kit: Kit, state: SpotState, bank: TemplateBank, size: Floats, limit: float, iterations: int, *, ends: bool
) -> FittedSpots:
    """Gauss-Newton on some spots, which `ends` with these steps.

    Each spot takes as many steps as it needs to come near its place; then comes one step in which wild pixels do not
    count: while a fit is still on its way only the glaring ones are left out, for rims that are misplaced look wild,
    too. What that step leaves over follows from its own equations, which are exact for so short a way; only a spot
    that still moved farther is looked at once more.
    """
    start = state.yx
    # all spots are on their way at first; from step to step fewer are
    windows = kit.image.windows(start, kit.reach)
    extra = np.zeros((len(start), 8))
    rows = np.arange(len(start))
    for step in range(iterations):
        last = step == iterations - 1 or not len(rows)
        if last:
            rows = np.arange(len(start))
        # what the pixels of those say at their present places
        part, cut = state.select(rows), windows.select(rows)
        seen = kit.seen(part, cut, bank.select(rows))
        if step == 0:
            seen = replace(seen, usable=_calm(part.amplitude, seen))
            windows = replace(windows, usable=seen.usable)
        look = kit.look(part, seen, extra[rows], size[rows], TOLERANCE if last else _GLARING if step else None)
        part, more, move, far, covariance = _moved(kit, look, part, start[rows], limit)
        extra[rows] += more
        state = state.changed(rows, part)
        # who has left the middle pixel of its window gets another window
        out = rows[largest_of(part.yx - cut.middle) > 0.6]
        if len(out):
            windows = windows.changed(out, kit.image.windows(state.yx[out], kit.reach))
        rows = rows[far]
        if last:
            break
    # what is left over follows from the equations, but for those who moved far in the last step
    end = look.after(move)
    if ends and len(rows):
        part = state.select(rows)
        seen = kit.seen(part, windows.select(rows), bank.select(rows))
        again = kit.look(part, seen, extra[rows], size[rows], TOLERANCE)
        end, covariance[rows] = end.changed(rows, again), inverses(again.normal)
    return _summary(state, start, limit, end, kit, extra, covariance)


def _moved(
    kit: Kit, look: Look, state: SpotState, start: Floats, limit: float, core: Floats | None = None
) -> tuple[SpotState, Floats, Floats, Bools, Floats]:
    """Spots after one step, what is new (N, 8) beyond them, the step, who (N,) went far, and the covariances."""
    move, covariance = solved(look.normal, look.right, core)
    more, dark = np.zeros((len(start), 8)), kit.dark
    more[:, kit.columns] = move[:, 4:]
    part = state.topped(more, dark) if kit.columns else state
    # the equations tell by what a place moves times the amplitude, which has become another one
    grown = np.clip(1 + move[:, 2] / state.amplitude, 0.5, 2.0)
    # a step is at most 0.7 px, about what a first-order expansion bears, and nobody leaves its surroundings
    yx = np.clip(part.yx + np.clip(move[:, :2] / grown[:, None], -0.7, 0.7), start - limit, start + limit)
    far = _went_far(yx - part.yx, more, kit.reach)
    part = replace(part, yx=yx, amplitude=part.amplitude + move[:, 2], background=part.background + move[:, 3])
    return part, more, move, far, covariance


def _went_far(move: Floats, extra: Floats, reach: int) -> Bools:
    """(N,) whether a step `move` (N, 2), px, with what is new of `extra` (N, 8), changes the window by more than that
    of a spot which is near its place."""
    return np.asarray((largest_of(move) > NEAR) | (largest_of(extra[:, :2]) * reach > NEAR))


def _compare_chunk(
    kit: Kit, state: SpotState, bank: TemplateBank, size: Floats, limit: float
) -> tuple[FittedSpots, FittedSpots, FittedSpots]:
    """One step on some spots in three ways: with nothing more, with the ground, with the light."""
    windows = kit.image.windows(state.yx, kit.reach)
    seen = kit.seen(state, windows, bank)
    seen = replace(seen, usable=_calm(state.amplitude, seen))
    none = np.zeros((len(state), 8))
    every = kit.look(state, seen, none, np.full((len(state), 2), np.inf), TOLERANCE)
    core = inverses(every.normal[:, :4, :4])

    def way(light: bool, ground: bool) -> FittedSpots:
        one = replace(kit, light=light, ground=ground, steep=kit.steep and light)
        keep = np.r_[:4, 4 + np.array(one.columns, int)]
        look = replace(every, normal=every.normal[:, keep[:, None], keep], right=every.right[:, keep])
        look = look.stiffened(one.columns, none, one.expected(size))
        part, more, move, _, covariance = _moved(one, look, state, state.yx, limit, core)
        return _summary(part, state.yx, limit, look.after(move), one, more, covariance, core)

    return way(False, False), way(False, True), way(True, False)


def _summary(
    state: SpotState,
    start: Floats,
    limit: float,
    end: Look,
    kit: Kit,
    extra: Floats,
    covariance: Floats,
    core: Floats | None = None,
) -> FittedSpots:
    chi2 = end.square / np.maximum(np.count_nonzero(end.weight, axis=1) - 4, 1)
    if kit.noise is None:
        covariance = covariance * chi2[:, None, None]
    good = (largest_of(state.yx - start) < 0.98 * limit) & (state.amplitude > 0) & np.isfinite(chi2)
    good &= np.isfinite(covariance).all(axis=(1, 2)) & (covariance[:, 0, 0] > 0) & (covariance[:, 1, 1] > 0)
    variance, lever, columns = np.zeros_like(extra), np.zeros_like(extra), kit.columns
    if columns:
        variance[:, columns] = np.abs(np.einsum("nii->ni", covariance)[:, 4:])
        core = inverses(end.normal[:, :4, :4]) if core is None else core
        moved = core[:, :2] @ end.normal[:, :4, 4:]
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
        np.zeros_like(state.yx),
        np.zeros_like(state.yx),
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
    dark: float | None = 0.0,
    workers: int = 2,
) -> FittedSpots:
    """Fit the profile of a hole at every spot of `state`.

    Parameters
    ----------
    image : prepared with a padding of at least the reach of the templates
    bank : templates of the profile, made for this state
    noise : variance of the pixels, None for equal weights
    iterations : steps at most; most spots take one, to a place nearby
    limit : farthest that a spot may move from its start along an axis, px
    extra : of the spots where it is above 0, one pair or (N, 2), more is fitted: the gradient of the light, expected to
        differ by so much (relative, per px) from the slopes of the start, and what comes on top of it from elsewhere,
        expected to be so large (in units of the amplitude)
    dark : what pixels read without light, holes positive: no gradient belongs to it; None where all of the ground has
        light of its own
    workers : threads
    """
    sizes = np.broadcast_to(np.asarray(extra, float), (len(state), 2))
    lit = sizes[:, 0] > 0

    def fit(which: AnyArray, steps: int, steep: bool) -> FittedSpots:
        def run(part: AnyArray) -> tuple[FittedSpots]:
            rows = which[part]
            size = sizes[rows]
            light, ground = (size[0] > 0).tolist()
            kit = Kit(image, bank.reach, noise, dark, light=light, ground=ground, steep=steep and light)
            ends = steps == iterations
            return (_fit_chunk(kit, state.select(rows), bank.select(rows), size, limit, steps, ends=ends),)

        # those that get a gradient go apart
        return _in_pieces(run, bank, (2 * lit + (sizes[:, 1] > 0))[which], workers)[0]

    # most lie near their places from the start, and no pixel of theirs is wild: these end after one step
    own = dark is None
    found = fit(np.arange(len(state)), 1, own)
    if iterations > 1:
        far = _went_far(found.yx - state.yx, found.extra, bank.reach)
        renew(found, far | (found.lost > 0), lambda rows: fit(rows, iterations, own))
    steep = np.flatnonzero(lit & (np.hypot(*state.slope_a.T) > STEEP_LIGHT) & (not own))
    if len(steep):
        # brighter neighbours may shine onto the ground; what they do takes the place of light that is looked for
        shone = fit(steep, iterations, True)
        gain = (found.chi2[steep] - shone.chi2) * (2 * bank.reach + 1) ** 2
        better = (gain > _SHONE) | ~found.good[steep]
        which = np.zeros(len(state), bool)
        which[steep[better]] = True
        renew(found, which, lambda _: select_rows(shone, better, *vars(shone)))
    return found


def renew(found: FittedSpots, which: Bools, fit: Callable[[AnyArray], FittedSpots]) -> None:
    """Put what this `fit` finds of those `which` (N,) in the place of what was found: columns of nobody else."""
    rows = np.flatnonzero(which)
    if len(rows):
        new = fit(rows)
        for name, column in vars(found).items():
            column[rows] = getattr(new, name)


def compared(
    image: PreparedImage,
    state: SpotState,
    bank: TemplateBank,
    noise: Noise,
    *,
    sizes: tuple[float, float],
    limit: float,
    dark: float | None,
    workers: int = 2,
) -> tuple[FittedSpots, ...]:
    """One step of :func:`fit_spots` in three ways at the cost of one: with nothing more, with the ground, and with the
    gradient of the light, expected to be of these `sizes`. Who goes far is not looked at again."""

    def run(rows: AnyArray) -> tuple[FittedSpots, ...]:
        kit = Kit(image, bank.reach, noise, dark, light=True, ground=True, steep=dark is None)
        return _compare_chunk(kit, state.select(rows), bank.select(rows), np.tile(sizes, (len(rows), 1)), limit)

    return _in_pieces(run, bank, np.zeros(len(state), int), workers)


def _in_pieces(
    run: Callable[[AnyArray], tuple[FittedSpots, ...]], bank: TemplateBank, kind: AnyArray, workers: int
) -> tuple[FittedSpots, ...]:
    """What is found of rows of spots of one `kind` (N,), in pieces that fit the cache."""
    order = np.argsort(kind, kind="stable")
    window = (2 * bank.reach + 1) ** 2
    most = max(_CHUNK // window, _LEAST)
    pieces = []
    for rows in np.split(order, np.flatnonzero(np.diff(kind[order])) + 1):
        pieces += [rows[a : a + most] for a in range(0, len(rows), most)]

    # each piece goes to its place at once: all of them beside the whole would take twice the memory
    first = run(pieces[0])
    names = [f.name for f in fields(FittedSpots)]
    columns = [
        [np.empty((len(kind), *getattr(way, n).shape[1:]), getattr(way, n).dtype) for n in names] for way in first
    ]

    def work(rows: AnyArray) -> None:
        for way, whole in zip(first if rows is pieces[0] else run(rows), columns, strict=True):
            for column, name in zip(whole, names, strict=True):
                column[rows] = getattr(way, name)

    if workers > 1 and len(pieces) > 1 and len(kind) * window > _WORTH_THREADS:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, pieces))
    else:
        for piece in pieces:
            work(piece)
    return tuple(FittedSpots(*whole) for whole in columns)


def looked_at(
    image: PreparedImage, state: SpotState, bank: TemplateBank
) -> Iterator[tuple[AnyArray, Windows, AnyArray, AnyArray]]:
    """What pixels say of spots as they stand, some at a time: their rows, windows, the levels (n, P) that are expected,
    and the derivatives of these by y, x, amplitude and background and last what is left over, (n, 5, P)."""
    most = max(_CHUNK // (2 * bank.reach + 1) ** 2, _LEAST)
    for start in range(0, len(state), most):
        rows = np.arange(start, min(start + most, len(state)))
        windows = image.windows(state.yx[rows], bank.reach)
        seen = Kit(image, bank.reach, None, 0.0).seen(state.select(rows), windows, bank.select(rows))
        yield rows, replace(windows, usable=seen.usable), seen.level, seen.rows
