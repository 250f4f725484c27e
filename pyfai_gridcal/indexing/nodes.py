"""What its neighbours on the lattice say about a point: grossly wrong points, and how much the points scatter."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ..base.arrays import Bools, Floats, Ints
from ..base.robust import NORMAL, spread
from ..records.nodes import NodeTable
from ..records.points import ControlPoints

#: Lines through a node along which it is compared with its neighbours: the two axes first, then the diagonals.
_LINES = ((1, 0), (0, 1), (1, 1), (1, -1))


def _misfits(ij: Ints, values: Floats) -> tuple[Floats, Floats]:
    """Value minus what the neighbours along each line say, (lines, M, 2), NaN where there are none.

    And the factor by which it scatters more.
    """
    # a row of NaN, the last one, stands for what is not there
    table = NodeTable.of(ij)
    known = np.concatenate([values, np.full((1, values.shape[1]), np.nan)])
    out = np.empty((len(_LINES), *values.shape))
    factor = np.empty((len(_LINES), len(ij)))
    for k, step in enumerate(_LINES):
        line = table.line(ij, step, 2)
        far, near, after, beyond = (known[line[s]] for s in (-2, -1, 1, 2))
        inner = near + after
        two, four = values - inner / 2, values - (4 * inner - (far + beyond)) / 6
        whole = np.isfinite(four)
        out[k] = np.where(whole, four, two)
        factor[k] = np.where(whole[:, 0], np.sqrt(1 + 34 / 36), np.sqrt(1.5))
    factor[~np.isfinite(out[..., 0])] = np.nan
    return out, factor


def isolated_outliers(yx: Floats | cKDTree, score: Floats, limit: float, neighbours: int = 20) -> Bools:
    """Points (M, 2), or those of a tree, whose score (>= 0) is above the limit and far above that of the points around:
    a fault of the point, not of the place.

    Where the field is rougher than elsewhere all points score badly; a wrong point stands alone.
    """
    count = len(score)
    out = np.zeros(count, dtype=bool)
    suspects = np.flatnonzero(~(score <= limit))
    if len(suspects) and count > 3:
        tree = yx if isinstance(yx, cKDTree) else cKDTree(yx)
        near = np.asarray(tree.query(np.asarray(tree.data)[suspects], k=min(neighbours + 1, count))[1])
        values = score[near[:, 1:]]
        median = np.nanmedian if np.isnan(values).any() else np.median  # the former takes several times as long
        around = NORMAL * median(values, axis=1)
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
    scale = spread(best[known], about=0.0) if known.any() else 0.0
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
            best = min(best, spread(misfit[k, known] / factor[k, known][:, None], about=0.0))
    return best


def local_bases(points: ControlPoints) -> Floats:
    """Local lattice vectors (M, 2, 2), px, from the nearest neighbours with a node; the mean basis where there is
    none."""
    table = NodeTable.of(points.ij)
    out = np.tile(points.basis_px, (len(points), 1, 1))
    for axis, step in enumerate(_LINES[:2]):
        line = table.line(points.ij, step)
        ahead = np.where((line[1] >= 0)[:, None], points.yx[line[1]] - points.yx, np.nan)
        behind = np.where((line[-1] >= 0)[:, None], points.yx - points.yx[line[-1]], np.nan)
        both = np.stack([ahead, behind])
        count = np.isfinite(both[..., 0]).sum(axis=0)
        mean = np.nansum(both, axis=0) / np.maximum(count, 1)[:, None]
        out[:, axis] = np.where((count > 0)[:, None], mean, out[:, axis])
    return out
