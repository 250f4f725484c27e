"""Where a field jumps: tiles from the gaps of a mask, and seams from the jumps between neighbouring points."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ...base.arrays import AnyArray, Bools, Floats, Ints
from ...base.robust import spread
from ...records.field import without_gaps
from ...records.nodes import NodeTable

__all__ = ["Seam", "find_seams", "labels_of_mask", "labels_of_seams", "seam_strips"]

#: Pairs of neighbours that lie across a seam do so by this share of their distance: a line at 20 degrees
#: from it tells little of where it is.
_ACROSS = 0.35


@dataclass(frozen=True)
class Seam:
    """A straight seam across the whole image, parallel to one of its axes or slanted.

    Attributes
    ----------
    axis : 0 for a seam between rows (y = const), 1 for one between columns; of a slanted one, what it is nearer to
    low, high : it lies between these two places along that axis, px, index frame; of a slanted one where it meets
        the axis, the other coordinate being 0
    share : part of the pairs of neighbours across it that jump
    jump_px : median size of the jump, px
    slope : px along `axis` for each px along the other one, -1 .. 1
    ways : (slope, low, high) of all slanted lines that it can be, as far as is known
    """

    axis: int
    low: float
    high: float
    share: float
    jump_px: float
    slope: float = 0.0
    ways: tuple[tuple[float, float, float], ...] = ()

    @property
    def middle(self) -> float:
        """Best guess of its place, px, index frame."""
        return (self.low + self.high) / 2

    def place(self, yx: Floats) -> Floats:
        """Where points (..., 2) lie across it, (...), px along its axis: to be compared with `low` and `high`."""
        return np.asarray(yx[..., self.axis] - self.slope * yx[..., 1 - self.axis])

    def __str__(self) -> str:
        along, other = ("y", "x") if self.axis == 0 else ("x", "y")
        turn = f" {'+-'[self.slope < 0]} {abs(self.slope):.4f} {other}" if self.slope else ""
        return f"{along} = {self.middle:.1f} ± {(self.high - self.low) / 2:.1f}{turn}"


def labels_of_mask(mask: AnyArray, *, least_share: float = 0.02) -> AnyArray:
    """Tile (slow, fast) of each pixel: the connected parts of what is not masked, numbered from 0 in reading order.

    Parts smaller than `least_share` of the largest one (islands between dead pixels) join the nearest tile, and so does
    what is masked. Gaps of a single pixel separate.
    """
    parts, count = ndimage.label(~np.asarray(mask, dtype=bool))
    if count == 0:
        return np.zeros(np.shape(mask), dtype=np.int16)
    size = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    large = np.flatnonzero(size >= least_share * size.max()) + 1
    if len(large) == 1:
        return np.zeros(np.shape(mask), dtype=np.int16)
    new = np.full(count + 1, -1, dtype=np.int16)
    new[large] = np.arange(len(large))
    return without_gaps(new[parts])


def labels_of_seams(seams: tuple[Seam, ...], shape: tuple[int, int]) -> AnyArray:
    """Tile (slow, fast) of each pixel for seams that cross the whole image, numbered from 0 in reading order."""
    if any(s.slope for s in seams):
        side = np.zeros(shape, dtype=np.int64)
        for k, s in enumerate(seams):
            side |= (_places(s, shape) > s.middle).astype(np.int64) << k
        _, first, tile = np.unique(side, return_index=True, return_inverse=True)
        return np.argsort(np.argsort(first)).astype(np.int16)[tile.reshape(shape)]
    row, column = (
        np.searchsorted(np.sort([s.middle for s in seams if s.axis == axis]), np.arange(n))
        for axis, n in enumerate(shape)
    )
    return np.asarray(row[:, None] * (column.max() + 1) + column[None, :], dtype=np.int16)


def seam_strips(seams: tuple[Seam, ...], shape: tuple[int, int]) -> Bools:
    """Pixels (slow, fast) that may be on either side of a seam."""
    out = np.zeros(shape, dtype=bool)
    for s in seams:
        if s.slope:
            other = np.arange(shape[1 - s.axis])
            slope, low, high = np.array(s.ways or ((s.slope, s.low, s.high),)).T[:, :, None]
            first, last = (low + slope * other).min(axis=0), (high + slope * other).max(axis=0)
            at = np.arange(shape[s.axis])[:, None]
            strip = (at > first - 0.5) & (at < last + 0.5)
            out |= strip.T if s.axis else strip
            continue
        inside = slice(max(0, int(np.floor(s.low)) + 1), max(0, int(np.ceil(s.high))))
        out[(slice(None), inside) if s.axis else inside] = True
    return out


def _places(seam: Seam, shape: tuple[int, int]) -> Floats:
    """Where the pixels (slow, fast) lie across a seam, px along its axis."""
    y, x = np.arange(shape[0])[:, None], np.arange(shape[1])[None, :]
    return np.asarray(y - seam.slope * x if seam.axis == 0 else x - seam.slope * y)


def find_seams(yx: Floats, ij: Ints, d: Floats, *, limit: float = 8.0, least_share: float = 0.4) -> tuple[Seam, ...]:
    """Straight seams across which the displacement jumps: parallel to the axes, or slanted where those do not explain
    most of the jumps.

    Along each row of the lattice the values on the two sides of a pair of neighbours are carried on as straight lines
    to the middle between them; what they differ by is the jump. A seam is a place where most of the pairs astride of
    it jump.

    Parameters
    ----------
    yx, ij, d : (N, 2) points, their nodes and their displacement, px
    limit : size of a jump in units of the scatter of all such differences
    least_share : of the pairs across a seam that must jump
    """
    links = _links(yx, ij, d, limit)
    if links is None or len(links.size) < 12:
        return ()
    strong = links.strong
    # what lies beside a hole that a seam cuts has half of the jump, and says nothing
    halves = np.isin(links.holes[:, :2], links.holes[strong & links.astride, 2]).any(axis=1)
    keep = np.where(links.astride, strong, ~halves)
    # seams along the axes, each from the jumps of all pairs that lie across it
    found, long = [], np.hypot(*(links.ends[:, 1] - links.ends[:, 0]).T)
    for axis in (0, 1):
        low, high = np.sort(links.ends[:, :, axis], axis=1).T
        across = keep & ((high - low) > _ACROSS * long)
        found += _along(axis, low[across], high[across], strong[across], links.size[across], least_share)
    # slanted ones only where those leave jumps unexplained
    jumping = links.ends[keep & strong]
    straight = _explained(jumping, found)
    if straight.sum() >= _MOSTLY * len(jumping) or len(jumping) < _SLANTED:
        return tuple(found)
    slanted = _slanted(links, keep)
    return tuple(slanted if _explained(jumping, slanted).sum() > _MORE * straight.sum() else found)


#: Share of the jumps that seams along the axes explain when there are no slanted ones, which must explain more by a
#: factor.
_MOSTLY, _MORE = 0.9, 1.1
#: Fewest jumps that make a seam, and a slanted one, and their share of the pairs across that: there are many more lines
#: than along the axes, so more may look like one by chance.
_FEWEST, _SLANTED, _SLANTED_SHARE = 4, 8, 0.6


def _explained(ends: Floats, seams: list[Seam]) -> Bools:
    """Which jumps between two places (L, 2, 2) lie astride of some seam."""
    out = np.zeros(len(ends), dtype=bool)
    for seam in seams:
        low, high = np.sort(seam.place(ends), axis=1).T
        out |= (low < seam.middle) & (high > seam.middle)
    return out


def _slanted(links: _Links, keep: Bools) -> list[Seam]:
    """Slanted seams, one after the other: the line that most jumps lie across, among those not yet explained."""
    long = np.hypot(*(links.ends[:, 1] - links.ends[:, 0]).T)
    spacing = float(np.median(long))
    rest = keep & links.strong
    found: list[Seam] = []
    while rest.sum() >= _SLANTED:
        crossed, axis, slope = max(_best_slope(links.ends[rest], axis, spacing) for axis in (0, 1))
        line = Seam(axis, 0.0, 0.0, 0.0, 0.0, slope)
        low, high = np.sort(line.place(links.ends), axis=1).T
        across = keep & (high - low > _ACROSS * long * np.hypot(1, slope))
        seams = _along(axis, low[across], high[across], rest[across], links.size[across], _SLANTED_SHARE)
        if crossed < _SLANTED or not seams:
            break
        best = max(seams, key=lambda seam: seam.share)
        # where it lies, and how much it slants, is for the holes beside it to say
        reach = 0.75 * spacing
        best = replace(best, slope=slope, low=best.middle - reach, high=best.middle + reach)
        low, high = np.sort(best.place(links.ends), axis=1).T
        beside = (low < best.high) & (high > best.low)
        if not (beside & rest).any():
            break
        rest &= ~beside
        found.append(best)
    return found


def _best_slope(ends: Floats, axis: int, spacing: float) -> tuple[int, int, float]:
    """(number of jumps across it, axis, slope) of the line that most jumps (L, 2, 2) lie across."""
    step = spacing / max(float(np.ptp(ends[:, :, 1 - axis])), spacing)
    long = np.hypot(*(ends[:, 1] - ends[:, 0]).T)

    def crossed(slope: float) -> int:
        low, high = np.sort(ends[:, :, axis] - slope * ends[:, :, 1 - axis], axis=1).T
        wide = high - low > _ACROSS * long * np.hypot(1, slope)
        low, high = np.sort(low[wide]), np.sort(high[wide])
        return int((np.arange(1, len(low) + 1) - np.searchsorted(high, low, side="right")).max(initial=0))

    coarse = np.linspace(-1, 1, 2 * int(np.ceil(1 / step)) + 1)
    middle = max(coarse, key=crossed)
    fine = np.clip(middle + step * np.linspace(-1, 1, 17), -1, 1)
    counts = np.array([crossed(slope) for slope in fine])
    return int(counts.max()), axis, float(np.median(fine[counts == counts.max()]))


@dataclass(frozen=True, eq=False)
class _Links:
    """Jumps along the lines of the lattice: between two neighbours, or from one neighbour of a hole to the other.

    Attributes
    ----------
    ends : (L, 2, 2) px, between which the jump is
    size : (L,) of the jump, px
    strong : (L,) whether it is beyond the limit, and the values around are those of a step
    holes : (L, 3) rows of the points at the ends, and of the one between (-1: none)
    astride : (L,) whether there is a hole between, which a seam may cut
    """

    ends: Floats
    size: Floats
    strong: Bools
    holes: Ints
    astride: Bools


#: Places along a line and their weights, over a hole in the middle that a seam may cut: straight lines through the two
#: points on each side, carried on to the middle.
_ASTRIDE = ((-2, -1, 1, 2), (1.0, -2.0, 2.0, -1.0))
#: Most steps of the lattice from one hole to the next one that is there: a seam may take two rows of holes with it; and
#: to the farthest hole that is looked at.
_WIDEST, _REACH = 3, 4


@dataclass(frozen=True)
class _Kind:
    """One way to see a jump: from which points along a line, counted from one, and with which weights.

    Attributes
    ----------
    places, weights : of the four points
    steps : of the lattice from the second place to the third
    astride : whether the point itself is in between, which a seam may cut
    """

    places: tuple[int, int, int, int]
    weights: tuple[float, float, float, float]
    steps: int
    astride: bool = False

    @classmethod
    def between(cls, steps: int) -> _Kind:
        """From one point to the next that is there, so many steps away."""
        half = steps / 2
        return cls((-1, 0, steps, steps + 1), (half, -1 - half, 1 + half, -half), steps)

    @property
    def noise(self) -> float:
        """Error of the jump, in units of that between neighbours."""
        return float(np.linalg.norm(self.weights) / np.sqrt(5))

    @property
    def bend(self) -> float:
        """What the field's third derivative adds to the jump, in units of that between neighbours."""
        half = self.steps / 2
        return half * (half + 1) * (2 * half + 1) / 1.5


