"""Growth of a lattice over a cloud of points, from one seed outwards, whole generations at a time.

Every point that has a node also carries its own two lattice vectors, measured from its neighbours, so the lattice may
bend, turn and change its pitch on the way. A generation predicts all neighbours of the points that came last, and
what follows on the same lines as far as the lattice is straight, looks for the nearest point to each prediction and
gives it the node when it lies within a fraction of the local pitch. A point has one node at most and a node one point.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from ..base.arrays import AnyArray, Bools, Floats, largest_of, length, select_rows
from ..base.geometry import tree_of

#: Steps (i, j) that are tried from a node; the long ones only where nothing else leads on (a missing hole).
_NEAR = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)])
#: The two further neighbours of a hexagonal node.
_HEXAGONAL = np.array([(1, -1), (-1, 1)])
#: Across a corner, over one missing hole.
_DIAGONAL = np.array([(1, 1), (-1, -1), (1, -1), (-1, 1)])
#: Straight over one missing hole.
_FAR = np.array([(2, 0), (-2, 0), (0, 2), (0, -2)])
#: Nodes at most that a generation goes straight on, as many as its lines follow: a tenth of a pitch, a share of the
#: tolerance, is the most that a point may be off there, too little for a bent line to come to another node unnoticed.
#: Of fewer points than these a generation takes its time whatever it does.
_LEAP, _STRAIGHT, _WIDE = 32, 0.4, 150
#: Points whose neighbours are compared at a time: the comparison takes a kilobyte and a half for each.
_CHUNK = 2000


@dataclass(frozen=True, eq=False)
class LocalLattice:
    """What the neighbours of each point say about the lattice there.

    Attributes
    ----------
    basis : (N, 2, 2) px; reduced: row 0 the shorter vector, row 1 the shortest independent one; NaN where there is none
    score : (N,) how many of the eight nodes around were found, minus how badly they fit; 0 where there is no basis
    """

    basis: Floats
    score: Floats


def local_lattices(cloud: Cloud, rows: AnyArray, *, neighbours: int = 12, tolerance: float = 0.18) -> LocalLattice:
    """Two shortest independent vectors v of each point for which both v and -v lead to a neighbour.

    Only the points `rows` are looked at; the others have no basis and the score 0.
    """
    yx = cloud.yx
    basis, score = np.full((len(yx), 2, 2), np.nan), np.zeros(len(yx))
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        basis[part], score[part] = _lattices_of(yx, cloud.tree, part, neighbours, tolerance)
    return LocalLattice(basis, score)


def _lattices_of(
    yx: Floats, tree: cKDTree, chosen: AnyArray, neighbours: int, tolerance: float
) -> tuple[Floats, Floats]:
    """Basis and score of the points `chosen`."""
    n = len(chosen)
    k = min(neighbours, len(yx) - 1)
    near = np.asarray(tree.query(yx[chosen], k=k + 1)[1])
    vectors = yx[near[:, 1:]] - yx[chosen][:, None, :]
    away = np.hypot(vectors[..., 0], vectors[..., 1])
    total = vectors[:, :, None, :] + vectors[:, None, :, :]
    closes = np.hypot(total[..., 0], total[..., 1]) < tolerance * away[:, :, None]
    opposite = closes.any(axis=2)
    partner = closes.argmax(axis=2)
    mean = 0.5 * (vectors - np.take_along_axis(vectors, partner[:, :, None], axis=1))
    size = np.where(opposite, np.hypot(mean[..., 0], mean[..., 1]), np.inf)
    # the shortest of the vectors that lead to a point on both sides, and the shortest that is not along it
    rows = np.arange(n)
    first = size.argmin(axis=1)
    a = mean[rows, first]
    cross = a[:, None, 0] * mean[..., 1] - a[:, None, 1] * mean[..., 0]
    sine = np.abs(cross) / np.maximum(np.hypot(*a.T)[:, None] * np.hypot(mean[..., 0], mean[..., 1]), 1e-12)
    second = np.where(sine > 0.4, size, np.inf).argmin(axis=1)
    b = mean[rows, second]
    valid = np.isfinite(size[rows, first]) & np.isfinite(np.where(sine > 0.4, size, np.inf)[rows, second])
    basis = np.stack([a, b], axis=1)
    basis[~valid] = np.nan
    return basis, _scores(vectors, basis, valid)


def _scores(vectors: Floats, basis: Floats, valid: Bools) -> Floats:
    steps = np.concatenate([_NEAR, _DIAGONAL])
    expected = np.einsum("sk,nkc->nsc", steps, np.nan_to_num(basis))
    unit = np.maximum(np.hypot(*np.nan_to_num(basis[:, 0]).T), 1e-9)
    score = np.zeros(len(vectors))
    for s in range(len(steps)):
        miss = np.hypot(*(vectors - expected[:, s : s + 1]).transpose(2, 0, 1)).min(axis=1) / unit
        score += np.where(miss < 0.25, 1 - 2 * miss, 0)
    return np.where(valid, score, 0)


@dataclass(frozen=True, eq=False)
class Patch:
    """Points that one growth has reached.

    Attributes
    ----------
    rows : (M,) rows of the points
    ij : (M, 2) their nodes, the seed being (0, 0)
    basis : (M, 2, 2) local lattice vectors, px
    """

    rows: AnyArray
    ij: AnyArray
    basis: Floats

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, which: AnyArray) -> Patch:
        """The points of a boolean mask or an array of indices."""
        return select_rows(self, which, "rows", "ij", "basis")


class _Ledger:
    """Which point holds which node, and which node each point has; nodes as numbers of cells in a flat table."""

    def __init__(self, n: int, span: int):
        self.node, self.cell = np.zeros((n, 2), np.int64), np.zeros(n, np.int64)
        self.basis = np.full((n, 2, 2), np.nan)
        self.has = np.zeros(n, bool)
        self.half, self.width = span, 2 * span + 1
        self.table = np.full(self.width**2, -1, np.int32)
        # no need to clear these: a claim is compared with what was written a moment ago
        self.claim, self.claims = np.empty(n, np.int32), np.empty_like(self.table)

    def cells(self, ij: AnyArray) -> AnyArray:
        """Cells (...) of the nodes `ij` (..., 2); a generation keeps its nodes inside the table."""
        out: AnyArray = ij[..., 0] * self.width
        out += ij[..., 1]
        out += self.half * (self.width + 1)
        return out

    def at(self, ij: AnyArray) -> AnyArray:
        """Points of the nodes `ij`, -1 where there is none."""
        return self.table.take(self.cells(ij))

    def around(self, rows: AnyArray, steps: AnyArray) -> AnyArray:
        """Points (N, S) at these steps (S, 2) from those of the `rows`, -1 where there is none."""
        return self.table.take(self.cell.take(rows)[:, None] + (steps[:, 0] * self.width + steps[:, 1]))

    def put(self, rows: AnyArray, ij: AnyArray, basis: Floats) -> None:
        self.node[rows], self.basis[rows], self.has[rows] = ij, basis, True
        self.cell[rows] = cells = self.cells(ij)
        self.table[cells] = rows

    def stand(self, rows: AnyArray, ij: AnyArray) -> AnyArray:
        """Of claims of points `rows` to nodes `ij`, those that stand: the last one of each point, and of these the
        last one of each node."""
        number = np.arange(len(rows))
        self.claim[rows] = number
        left = number[self.claim[rows] == number]
        cells = self.cells(ij[left])
        self.claims[cells] = left
        return left[self.claims[cells] == left]

    def measure(self, yx: Floats, rows: AnyArray) -> None:
        """Renew the lattice vectors of these points from the neighbours that have nodes."""
        here, beside = yx.take(rows, axis=0), self.around(rows, _NEAR).T
        for axis, (ahead, behind) in enumerate((beside[:2], beside[2:])):
            onward, back = yx.take(ahead, axis=0) - here, here - yx.take(behind, axis=0)
            onward[ahead < 0] = back[behind < 0] = 0
            count = (ahead >= 0).astype(np.int64) + (behind >= 0)
            some = count > 0
            self.basis[rows[some], axis] = (onward + back)[some] / count[some, None]


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points, and how a lattice may grow over them.

    Attributes
    ----------
    yx : (N, 2) px
    hexagonal : whether a node has six neighbours instead of four
    tolerance : largest distance from the predicted place, in local pitches
    """

    yx: Floats
    hexagonal: bool = False
    tolerance: float = 0.25

    @cached_property
    def tree(self) -> cKDTree:
        """Tree of the points."""
        return tree_of(self.yx)


