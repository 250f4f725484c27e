"""The integer node of every spot.

Two things are told apart here: which lattice it is (square or hexagonal, from the local vectors of all spots) and
which node each spot holds (by growth from the best seed, island by island, see :mod:`~pyfai_gridcal.growth`). Islands
that touch nothing are joined where the extrapolated lattice leaves no doubt. In the end every spot is predicted from
its neighbours, and what contradicts them is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from scipy.spatial import cKDTree

from ._typing import AnyArray, Bools, Floats
from .errors import IndexingError
from .growth import LocalLattice, Patch, grow, local_lattices
from .points import ControlPoints
from .spots import Spots
from .sublattice import finer, reduced

__all__ = ["GrownLattice", "LatticeKind", "grow_lattice", "index_spots", "lattice_kind", "local_bases"]

LatticeKind = Literal["auto", "square", "rectangular", "oblique", "hexagonal"]

#: Fewest spots that make a lattice.
LEAST = 9
#: Points that are asked for the lattice around them before anything has grown.
_SAMPLE = 1000
#: A lattice with more nodes must take in so many times more spots.
_GAIN = 1.2
#: Pieces of lattice that are joined at most, the largest first.
_PIECES = 40
#: A point is wrong when it misses its predicted place by so many medians, and by such a share of the pitch.
_WILD = 2.5
_WILD_PITCH = 0.006


#: Weights of the neighbours 1, 2, ... nodes away along a line that continue a straight or a bent line to a point.
_CONTINUATIONS: tuple[dict[int, float], ...] = (
    {-1: 0.5, 1: 0.5},
    {-2: -1 / 6, -1: 2 / 3, 1: 2 / 3, 2: -1 / 6},
    {1: 2.0, 2: -1.0},
    {1: 3.0, 2: -3.0, 3: 1.0},
)


@dataclass(frozen=True, eq=False)
class GrownLattice:
    """Rows of spots with their nodes on any basis, whether the lattice is hexagonal, and the doubt about islands."""

    patch: Patch
    hexagonal: bool
    doubt: float

    def points(self, spots: Spots, angle_deg: float | None = None) -> ControlPoints:
        """The control points among the spots that it has grown from."""
        patch = self.patch
        yx = spots.yx[patch.rows]
        middle = 0.5 * (yx.min(axis=0) + yx.max(axis=0))
        origin = patch.ij[np.argmin(np.hypot(*(yx - middle).T))]
        mean = np.median(patch.basis, axis=0)
        matrix = _turn(mean, self.hexagonal)
        ij = (patch.ij - origin) @ matrix
        return ControlPoints(
            yx,
            spots.sigma_yx[patch.rows],
            ij,
            patch.rows,
            spots.flags[patch.rows],
            np.linalg.inv(matrix) @ mean,
            60.0 if self.hexagonal else (90.0 if angle_deg is None else angle_deg),
            self.doubt,
        )


def lattice_kind(local: LocalLattice) -> tuple[bool, float]:
    """Whether the local vectors are those of a hexagonal lattice, and the median angle between them, degrees (<=
    90)."""
    good = local.score >= 0.6 * max(float(local.score.max()), 1e-9)
    a, b = local.basis[good, 0], local.basis[good, 1]
    size = np.hypot(*a.T), np.hypot(*b.T)
    cosine = np.abs((a * b).sum(axis=1)) / np.maximum(size[0] * size[1], 1e-12)
    angle = float(np.rad2deg(np.arccos(np.clip(np.median(cosine), 0, 1))))
    ratio = float(np.median(size[1] / np.maximum(size[0], 1e-12)))
    return angle < 75 and ratio < 1.3, angle


def index_spots(
    spots: Spots,
    *,
    lattice: LatticeKind = "auto",
    angle_deg: float | None = None,
    tolerance: float = 0.25,
    sieve: bool = True,
) -> ControlPoints:
    """Give every spot its integer node.

    Parameters
    ----------
    spots : N spots in any order
    lattice : what the plate is; "auto" tells square and hexagonal apart, every other one looks square to a single image
    angle_deg : angle between the axes of an oblique plate
    tolerance : fraction of the pitch that a spot may be off its predicted place, in (0, 0.5)
    sieve : drop points that do not fit smoothly between their neighbours

    Returns
    -------
    M <= N control points; no node twice. The node nearest to the middle of the spots is (0, 0); i grows with y and j
    with x. On a
    hexagonal lattice the axis of i lies 60 degrees from that of j.

    Raises
    ------
    IndexingError
        Fewer than 9 spots, no two directions, or a lattice that contradicts the one that was asked for.
    """
    return grow_lattice(spots, lattice, tolerance=tolerance, sieve=sieve).points(spots, angle_deg)


def grow_lattice(
    spots: Spots, lattice: LatticeKind = "auto", *, tolerance: float = 0.25, sieve: bool = True
) -> GrownLattice:
    """What :func:`index_spots` makes control points of; arguments and errors are the same."""
    yx = np.asarray(spots.yx)
    if len(yx) < LEAST:
        raise IndexingError(
            f"found {len(yx)} spot{'' if len(yx) == 1 else 's'}",
            expected=f"at least {LEAST} to index a lattice",
            hint="check polarity and hole size",
        )
    tree = cKDTree(yx)
    # a thousand points tell what the lattice is and where to start; the rest is asked only where it is left over
    local = local_lattices(yx, tree, np.arange(0, len(yx), max(1, len(yx) // _SAMPLE)))
    if not (local.score > 0).any():
        raise IndexingError(
            f"the {len(yx)} spots have no common lattice: no spot has neighbours on opposite sides",
            hint="is this the image of a regular grid of holes?",
        )
    hexagonal, angle = lattice_kind(local)
    hexagonal = _decide(lattice, hexagonal, angle)
    patch = _largest(yx, tree, local, hexagonal, tolerance)
    if len(patch) < LEAST:
        raise IndexingError(
            f"the largest piece of lattice has {len(patch)} of {len(yx)} spots",
            expected=f"at least {LEAST}",
            hint="is this the image of a regular grid of holes?",
        )
    left = np.ones(len(yx), bool)
    left[patch.rows] = False
    local = local_lattices(yx, tree, np.flatnonzero(left))
    patch, doubt = _with_islands(yx, tree, local, patch, hexagonal, tolerance)
    patch = _closed(yx, patch, tolerance)
    if sieve:
        patch = _smooth(yx, np.asarray(spots.sigma_yx), patch)
    return GrownLattice(patch, hexagonal, doubt)


def _decide(lattice: LatticeKind, hexagonal: bool, angle: float) -> bool:
    if lattice == "auto" or lattice == "oblique":
        return hexagonal and lattice == "auto"
    if lattice == "hexagonal" and not hexagonal:
        raise IndexingError(
            f"lattice='hexagonal', but neighbouring spots stand at {angle:.0f} degrees", hint="leave it to 'auto'"
        )
    if lattice in ("square", "rectangular") and hexagonal:
        raise IndexingError(
            f"lattice='{lattice}', but neighbouring spots stand at {angle:.0f} degrees", hint="leave it to 'auto'"
        )
    return lattice == "hexagonal"


def _oriented(basis: Floats, hexagonal: bool, reference: Floats | None = None) -> Floats:
    """Choose among the equivalent bases: j nearest to +x and i towards +y, or nearest to `reference`."""
    a, b = basis
    if hexagonal:
        if (a * b).sum() < 0:
            b = -b
        c = b - a
        choices = [(p, q) for p in (a, b, c, -a, -b, -c) for q in (a, b, c, -a, -b, -c)]
        cross = [p[0] * q[1] - p[1] * q[0] for p, q in choices]
        choices = [
            (p, q)
            for (p, q), s in zip(choices, cross, strict=True)
            if s > 0 and (p * q).sum() > 0.1 * np.hypot(*p) * np.hypot(*q)
        ]
    else:
        choices = [(p, q) for p, q in ((a, b), (b, a)) for p in (p, -p) for q in (q, -q)]
        choices = [(p, q) for p, q in choices if p[0] * q[1] - p[1] * q[0] > 0]
    target = np.array([[1.0, 0.0], [0.0, 1.0]]) if reference is None else reference
    unit = target / np.hypot(target[:, 0], target[:, 1])[:, None]
    if hexagonal and reference is None:
        unit = np.array([[np.sin(np.pi / 3), np.cos(np.pi / 3)], [0.0, 1.0]])

    def agreement(pair: tuple[Floats, Floats]) -> float:
        p, q = pair
        return float((p * unit[0]).sum() / np.hypot(*p) + (q * unit[1]).sum() / np.hypot(*q))

    return np.array(max(choices, key=agreement))


def _seeds(yx: Floats, local: LocalLattice, free: Bools) -> AnyArray:
    """Free points with a lattice around them, the best and most typical ones first."""
    rows = np.flatnonzero(free & (local.score > 0))
    if not len(rows):
        return rows
    size = np.log(np.hypot(*local.basis[rows, 0].T))
    typical = np.abs(size - np.median(size))
    middle = np.hypot(*(yx[rows] - np.median(yx[rows], axis=0)).T) / (np.hypot(*np.ptp(yx, axis=0)) + 1e-9)
    return rows[np.argsort(-(local.score[rows] - 4 * typical - 0.5 * middle), kind="stable")]


def _largest(yx: Floats, tree: cKDTree, local: LocalLattice, hexagonal: bool, tolerance: float) -> Patch:
    """Grow from a few seeds until one reaches most of the points; take the largest patch."""
    best: Patch | None = None
    tried = np.zeros(len(yx), bool)
    for _ in range(6):
        seeds = _seeds(yx, local, ~tried)
        if not len(seeds):
            break
        patch = grow(
            yx,
            tree,
            int(seeds[0]),
            _oriented(local.basis[seeds[0]], hexagonal),
            hexagonal=hexagonal,
            tolerance=tolerance,
        )
        tried[patch.rows] = True
        tried[seeds[0]] = True
        if best is None or len(patch) > len(best):
            best = patch
        if len(best) > 0.5 * len(yx):
            break
    assert best is not None
    return _whole_lattice(yx, tree, best, hexagonal, tolerance)


def _whole_lattice(yx: Floats, tree: cKDTree, patch: Patch, hexagonal: bool, tolerance: float) -> Patch:
    """The lattice of which the patch holds only every second node, if the spots say so."""
    for _ in range(2):
        matrix = finer(yx, patch)
        if matrix is None:
            break
        middle = np.argmin(np.hypot(*(yx[patch.rows] - np.median(yx[patch.rows], axis=0)).T))
        basis = _oriented(reduced(matrix @ patch.basis[middle]), hexagonal)
        grown = grow(yx, tree, int(patch.rows[middle]), basis, hexagonal=hexagonal, tolerance=tolerance)
        if len(grown) < _GAIN * len(patch):
            break
        patch = grown
    return patch


def _with_islands(
    yx: Floats, tree: cKDTree, local: LocalLattice, patch: Patch, hexagonal: bool, tolerance: float
) -> tuple[Patch, float]:
    """Grow what the main patch left out, and join the pieces, those first whose places leave least doubt.

    The second value is the largest misfit of two joined pieces, in nodes: 0.5 could as well be the next node.
    """
    taken = np.zeros(len(yx), bool)
    taken[patch.rows] = True
    pieces = [patch]
    for _ in range(60):
        seeds = _seeds(yx, local, ~taken)
        if not len(seeds):
            break
        main = max(pieces, key=len)
        _, near = cKDTree(yx[main.rows]).query(yx[seeds[0]])
        basis = _oriented(local.basis[seeds[0]], hexagonal, main.basis[near])
        island = grow(yx, tree, int(seeds[0]), basis, hexagonal=hexagonal, tolerance=tolerance, taken=taken)
        taken[island.rows] = True
        if len(island) >= 3:
            pieces.append(island)
    pieces = sorted(pieces, key=len, reverse=True)[:_PIECES]
    seams: dict[tuple[int, int], _Seam | None] = {}
    names, worst = list(range(len(pieces))), 0.0
    while len(names) > 1:
        for a, b in combinations(names, 2):
            if (a, b) not in seams:
                seams[a, b] = _seam(yx, pieces[a], pieces[b])
        open_seams = [(seam.doubt, key) for key, seam in seams.items() if seam is not None and set(key) <= set(names)]
        if not open_seams:
            break
        _, (a, b) = min(open_seams)
        seam = seams[a, b]
        assert seam is not None
        joined = _joined(pieces[a], pieces[b], seam.shift)
        names = [k for k in names if k not in (a, b)]
        if joined is None:
            seams[a, b] = None
            names = sorted([*names, a, b])
            continue
        pieces.append(joined)
        names.append(len(pieces) - 1)
        if min(len(pieces[a]), len(pieces[b])) >= LEAST:
            worst = max(worst, seam.miss)
    return max((pieces[k] for k in names), key=len), worst


@dataclass(frozen=True)
class _Seam:
    """How one piece of lattice continues in another: add `shift` to the nodes of the second.

    `miss` is how far the pieces are from a whole number of nodes, 0.5 being the worst; `doubt` adds to it where they
    are far apart or
    touch in few points.
    """

    shift: tuple[int, int]
    miss: float
    doubt: float


def _seam(yx: Floats, one: Patch, other: Patch) -> _Seam | None:
    """Compare two pieces where they are nearest to each other; None where nothing can be said."""
    distance, near = (np.asarray(v) for v in cKDTree(yx[one.rows]).query(yx[other.rows]))
    pitch = float(np.median(np.hypot(*other.basis[:, 0].T)))
    reach = max(float(distance.min()) + 0.8 * pitch, 1.6 * pitch)
    close = distance <= reach
    if close.sum() > 3 and distance.min() > 3 * pitch:
        close = distance <= np.sort(distance)[min(11, len(distance) - 1)]
    k, rows = near[close], other.rows[close]
    mean = 0.5 * (one.basis[k] + other.basis[close])
    flat = np.abs(np.linalg.det(mean)) < 0.05 * pitch**2
    if flat.all():
        return None
    k, rows, mean = k[~flat], rows[~flat], mean[~flat]
    away = np.linalg.solve(mean.transpose(0, 2, 1), (yx[rows] - yx[one.rows[k]])[:, :, None])[:, :, 0]
    shift = one.ij[k] + away - other.ij[close][~flat]
    typical = shift.mean(axis=0)
    whole = np.rint(typical)
    spread = float(np.abs(shift - typical).max(axis=1).mean())
    far = float(np.median(np.abs(away).max(axis=1)))
    if far > 8 or spread > 0.35:
        return None
    miss = float(np.abs(typical - whole).max())
    return _Seam((int(whole[0]), int(whole[1])), miss, miss + 0.08 * max(far - 1, 0) + 0.5 / np.sqrt(len(shift)))


def _joined(one: Patch, other: Patch, shift: tuple[int, int]) -> Patch | None:
    """The union, where a node claimed by both stays with the larger piece; None when many are."""
    if len(other) > len(one):
        one, other, shift = other, one, (-shift[0], -shift[1])
    ij = other.ij + np.array(shift)
    key = one.ij[:, 0] * 2**20 + one.ij[:, 1]
    clash = np.isin(ij[:, 0] * 2**20 + ij[:, 1], key)
    if clash.mean() > 0.2:
        return None
    keep = ~clash
    return Patch(
        np.concatenate([one.rows, other.rows[keep]]),
        np.concatenate([one.ij, ij[keep]]),
        np.concatenate([one.basis, other.basis[keep]]),
    )


def _table(ij: AnyArray, margin: int = 2) -> tuple[AnyArray, AnyArray]:
    """Dense table (rows of `ij`, -1 where there is none) with a margin of some nodes, and the offset into it."""
    low = ij.min(axis=0) - margin
    size = ij.max(axis=0) - low + margin + 1
    table = np.full(tuple(size), -1, np.int64)
    table[tuple((ij - low).T)] = np.arange(len(ij))
    return table, low


def _closed(yx: Floats, patch: Patch, tolerance: float) -> Patch:
    """Drop points that lie off the place that opposite neighbours give them, until all loops close."""
    for _ in range(4):
        table, low = _table(patch.ij)
        k = patch.ij - low
        where = yx[patch.rows]
        pitch = np.minimum(np.hypot(*patch.basis[:, 0].T), np.hypot(*patch.basis[:, 1].T))
        off = np.zeros(len(k))
        votes = np.zeros(len(k))
        for di, dj in ((1, 0), (0, 1), (1, 1), (1, -1)):
            a, b = table[k[:, 0] + di, k[:, 1] + dj], table[k[:, 0] - di, k[:, 1] - dj]
            both = (a >= 0) & (b >= 0)
            miss = np.hypot(*(0.5 * (where[a] + where[b]) - where).T) / np.maximum(pitch, 1e-9)
            off += np.where(both & (miss > tolerance), 1, 0)
            votes += both
        wrong = (votes > 0) & (off > 0.5 * votes)
        if not wrong.any():
            break
        # a wrong point spoils the votes of its neighbours: drop only where it is worse than they are
        share = off / np.maximum(votes, 1)
        drop = wrong & (share >= 0.99)
        if not drop.any():
            drop = wrong
        patch = Patch(patch.rows[~drop], patch.ij[~drop], patch.basis[~drop])
        if len(patch) < LEAST:
            raise IndexingError(
                "the indices contradict each other: loops do not close", hint="is this a regular grid of holes?"
            )
    return patch


def _smooth(yx: Floats, sigma: Floats, patch: Patch) -> Patch:
    """Drop points that fit to their neighbours along no line, on no side: dirt, or merged holes.

    Where the field jumps, a point still continues its own side; so the best of all predictions counts.
    """
    if len(patch) < 25:
        return patch
    where, own = yx[patch.rows], sigma[patch.rows].max(axis=1)
    pitch = float(np.median(np.hypot(*patch.basis[:, 0].T)))
    table, low = _table(patch.ij, margin=4)
    k = patch.ij - low
    padded = np.vstack([where, np.full(2, np.nan)])
    misses = []
    for weights in _CONTINUATIONS:
        gain = np.sqrt(1 + sum(w * w for w in weights.values()))
        for di, dj in ((1, 0), (0, 1)) if -1 in weights else ((1, 0), (0, 1), (-1, 0), (0, -1)):
            place = sum(w * padded[table[k[:, 0] + n * di, k[:, 1] + n * dj]] for n, w in weights.items())
            misses.append(np.hypot(*(place - where).T) / gain)
    miss = np.array(misses)
    known = np.isfinite(miss).sum(axis=0)
    typical = float(np.nanmedian(miss)) if np.isfinite(miss).any() else 0.0
    best = np.min(np.where(np.isfinite(miss), miss, np.inf), axis=0)
    wild = (best > np.maximum(_WILD * np.hypot(typical, own), _WILD_PITCH * pitch)) & (known >= 4)
    return Patch(patch.rows[~wild], patch.ij[~wild], patch.basis[~wild])


def local_bases(points: ControlPoints) -> Floats:
    """Local lattice vectors (M, 2, 2), px, from the nearest neighbours with a node; the mean basis where there is
    none."""
    table, low = _table(np.asarray(points.ij))
    k = points.ij - low
    out = np.tile(points.basis_px, (len(points), 1, 1))
    for axis, (di, dj) in enumerate(((1, 0), (0, 1))):
        a, b = table[k[:, 0] + di, k[:, 1] + dj], table[k[:, 0] - di, k[:, 1] - dj]
        ahead = np.where((a >= 0)[:, None], points.yx[a] - points.yx, np.nan)
        behind = np.where((b >= 0)[:, None], points.yx - points.yx[b], np.nan)
        both = np.stack([ahead, behind])
        count = np.isfinite(both[..., 0]).sum(axis=0)
        mean = np.nansum(both, axis=0) / np.maximum(count, 1)[:, None]
        out[:, axis] = np.where((count > 0)[:, None], mean, out[:, axis])
    return out


def _turn(mean: Floats, hexagonal: bool) -> AnyArray:
    """Integer matrix that takes nodes on the basis `mean` to nodes on the conventionally oriented one: ij @ matrix."""
    wanted = _oriented(mean, hexagonal)
    return np.rint(np.linalg.inv(wanted @ np.linalg.inv(mean))).astype(np.int64)
