"""What its neighbours on the lattice say about a point: grossly wrong points, and how much the points scatter."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ._typing import Bools, Floats, Ints

__all__ = ["gross_outliers", "isolated_outliers", "scatter_of_neighbours"]

#: Lines through a node along which it is compared with its neighbours.
_LINES = ((1, 0), (0, 1), (1, 1), (1, -1))


def _table(ij: Ints) -> tuple[Ints, Ints]:
    """Row of each node in a table (-1 where there is no point, a rim of 2), and the place (M, 2) of each in it."""
    at = ij - ij.min(axis=0) + 2
    table = np.full(at.max(axis=0) + 3, -1)
    table[tuple(at.T)] = np.arange(len(ij))
    return table, at


def _misfits(ij: Ints, values: Floats) -> tuple[Floats, Floats]:
    """Value minus what the neighbours along each line say, (lines, M, 2), NaN where there are none.

    And the factor by which it scatters more.
    """
    table, at = _table(ij)
    out = np.full((len(_LINES), *values.shape), np.nan)
    factor = np.full((len(_LINES), len(ij)), np.nan)
    for k, step in enumerate(_LINES):
        near = [table[tuple((at + s * np.array(step)).T)] for s in (-2, -1, 1, 2)]
        two = (near[1] >= 0) & (near[2] >= 0)
        four = two & (near[0] >= 0) & (near[3] >= 0)
        out[k, two] = values[two] - (values[near[1][two]] + values[near[2][two]]) / 2
        factor[k, two] = np.sqrt(1.5)
        inner, outer = values[near[1][four]] + values[near[2][four]], values[near[0][four]] + values[near[3][four]]
        out[k, four] = values[four] - (4 * inner - outer) / 6
        factor[k, four] = np.sqrt(1 + 34 / 36)
    return out, factor


def isolated_outliers(yx: Floats, score: Floats, limit: float, neighbours: int = 20) -> Bools:
    """Points whose score (>= 0) is above the limit and far above that of the points around: a fault of the point, not
    of the place.

    Where the field is rougher than elsewhere all points score badly; a wrong point stands alone.
    """
    out = np.zeros(len(yx), dtype=bool)
    suspects = np.flatnonzero(~(score <= limit))
    if len(suspects) and len(yx) > 3:
        near = np.asarray(cKDTree(yx).query(yx[suspects], k=min(neighbours + 1, len(yx)))[1])
        around = 1.4826 * np.nanmedian(np.where(near[:, 1:] < len(yx), score[near[:, 1:] % len(yx)], np.nan), axis=1)
        out[suspects] = ~(score[suspects] <= limit * np.maximum(1.0, around))
    return out


def gross_outliers(yx: Floats, ij: Ints, d: Floats, least: float, limit: float = 10.0) -> Bools:
    """Points that agree with the neighbours along none of the (two or more) lines through them, (M,).

    A line along a seam or beside another wrong point still agrees, so these are not taken for wrong. Misfits below
    `least` (px) are left to finer tools.
    """
    misfit, factor = _misfits(ij, d)
    size = np.hypot(misfit[..., 0], misfit[..., 1]) / factor
    best = np.where(np.isfinite(size), size, np.inf).min(axis=0)
    known = np.asarray(np.isfinite(size).sum(axis=0) > 1)
    scale = 1.4826 * np.median(best[known]) if known.any() else 0.0
    score = np.where(known, best, 0.0) / max(scale, least / limit, 1e-9)
    return isolated_outliers(yx, score, limit)


def scatter_of_neighbours(ij: Ints, d: Floats) -> float:
    """Robust scatter of the points about what smooth lines through their neighbours say, px per axis.

    An upper bound for their noise.
    """
    misfit, factor = _misfits(ij, d)
    best = np.inf
    for k in range(len(_LINES)):
        known = np.isfinite(factor[k])
        if known.sum() > 8:
            best = min(best, float(1.4826 * np.median(np.abs(misfit[k, known] / factor[k, known][:, None]))))
    return best