def _links(yx: Floats, ij: Ints, d: Floats, limit: float) -> _Links | None:
    """All jumps along both axes of the lattice; `limit` is that of the strong ones, in units of their scatter. None of
    fewer than a seam has, as in most images."""
    # a table of the nodes, in one line, so wide that a step along an axis is the same way through it everywhere
    wide = np.pad(NodeTable.of(ij).cells, _REACH, constant_values=-1)
    rows = wide.ravel()
    values = np.concatenate([d, np.full((1, 2), np.nan)]).take(rows, axis=0)
    ways = [*map(_Kind.between, range(1, _WIDEST + 1)), _Kind(*_ASTRIDE, steps=2, astride=True)]
    # jumps along both axes; those between neighbours tell the scatter
    plain = [(step, *_jumps(rows, values, step, ways[0])) for step in (wide.shape[1], 1)]
    known = np.concatenate([np.abs(jump[good]).ravel() for _, jump, good in plain])
    scale = max(spread(known, about=0.0) if known.size else 0.0, 1e-3)
    # strong ones are beyond the limit, and look like a step
    seen: list[tuple[int, _Kind, Ints, Floats, Bools]] = []
    for step, beside, known_beside in plain:
        for way in ways:
            jump, good = (beside, known_beside) if way is ways[0] else _jumps(rows, values, step, way)
            size = np.hypot(*jump[good].T)
            strong = size > limit * scale * way.noise
            large = good[strong]
            of = jump if way.astride else beside
            strong[strong] = _looks_so(way, jump[large], {k: of[large + k * step] for k in range(-_REACH, _REACH + 1)})
            seen.append((step, way, good, size, strong))
    if sum(int(strong.sum()) for *_, strong in seen) < _FEWEST:
        return None
    parts: list[tuple[Floats, Floats, Bools, Ints, Bools]] = []
    for step, way, good, size, strong in seen:
        b, c = rows[good + way.places[1] * step], rows[good + way.places[2] * step]
        ends = np.stack([yx[b], yx[c]], axis=1)
        # a hole in the middle is cut, or gone because it was, so the seam is near it
        if way.steps > 1:
            ends = ends + (0.5 - 0.5 / way.steps) * (ends[:, ::-1] - ends)
        holes = np.stack([b, c, rows[good] if way.astride else np.full(len(b), -1)], axis=1)
        parts.append((ends, size, strong, holes, np.full(len(b), way.astride)))
    return _Links(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _jumps(rows: Ints, values: Floats, step: int, way: _Kind) -> tuple[Floats, Ints]:
    """Jump (M, 2) along one axis at each cell of a table of nodes, so many cells a step, and where it is known.
    `rows` (M,) are the points, -1 for none, `values` (M, 2) their displacement, NaN for none."""
    at = {k: slice((_REACH + k) * step, len(rows) + (k - _REACH) * step) for k in range(-_REACH, _REACH + 1)}
    jump = np.full_like(values, np.nan)
    jump[at[0]] = sum(weight * values[at[k]] for k, weight in zip(way.places, way.weights, strict=True))
    known = np.isfinite(jump[:, 0]) & (rows >= 0)
    for k in range(1, 1 if way.astride else way.steps):
        known[at[0]] &= rows[at[k]] < 0
    jump[~known] = 0
    return jump, np.flatnonzero(known)


def _looks_so(way: _Kind, jump: Floats, beside: dict[int, Floats]) -> Bools:
    """Whether jumps are those of a step, from the jumps `beside` them along the line."""
    if way.astride:
        return _step_astride(jump, beside)
    return _step_like(jump, beside) if way.steps == 1 else _step_over(way, jump, beside)


def _step_like(jump: Floats, beside: dict[int, Floats]) -> Bools:
    """Whether jumps along a line go as -1/2, 1, -1/2 and nothing beyond, as those of a step do; a ridge is broader."""
    share = _shares(jump, beside)
    out = np.ones(len(jump), dtype=bool)
    for sign in (-1, 1):
        near = share[sign]
        out &= (near == 0) | ((near > -0.75) & (near < -0.25))
        out &= np.abs(share[2 * sign]) < 0.25
    return out


def _step_over(way: _Kind, jump: Floats, beside: dict[int, Floats]) -> Bools:
    """The same where holes are missing in between: on both sides the field must bend too little to make the jump."""
    share = _shares(jump, beside)
    return np.asarray((np.abs(share[-2]) < 1 / way.bend) & (np.abs(share[way.steps + 1]) < 1 / way.bend))


def _step_astride(jump: Floats, beside: dict[int, Floats]) -> Bools:
    """The same for jumps over a hole that has a part t of the step: 0, -t, 2t - 1, 1, 1 - 2t, t - 1, 0.

    A hole that has nothing or all of it is not cut: the step is then between two neighbours.
    """
    share = _shares(jump, beside)
    out = np.all([(beside[k] != 0).any(axis=1) for k in (-2, -1, 1, 2)], axis=0)
    for sign in (-1, 1):
        part = -share[2 * sign]
        out &= (part > 0.12) & (part < 0.88) & (np.abs(share[sign] - 2 * part + 1) < 0.5)
        out &= np.abs(share[3 * sign]) < 0.25
    out &= np.abs(share[2] + share[-2] + 1) < 0.25
    return np.asarray(out)


def _shares(jump: Floats, beside: dict[int, Floats]) -> dict[int, Floats]:
    """Jumps further along the line in units of this one."""
    square = np.maximum((jump**2).sum(axis=1), 1e-30)
    return {k: (b * jump).sum(axis=1) / square for k, b in beside.items()}


def _along(axis: int, low: Floats, high: Floats, strong: Bools, size: Floats, least_share: float) -> list[Seam]:
    """Seams across one axis, from the intervals that pairs of neighbours span along it."""
    if not strong.any():
        return []
    start = np.floor(min(low.min(), 0.0))
    places = np.arange(start, np.ceil(high.max()) + 1, 0.5)

    def covering(which: Bools) -> Ints:
        first, last = np.searchsorted(places, low[which]), np.searchsorted(places, high[which])
        steps = np.bincount(first, minlength=len(places) + 1) - np.bincount(last, minlength=len(places) + 1)
        return np.cumsum(steps)[: len(places)]

    every, jumping = covering(np.ones(len(low), dtype=bool)), covering(strong)
    share = jumping / np.maximum(every, 1)
    # each run of places that most pairs jump over is a seam, between the innermost holes on both sides
    found: list[Seam] = []
    likely = (share >= least_share) & (jumping >= _FEWEST)
    runs, count = ndimage.label(likely)
    for k in range(1, count + 1):
        run = np.flatnonzero(runs == k)
        top = jumping[run].max()
        best = run[jumping[run] >= 0.9 * top]
        middle = places[best].mean()
        members = strong & (low < middle) & (high > middle)
        inner_low = float(np.quantile(low[members], 0.98))
        inner_high = float(np.quantile(high[members], 0.02))
        if inner_low > inner_high:
            inner_low = inner_high = (inner_low + inner_high) / 2
        found.append(Seam(axis, inner_low, inner_high, float(share[best].mean()), float(np.median(size[members]))))
    return found
