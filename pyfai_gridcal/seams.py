"""Where a field jumps: tiles from the gaps of a mask, and seams from the jumps between neighbouring points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ._typing import AnyArray, Bools, Floats, Ints

__all__ = ["Seam", "find_seams", "labels_of_mask", "labels_of_seams", "seam_strips"]


@dataclass(frozen=True)
class Seam:
    """A straight seam parallel to an axis of the image.

    Attributes
    ----------
    axis : 0 for a seam between rows (y = const), 1 for one between columns
    low, high : it lies between these two places along that axis, px, index frame
    share : part of the pairs of neighbours across it that jump
    jump_px : median size of the jump, px
    """

    axis: int
    low: float
    high: float
    share: float
    jump_px: float

    @property
    def middle(self) -> float:
        """Best guess of its place, px, index frame."""
        return (self.low + self.high) / 2


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
    new = np.full(count + 1, -1, dtype=np.int16)
    new[large] = np.arange(len(large))
    labels = new[parts]
    if (labels < 0).any():
        nearest = ndimage.distance_transform_edt(labels < 0, return_distances=False, return_indices=True)
        labels = labels[tuple(nearest)]
    return np.asarray(labels)


def labels_of_seams(seams: tuple[Seam, ...], shape: tuple[int, int]) -> AnyArray:
    """Tile (slow, fast) of each pixel for seams that cross the whole image, numbered from 0 in reading order."""
    row, column = (
        np.searchsorted(np.sort([s.middle for s in seams if s.axis == axis]), np.arange(n))
        for axis, n in enumerate(shape)
    )
    return np.asarray(row[:, None] * (column.max() + 1) + column[None, :], dtype=np.int16)


def seam_strips(seams: tuple[Seam, ...], shape: tuple[int, int]) -> Bools:
    """Pixels (slow, fast) that may be on either side of a seam."""
    out = np.zeros(shape, dtype=bool)
    for s in seams:
        inside = slice(max(0, int(np.floor(s.low)) + 1), max(0, int(np.ceil(s.high))))
        out[(slice(None), inside) if s.axis else inside] = True
    return out


def find_seams(yx: Floats, ij: Ints, d: Floats, *, limit: float = 8.0, least_share: float = 0.4) -> tuple[Seam, ...]:
    """Straight seams parallel to the axes across which the displacement jumps.

    Along each row of the lattice the values on the two sides of a pair of neighbours are carried on as straight lines
    to the middle between them; what they differ by is the jump. A seam is a place where most of the pairs astride of
    it jump.

    Parameters
    ----------
    yx, ij, d : (N, 2) points, their nodes and their displacement, px
    limit : size of a jump in units of the scatter of all such differences
    least_share : of the pairs across a seam that must jump
    """
    ends, jumps, peak = _links(yx, ij, d)
    if len(jumps) < 12:
        return ()
    size = np.hypot(*jumps.T)
    scale = 1.4826 * float(np.median(np.abs(jumps)))
    strong = peak & (size > limit * max(scale, 1e-3))
    found = []
    for axis in (0, 1):
        low, high = np.sort(ends[:, :, axis], axis=1).T
        across = (high - low) > 0.35 * np.hypot(*(ends[:, 1] - ends[:, 0]).T)
        found += _along(axis, low[across], high[across], strong[across], size[across], least_share)
    return tuple(found)


def _links(yx: Floats, ij: Ints, d: Floats) -> tuple[Floats, Floats, Bools]:
    """Pairs of neighbours with a further one on each side.

    Ends (L, 2, 2), jumps (L, 2), and which are largest on their line.
    """
    at = ij - ij.min(axis=0) + 3
    table = np.full(at.max(axis=0) + 4, -1)
    table[tuple(at.T)] = np.arange(len(ij))
    ends, jumps, peaks = [], [], []
    for step in ((1, 0), (0, 1)):
        a, b, c, e = (table[tuple((at + k * np.array(step)).T)] for k in (-1, 0, 1, 2))
        good = (a >= 0) & (c >= 0) & (e >= 0)
        jump = np.zeros((len(d) + 1, 2))  # the last one stands for what is not there
        a, b, c, e = a[good], b[good], c[good], e[good]
        jump[:-1][good] = 1.5 * (d[c] - d[b]) - 0.5 * (d[e] - d[a])
        beside = [jump[table[tuple((at + k * np.array(step)).T)]] for k in (-2, -1, 1, 2)]
        ends.append(np.stack([yx[b], yx[c]], axis=1))
        jumps.append(jump[:-1][good])
        peaks.append(_step_like(jump[:-1], beside)[good])
    return np.concatenate(ends), np.concatenate(jumps), np.concatenate(peaks)


def _step_like(jump: Floats, beside: list[Floats]) -> Bools:
    """Whether jumps along a line go as -1/2, 1, -1/2 and nothing beyond, as those of a step do; a ridge is broader."""
    square = np.maximum((jump**2).sum(axis=1), 1e-30)
    far_before, before, after, far_after = ((b * jump).sum(axis=1) / square for b in beside)
    out = np.ones(len(jump), dtype=bool)
    for near, far in ((before, far_before), (after, far_after)):
        out &= (near == 0) | ((near > -0.75) & (near < -0.25))
        out &= np.abs(far) < 0.25
    return out


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
    found: list[Seam] = []
    likely = (share >= least_share) & (jumping >= 4)
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
