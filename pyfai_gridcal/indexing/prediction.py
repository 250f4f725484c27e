"""Second look: where the lattice says that a hole should be, and no spot was found."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ..base.arrays import AnyArray, Floats, Ints
from ..base.frames import raster_places
from ..base.geometry import inverted, tree_of
from ..records.nodes import NodeTable
from .trend import Trend

#: To the four nearest nodes.
_STEPS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)])
#: Nodes whose neighbours are summed up at a time: 21 of each, 7 MB.
_CHUNK = 20_000
#: A trend of all points is taken out where that leaves less than this share of the misfit of neighbours at the rim:
#: strong lenses leave 0.03 to 0.06, noise all of it; of fields that are rough, where it leaves 0.3 to 0.6, one
#: polynomial knows less in the corners than neighbours do.
_TELLING = 0.15
#: And it is asked for where neighbours leave over more than places scatter by in good light, px.
_LEFT_PX = 0.02
#: A quartic's curvature may differ by so much of itself from that of a lower degree. Waves of 4.5 steps differ by 0.5,
#: longer ones by less, jumps by 0.85 and more, unless they run aslant through the outermost neighbours.
_SAME = 0.6


def missing_nodes(ij: Ints) -> Ints:
    """Nodes (K, 2) without a point that have a neighbour with one."""
    table = NodeTable.of(ij)
    have = table.cells >= 0
    around = np.zeros_like(have)
    for di, dj in _STEPS:
        around |= np.roll(have, (di, dj), axis=(0, 1))
    out: Ints = np.argwhere(around & ~have) + table.low
    return out


def predicted(ij: Ints, yx: Floats, at: Ints, *, neighbours: int = 14) -> Floats:
    """Places (K, 2) px of the nodes `at`, from a local quadratic through the nearest points.

    Parameters
    ----------
    ij, yx : (M, 2) nodes and places of trustworthy points
    at : (K, 2) nodes; one that is itself among `ij` is predicted without itself
    neighbours : how many points are asked
    """
    return _local_fit(cKDTree(ij), yx, at, neighbours, width=2.5, alone=True)[0][:, 0]


def local_frames(ij: Ints, yx: Floats, at: Ints, *, neighbours: int = 14) -> tuple[Floats, Floats]:
    """Lattice vectors and bending at the nodes `at`, as for :func:`predicted`.

    Returns
    -------
    vectors : (K, 2, 2) px, row 0 a step of i, row 1 a step of j
    bend : (K, 3, 2) how far a straight line at the offset (y, x) px from the node is bent away there, coefficients of
        y y, y x and x x in px
    """
    found, known = _by_stencil(ij, yx, at, width=1.6)
    rest = np.flatnonzero(~known)
    if len(rest):
        tree = cKDTree(ij)
        found[rest], left = _one_sided(tree, yx, at[rest], neighbours)
        trend = Trend.of(ij, yx) if left > _LEFT_PX else None
        if trend is not None:
            about = yx - trend.quadratic_at(ij, 1)[:, 0]
            more, less = _one_sided(tree, about, at[rest], neighbours)
            if less < _TELLING * left:
                found, _ = _by_stencil(ij, about, at, width=1.6)
                found[rest] = more
                found += trend.quadratic_at(at)
    vectors, curved = found[:, 1:3], found[:, 3:]
    step = inverted(vectors)  # an offset d px is d @ step nodes
    (a, b), (c, d) = step[:, 0].T[..., None], step[:, 1].T[..., None]
    ii, ij_, jj = curved[:, 0], curved[:, 1], curved[:, 2]
    bend = [
        a * a * ii + a * b * ij_ + b * b * jj,
        2 * a * c * ii + (a * d + b * c) * ij_ + 2 * b * d * jj,
        c * c * ii + c * d * ij_ + d * d * jj,
    ]
    return vectors, np.stack(bend, axis=1)


def _by_stencil(ij: Ints, yx: Floats, at: Ints, *, width: float) -> tuple[Floats, AnyArray]:
    """The same coefficients as :func:`_local_fit` finds, those of the second order better, and where they are
    known: at the nodes that have all neighbours up to two steps away, since there the fit is one and the same sum."""
    out, known = np.empty((len(at), 6, 2)), np.zeros(len(at), bool)
    if np.prod(np.ptp(ij, axis=0) + 5.0) > 50 * len(ij) + 10_000:  # pieces far apart
        return out, known
    table, columns = NodeTable.of(ij), np.ascontiguousarray(yx.T)
    step = raster_places(*[np.arange(-2, 3)] * 2).reshape(-1, 2)
    step = step[np.hypot(*step.T) < 2.5]
    # a quadratic takes a wave of seven steps for a quarter less bent than it is; a quartic for a hundredth less
    low, high = (_fit_of(_monomials(step.astype(float), n), np.hypot(*step.T) / width) for n in (2, 4))
    stencil = np.concatenate([low, high[3:6]])
    for start in range(0, len(at), _CHUNK):
        rows = slice(start, start + _CHUNK)
        near = table.rows(at[rows][:, None] + step)
        known[rows] = (near >= 0).all(axis=1)
        both = np.moveaxis(columns[:, near] @ stencil.T, 0, 2)
        out[rows, :3], out[rows, 3:] = both[:, :3], _steady(both[:, 6:], both[:, 3:6])
    return out, known


def _steady(curved: Floats, lower: Floats) -> Floats:
    """Curvatures (K, 3, 2) of a quartic, or none where one of a `lower` degree says otherwise: it is a jump's, then, or
    mostly noise, and bends no hole."""
    off, size = (np.abs(v).max(axis=(1, 2)) for v in (curved - lower, curved))
    return np.where((off <= _SAME * size)[:, None, None], curved, 0.0)


def _monomials(d: Floats, degree: int = 2) -> Floats:
    """1, i, j, i i, i j, j j, ... of the steps `d` (..., 2)."""
    power = [np.ones_like(d), d]
    while len(power) <= degree:
        power.append(power[-1] * d)
    return np.stack([power[n - k][..., 0] * power[k][..., 1] for n in range(degree + 1) for k in range(n + 1)], axis=-1)


def _fit_of(design: Floats, away: Floats) -> Floats:
    """(U, N) coefficients by values (N,) that count less `away` from the middle."""
    weighted = design * np.exp(-0.5 * away**2)[:, None]
    return np.asarray(np.linalg.solve(weighted.T @ design, weighted.T))


def _one_sided(tree: cKDTree, yx: Floats, at: Ints, neighbours: int) -> tuple[Floats, float]:
    """Coefficients (K, 6, 2) where neighbours are missing, those of the second order as of :func:`_by_stencil` by a
    quartic, for which more neighbours are asked; and what the quadratic leaves over."""
    found, left = _local_fit(tree, yx, at, neighbours, width=1.6, alone=False)
    low, high = (
        _local_fit(tree, yx, at, count, width=width, alone=False, degree=degree)[0][:, 3:6]
        for count, width, degree in ((24, 2.0, 3), (28, 2.5, 4))
    )
    found[:, 3:] = _steady(high, low)
    return found, float(np.median(left))


def _local_fit(
    tree: cKDTree, yx: Floats, at: Ints, neighbours: int, *, width: float, alone: bool, degree: int = 2
) -> tuple[Floats, Floats]:
    """Coefficients (K, U, 2) of 1, i, j, i i, i j, j j, ... around each node, by the places of the nodes of a `tree`,
    and what they leave over of these, (K,) px."""
    k = min(neighbours + 1, tree.n)
    # curvature is kept small where the neighbours lie to one side and cannot tell, or what a quartic has beyond it
    small = np.full((degree + 1) * (degree + 2) // 2, 0.1)
    small[:3], small[3:6] = 1e-9, 0.02 if degree == 2 else 1e-3
    out, left = np.empty((len(at), len(small), 2)), np.empty(len(at))
    for rows in np.array_split(np.arange(len(at)), len(at) // (_CHUNK // 4) + 1):
        distance, near = tree.query(at[rows], k=k)
        weight = np.exp(-0.5 * (distance / width) ** 2) + 1e-6
        if alone:
            weight = np.where(distance > 0, weight, 0.0)
        design = _monomials(tree.data[near] - at[rows, None, :], degree)
        weighted = design * weight[..., None]
        normal = np.matmul(weighted.transpose(0, 2, 1), design) + np.diag(small)
        mean = yx[near].mean(axis=1, keepdims=True)
        right = np.matmul(weighted.transpose(0, 2, 1), yx[near] - mean)
        found = np.linalg.solve(normal, right)
        miss = weight[..., None] * np.abs(yx[near] - mean - design @ found)
        left[rows] = miss.sum(axis=1).mean(axis=1) / weight.sum(axis=1)
        found[:, :1] += mean
        out[rows] = found
    return out, left


def away_from(places: Floats, others: Floats, least: float) -> AnyArray:
    """(K,) whether no other point lies within `least` px."""
    if not len(others):
        return np.ones(len(places), bool)
    # a little beyond, so that those at the very limit are seen
    distance, _ = tree_of(others).query(places, distance_upper_bound=1.001 * least, workers=2)
    return np.asarray(distance > least)
