"""Steps of a plate: rows of holes across which all holes jump.

A plate that is made in fields, one after the other, jumps between two rows of its lattice, along the whole row and by
another amount in each field. A seam of the detector does so only if it lies along the rows; where the mask has a gap
between the holes, it is known to be one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..base.arrays import Bools, Floats
from ..records.nodes import NodeTable
from ..records.points import ControlPoints

__all__ = ["row_step", "stays"]

#: A row of holes that jumps: the name of the coordinate across it, and its mean there, px.
Row = tuple[str, float]

#: Weights of six holes in a line, for the jump between the third and the fourth: the fifth difference, which leaves
#: nothing of any field that is a polynomial of the fourth degree there, scaled to give a step its size.
_WEIGHTS = np.array([-1.0, 5.0, -10.0, 10.0, -5.0, 1.0]) / 6
#: What two rows jump by must be so many times the usual, and neighbouring holes so many sigma more alike than by
#: chance. Plates without steps reach 3 and 3.5, plates with steps of three sigma of a spot 4 and 4.5. Usual is what
#: this share of the rows stays below: a step shows in five rows, which may be most of them.
_TIMES, _SURE, _USUAL = 3.5, 4.0, 0.3
#: What a step in one place makes of the difference some rows away, in units of what it makes there; how far from that,
#: rms, rows with steps of three sigma are at most, and what no field does by chance.
_BESIDE = {-2: 1 / 6, -1: -2 / 3, 1: -2 / 3, 2: 1 / 6}
_LIKE, _EXACTLY = 0.25, 0.1
_LATER, _EARLIER = slice(1, None), slice(None, -1)


def row_step(points: ControlPoints, d: Floats, used: Bools, mask: Bools | None) -> tuple[float, tuple[Row, ...]]:
    """Largest jump (px) across a whole row of holes, and the rows that jump; 0.0 without any.

    Parameters
    ----------
    points : N points of one exposure
    d : (N, 2) their displacement, px
    used : (N,) which of them count
    mask : (slow, fast), True = no pixel: a jump across one is that of the detector
    """
    row = NodeTable.of(points.ij).cells[1:-1, 1:-1]
    table = np.where(((row >= 0) & used[row])[..., None], d[row], np.nan)
    place = np.where((row >= 0)[..., None], points.yx[row], np.nan)
    largest, least_off = 0.0, np.inf
    found: list[Row] = []
    for axis in (0, 1):
        values, at = np.moveaxis(table, axis, 0), np.moveaxis(place, axis, 0)
        rows = len(values) - len(_WEIGHTS) + 1
        if rows < 1:
            continue
        jump = np.asarray(sum(w * values[k : k + rows] for k, w in enumerate(_WEIGHTS)))
        if mask is not None:
            over = _over_mask(at, mask)
            jump[np.any([over[k : k + rows] for k in range(len(_WEIGHTS) - 1)], axis=0)] = np.nan
        size, sigmas = _shared(jump)
        known = np.isfinite(size)
        if known.any():
            least = _TIMES * float(np.quantile(np.abs(size[known]), _USUAL))
            clear = known & (sigmas > _SURE) & (size > least)
            off = _unlike_a_step(jump, clear)
            clear &= off < _LIKE
            clear &= _stays(jump, least, clear)
            largest = max(largest, float(size[clear].max(initial=0.0)))
            least_off = min(least_off, float(off[clear].min(initial=np.inf)))
            found += [_where(points, axis, at[k + 2 : k + 4]) for k in np.flatnonzero(_peaks(size, clear))]
    # a rough field looks like a step in a row now and then; it does not in two, nor exactly
    return (largest, tuple(found)) if len(found) > 1 or least_off < _EXACTLY else (0.0, ())


def _where(points: ControlPoints, axis: int, at: Floats) -> Row:
    """Where the places (2, C, 2) of two rows are: the coordinate in which the rows follow one another."""
    across = int(np.argmax(np.abs(points.basis_px[axis])))
    return "yx"[across], float(np.nanmean(at[..., across]))


def stays(rows: Sequence[tuple[Row, ...]], within: float) -> bool:
    """Whether what jumps in each of several exposures stays with the detector, for rows nearer than `within` px.

    Steps of the plate go with it: each exposure shows them, and at another place.
    """
    return not all(rows) or any(
        all(any(name == other and abs(at - place) < within for other, place in more) for more in rows[1:])
        for name, at in rows[0]
    )


def _shared(jump: Floats) -> tuple[Floats, Floats]:
    """Size (px) of what neighbours along each row (R, C, 2) have in common, and its significance; NaN if unknown.

    Noise is not shared by neighbours. The median, and directions alone, let no single hole decide.
    """
    a, b = jump[:, 1:], jump[:, :-1]
    product = (a * b).sum(axis=-1)
    alike = product / np.maximum(np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1), 1e-30)
    count = np.isfinite(product).sum(axis=1)
    # the median of what is known; what is not comes last
    known = np.sort(product, axis=1)
    rows = np.flatnonzero(count)
    middle = (known[rows, (count[rows] - 1) // 2] + known[rows, count[rows] // 2]) / 2
    size, sigmas = np.full(len(jump), np.nan), np.zeros(len(jump))
    size[rows] = np.sign(middle) * np.sqrt(np.abs(middle))
    # the cosine of the angle between two random directions has a variance of a half
    sigmas[rows] = np.nansum(alike[rows], axis=1) / count[rows] * np.sqrt(2 * count[rows])
    return size, sigmas


def _unlike_a_step(jump: Floats, asked: Bools) -> Floats:
    """How far (R,) what rows have in common with the two on each side, in units of what they have themselves, is from
    what a step between two rows makes of these differences; rms. Infinite for rows that are not asked for."""
    count = len(jump)

    def common(k: int, other: int) -> float:
        if not 0 <= other < count:
            return np.nan
        # of neighbouring holes, which share no noise
        product = [(jump[k, a] * jump[other, b]).sum(axis=-1) for a, b in ((_LATER, _EARLIER), (_EARLIER, _LATER))]
        both = np.concatenate(product)
        return float(np.median(both[np.isfinite(both)])) if np.isfinite(both).any() else np.nan

    out = np.full(count, np.inf)
    for k in np.flatnonzero(asked).tolist():
        own = common(k, k)
        if not own > 0:
            continue
        off = np.array([common(k, k + step) / own - share for step, share in _BESIDE.items()])
        if np.isfinite(off).any():
            out[k] = np.sqrt(np.nanmean(np.square(off)))
    return out


def _stays(jump: Floats, least: float, asked: Bools) -> Bools:
    """Whether (R,) a jump keeps to its row from end to end, of the rows that are asked for: a seam at a small angle
    goes over to the next one."""
    out = asked.copy()
    for row in np.flatnonzero(asked).tolist():
        there = np.flatnonzero(np.isfinite(jump[row]).all(axis=-1))
        for part in np.array_split(there, 3):
            around = jump[max(row - 1, 0) : row + 2, part]
            size = np.nan_to_num(_shared(around)[0])
            out[row] &= size.max(initial=0.0) < max(least, 1.25 * size[min(row, 1)])
    return out


def _peaks(size: Floats, clear: Bools) -> Bools:
    """Which rows (R,) jump: a step shows in the two rows beside it as well, less."""
    high = np.pad(np.where(clear, size, 0.0), 1)
    return np.asarray(clear & (high[1:-1] >= high[:-2]) & (high[1:-1] >= high[2:]))


def _over_mask(at: Floats, mask: Bools) -> Bools:
    """Whether (R - 1, C) a masked pixel lies between neighbours (R, C, 2), px."""
    ahead = at[1:] - at[:-1]
    long = np.nanmax(np.abs(ahead), initial=1.0)
    out = np.zeros(ahead.shape[:2], dtype=bool)
    for part in np.linspace(0, 1, int(np.ceil(long)) + 1):
        y, x = np.moveaxis(np.rint(np.nan_to_num(at[:-1] + part * ahead)).astype(np.int64), -1, 0)
        out |= mask[np.clip(y, 0, mask.shape[0] - 1), np.clip(x, 0, mask.shape[1] - 1)]
    return np.asarray(out)