def grow(cloud: Cloud, seed: int, basis: Floats, taken: Bools | None = None) -> Patch:
    """Grow from the point `seed` with the lattice vectors `basis` (2, 2) px until nothing fits any more.

    Parameters
    ----------
    taken : (N,) points that are not to be touched
    """
    return grow_on(cloud, Patch(np.array([seed]), np.zeros((1, 2), np.int64), basis[None]), taken)


def grow_on(cloud: Cloud, start: Patch, taken: Bools | None = None) -> Patch:
    """Grow from what another growth has reached; only bases of points with neighbours are measured anew."""
    yx, tolerance = cloud.yx, cloud.tolerance
    pitch = np.hypot(*np.median(start.basis, axis=0).T).min()
    extent = float(np.hypot(*np.ptp(yx, axis=0)))
    ledger = _Ledger(len(yx), min(int(3 * extent / max(pitch, 1e-6)) + 8, 6000))
    free = np.ones(len(yx), bool) if taken is None else ~taken
    inside = start.select(np.flatnonzero(largest_of(start.ij) < ledger.half - 2))
    ledger.put(inside.rows, inside.ij, inside.basis)
    ledger.measure(yx, inside.rows)
    near = np.concatenate([_NEAR, _HEXAGONAL]) if cloud.hexagonal else _NEAR
    frontier = _open_border(ledger, near)
    reach, leap = 0, 1
    while True:
        steps, within = ((near, tolerance), (_DIAGONAL, 0.8 * tolerance), (_FAR, 0.8 * tolerance))[reach]
        found, whole = _generation(cloud, ledger, frontier, steps, within, free, 1 if reach else leap)
        leap = min(2 * leap, _LEAP) if whole > 0.5 and len(found) > _WIDE else max(1, leap // 2)
        if len(found):
            changed = np.zeros(len(yx), bool)
            changed[found] = changed[_neighbours(ledger, found)] = True
            ledger.measure(yx, np.flatnonzero(changed))
            frontier, reach = found, 0
        elif reach < 2:
            # nothing new from here: try farther steps, from every point that still has a free node beside it
            reach += 1
            frontier = frontier if reach > 1 else _open_border(ledger, near)
        else:
            break
    rows = np.flatnonzero(ledger.has)
    return Patch(rows, ledger.node[rows], ledger.basis[rows])


def _neighbours(ledger: _Ledger, rows: AnyArray) -> AnyArray:
    around = ledger.around(rows, _NEAR)
    return around[around >= 0]


def _open_border(ledger: _Ledger, steps: AnyArray) -> AnyArray:
    rows = np.flatnonzero(ledger.has)
    return rows[(ledger.around(rows, steps) < 0).any(axis=1)]


def _generation(
    cloud: Cloud, ledger: _Ledger, frontier: AnyArray, steps: AnyArray, tolerance: float, free: Bools, leap: int = 1
) -> tuple[AnyArray, float]:
    """One generation, as far as `leap` nodes straight on from each point: rows of the points that got a node, and which
    share of the lines went all the way."""
    first = ledger.node[frontier][:, None, :] + steps
    line, way = np.nonzero((ledger.at(first) < 0) & (largest_of(first) < ledger.half - 2))
    if not len(line):
        return np.empty(0, np.int64), 0.0
    start, step, count = frontier[line], steps[way], np.arange(1, leap + 1)[:, None]
    basis = ledger.basis[start]
    # where the neighbours of the frontier should be, and which points are there
    node = ledger.node[start][:, None, :] + count * step[:, None, :]
    place = cloud.yx[start][:, None, :] + count * np.einsum("nk,nkc->nc", step, basis)[:, None, :]
    local = np.maximum(np.minimum(length(basis[:, 0]), length(basis[:, 1])), 1e-9)
    distance, row = (np.asarray(v) for v in cloud.tree.query(place, distance_upper_bound=tolerance * local.max()))
    relative, row = distance / local[:, None], np.minimum(row, len(cloud.yx) - 1)
    inside = largest_of(node) < ledger.half - 2
    node[~inside] = 0
    ok = (relative < np.where(count[:, 0] > 1, _STRAIGHT, 1.0) * tolerance) & ~ledger.has[row] & free[row]
    ok = np.logical_and.accumulate(ok & inside & (ledger.at(node) < 0), axis=1)
    basis = np.repeat(basis, ok.sum(axis=1), axis=0)
    node, row, relative = node[ok], row[ok], relative[ok]
    # the nearest claim comes last, so that it is the one that stands
    order = np.argsort(-relative, kind="stable")
    order = order[ledger.stand(row[order], node[order])]
    ledger.put(row[order], node[order], basis[order])
    return row[order], float(ok[:, -1].mean())
