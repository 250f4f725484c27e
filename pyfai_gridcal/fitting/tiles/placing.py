"""Where a seam lies to the pixel, and which holes it cuts.

Jumps between neighbouring holes leave a seam anywhere between these. The holes beside it tell more: the fields of both
sides, carried on to a hole near the seam, say to which side it belongs. A hole that the seam cuts belongs to neither,
since its picture is two halves moved apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...base.arrays import Bools, Floats, Ints
from ...base.errors import FittingError
from ...records.field import TiledField
from ..recipe import FieldFit, Sample
from ..spline.recipe import BSpline
from .seams import Seam, labels_of_seams
from .tiles import fit_tiles

__all__ = ["PlacedSeams", "near_seams", "placed_seams"]

#: Holes are at most half a pitch wide: farther than this from a seam, in pitches, none is cut.
_REACH = 0.35
#: A cut hole misses both sides by this part of the jump, and by so many times what whole holes miss their field by.
_BETWEEN, _TIMES = 0.1, 3.0
#: No seam comes nearer to the middle of a whole hole than this part of its radius: a fifth of the hole would be beyond
#: it, and such a hole is known to be cut.
_WHOLE = 0.5
#: Fewest holes beside a seam that can place it: two on each side.
_FEWEST = 4
#: How near holes behind those beside a slanted seam are, spacings: it is half as wide, and its ends turn by one and a
#: half.
_BEHIND = 3.0


@dataclass(frozen=True, eq=False)
class PlacedSeams:
    """Seams between the last hole of one side and the first of the other.

    Attributes
    ----------
    seams : as they were found, with narrower limits
    cut : (N,) points that lie on a seam, and belong to no side
    """

    seams: tuple[Seam, ...]
    cut: Bools


def placed_seams(sample: Sample, seams: tuple[Seam, ...], *, hole_diameter_px: float = 0.0) -> PlacedSeams:
    """Place seams by the holes beside them.

    Parameters
    ----------
    sample : points with their displacement
    seams : seams across the whole image, as :func:`~pyfai_gridcal.fitting.tiles.seams.find_seams` gives them
    hole_diameter_px : diameter of a hole, px; 0 if it is not known
    """
    # tiles without the holes near seams tell what the field of each side is there
    near = near_seams(sample, seams)
    clear = sample.used & ~near.any(axis=0)
    try:
        tiles = fit_tiles(replace(sample, used=clear), labels_of_seams(seams, sample.shape), (BSpline(orders=(3,)),))
    except FittingError:
        return PlacedSeams(seams, np.zeros(len(sample), dtype=bool))
    cut = np.zeros(len(sample), dtype=bool)
    known_side = np.full((len(seams), len(sample)), np.nan)
    turned = []
    for seam, beside, sides in zip(seams, near, known_side, strict=True):
        rows = np.flatnonzero(beside & sample.used & (near.sum(axis=0) == 1))
        side, jump = _sides(sample, tiles.fit, seam, rows, frozenset(tiles.empty))
        known = np.isfinite(side) & (jump > 0)
        rows, side, jump = rows[known], side[known], jump[known]
        # first how much it slants, then where it lies; whoever misses both sides is cut
        if seam.slope and len(rows):
            seam = _turned(seam, *_with_sure(seam, sample, beside, (rows, side, jump)), sample.spacing)
        turned.append(_parting(seam, seam.place(sample.yx[rows]), side, jump))
        sides[rows] = side
        miss = np.minimum(np.abs(side), np.abs(1 - side)) * jump
        typical = float(np.median(np.abs(tiles.fit.held_out[tiles.fit.used])))
        cut[rows] |= miss > np.maximum(_BETWEEN * jump, _TIMES * 1.5 * typical)
    # whole holes, seen on one side, bound what lies between
    whole = sample.used & ~cut & (near.sum(axis=0) < 2)
    placed = tuple(
        _bounded(s, sample, whole, side, _WHOLE * hole_diameter_px / 2)
        for s, side in zip(turned, known_side, strict=True)
    )
    return PlacedSeams(placed, cut)


def near_seams(sample: Sample, seams: tuple[Seam, ...]) -> Bools:
    """(seams, N) points that may be cut by a seam, or lie on the wrong side of its middle."""
    reach = _REACH * sample.spacing
    at = [seam.place(sample.yx) for seam in seams]
    return np.array([(a > s.low - reach) & (a < s.high + reach) for a, s in zip(at, seams, strict=True)])


def _sides(sample: Sample, fit: FieldFit, seam: Seam, rows: Ints, empty: frozenset[int]) -> tuple[Floats, Floats]:
    """Where points lie between what both sides make of them: 0 on the lower side, 1 on the upper; and the jump, px."""
    field = fit.field
    assert isinstance(field, TiledField)
    yx, width = sample.yx[rows], seam.high - seam.low + 2 * _REACH * sample.spacing
    values = []
    for sign in (-1, 1):
        beside = yx.copy()
        beside[:, seam.axis] = seam.middle + sign * width + seam.slope * yx[:, 1 - seam.axis]
        tile = field.label_at(beside)
        value = np.full(yx.shape, np.nan)
        for k in set(np.unique(tile).tolist()) - empty:
            value[tile == k] = field.fields[k].at(yx[tile == k])
        values.append(value)
    step = values[1] - values[0]
    square = (step**2).sum(axis=1)
    side = ((sample.d[rows] - values[0]) * step).sum(axis=1) / np.maximum(square, 1e-30)
    return side, np.sqrt(square)


def _with_sure(
    seam: Seam, sample: Sample, beside: Bools, known: tuple[Ints, Floats, Floats]
) -> tuple[Floats, Floats, Floats]:
    """Places, side and jump of the holes beside a slanted seam that tell theirs, and of those behind, which lie on one
    side however it turns: the former may all be of one side, and leave the other end free.
    """
    rows, side, jump = known
    at = seam.place(sample.yx)
    behind = np.flatnonzero(sample.used & ~beside & (np.abs(at - seam.middle) < _BEHIND * sample.spacing))
    return (
        sample.yx[np.append(rows, behind)],
        np.append(side, at[behind] > seam.middle),
        np.append(jump, np.full(len(behind), np.median(jump))),
    )


def _turned(seam: Seam, yx: Floats, side: Floats, jump: Floats, spacing: float) -> Seam:
    """A slanted seam with the slope by which holes are best told apart; of several such, by the widest gap."""
    if len(yx) < _FEWEST:
        return seam
    along = yx[:, 1 - seam.axis]
    pivot = float(along.mean())
    best = (np.inf, seam.slope)
    for slope in seam.slope + _turns(along, spacing):
        at = yx[:, seam.axis] - slope * along
        order = np.argsort(at)
        below, above = _mistaken(side[order], jump[order])
        k = int(np.argmin(below + above))
        gap = float(at[order[k]] - at[order[k - 1]]) if 0 < k < len(at) else 0.0
        # a spot's own error is worth no turn
        cost = max(float(below[k] + above[k]), 0.2 * float(jump.mean())) - 1e-3 * float(jump.mean()) * gap / spacing
        best = min(best, (cost, float(slope)))
    turned = pivot * (seam.slope - best[1])
    return replace(seam, slope=best[1], low=seam.low + turned, high=seam.high + turned)


def _turns(along: Floats, spacing: float) -> Floats:
    """Changes of a slope that move its ends by up to one and a half spacings."""
    return np.linspace(-1.5, 1.5, 121) * spacing / max(float(np.ptp(along)) / 2, spacing)


def _mistaken(side: Floats, jump: Floats) -> tuple[Floats, Floats]:
    """How much (N + 1,) px the first 0 .. N holes, in order across a seam, miss the lower side by, and the others the
    upper one; one wrong spot must not outvote the others."""
    low, high = np.minimum(np.abs(side), 1), np.minimum(np.abs(1 - side), 1)
    below = np.append(0.0, np.cumsum(jump * low))
    above = np.append(0.0, np.cumsum((jump * high)[::-1]))[::-1]
    return below, above


def _parting(seam: Seam, at: Floats, side: Floats, jump: Floats) -> Seam:
    """The seam between the two holes where holes are best told apart."""
    if len(at) < _FEWEST:
        return seam
    order = np.argsort(at)
    at = at[order]
    k = int(np.argmin(np.add(*_mistaken(side[order], jump[order]))))
    low, high = at[max(k - 1, 0)], at[min(k, len(at) - 1)]
    return replace(
        seam,
        low=float(min(low, seam.low) if k == 0 else low),
        high=float(max(high, seam.high) if k == len(at) else high),
    )


def _bounded(seam: Seam, sample: Sample, whole: Bools, side: Floats, radius: float) -> Seam:
    """The seam with all places that it can have without coming nearer than `radius` to a whole hole.

    `side` (N,) tells for some holes where they belong; those that lie on the other side of the seam do not count.
    """
    beyond = seam.place(sample.yx) > seam.middle
    rows = np.flatnonzero(whole & (np.isnan(side) | ((side > 0.5) == beyond)))
    yx, beyond = sample.yx[rows], beyond[rows]
    if beyond.all() or not beyond.any():
        return seam
    slopes = seam.slope + (_turns(sample.yx[rows, 1 - seam.axis], sample.spacing) if seam.slope else np.zeros(1))
    at = yx[:, seam.axis] - slopes[:, None] * yx[:, 1 - seam.axis]
    low, high = at[:, ~beyond].max(axis=1), at[:, beyond].min(axis=1)
    own = int(np.argmin(np.abs(slopes - seam.slope)))
    radius = min(radius * float(np.hypot(1, seam.slope)), 0.45 * max(float(high[own] - low[own]), 0.0))
    low, high = low + radius, high - radius
    if low[own] > high[own]:
        return seam
    can = low <= high
    ways = tuple(zip(slopes[can].tolist(), low[can].tolist(), high[can].tolist(), strict=True))
    return replace(seam, low=float(low[own]), high=float(high[own]), ways=ways if seam.slope else ())
