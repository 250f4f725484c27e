"""Islands of lattice that touch nothing, and how they are joined to the main one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..base.arrays import AnyArray, Bools, Floats
from ..base.geometry import tree_of
from .growth import Cloud, LocalLattice, Patch, grow

#: Fewest spots that make a lattice: three by three.
LEAST = 9

#: Pieces of lattice that are joined at most, the largest first: each is compared with every other one.
_PIECES = 40
#: Steps of the lattice that it is carried on at most, from one piece to the next.
_FARTHEST = 8


def oriented(basis: Floats, hexagonal: bool, reference: Floats | None = None) -> Floats:
    """Choose among the equivalent bases: j nearest to +x and i towards +y, or nearest to `reference`."""
    a, b = basis
    if hexagonal:
        if (a * b).sum() < 0:
            b = -b
        c = b - a
        six = (a, b, c, -a, -b, -c)
        choices = [(p, q) for p in six for q in six if (p * q).sum() > 0.1 * np.hypot(*p) * np.hypot(*q)]
    else:
        choices = [(p, q) for p, q in ((a, b), (b, a)) for p in (p, -p) for q in (q, -q)]
    # i turns towards j the same way as y towards x
    choices = [(p, q) for p, q in choices if p[0] * q[1] - p[1] * q[0] > 0]
    target = np.array([[1.0, 0.0], [0.0, 1.0]]) if reference is None else reference
    unit = target / np.hypot(target[:, 0], target[:, 1])[:, None]
    if hexagonal and reference is None:
        unit = np.array([[np.sin(np.pi / 3), np.cos(np.pi / 3)], [0.0, 1.0]])

    def agreement(pair: tuple[Floats, Floats]) -> float:
        p, q = pair
        return float((p * unit[0]).sum() / np.hypot(*p) + (q * unit[1]).sum() / np.hypot(*q))

    return np.array(max(choices, key=agreement))


def seeds_of(yx: Floats, local: LocalLattice, free: Bools) -> AnyArray:
    """Free points with a lattice around them, the best and most typical ones first."""
    rows = np.flatnonzero(free & (local.score > 0))
    if not len(rows):
        return rows
    size = np.log(np.hypot(*local.basis[rows, 0].T))
    typical = np.abs(size - np.median(size))
    middle = np.hypot(*(yx[rows] - np.median(yx[rows], axis=0)).T) / (np.hypot(*np.ptp(yx, axis=0)) + 1e-9)
    return rows[np.argsort(-(local.score[rows] - 4 * typical - 0.5 * middle), kind="stable")]


def with_islands(cloud: Cloud, local: LocalLattice, patch: Patch) -> tuple[Patch, float]:
    """Grow what the main patch left out, and join the pieces, those first whose places leave least doubt.

    The second value is the largest misfit of two joined pieces of the lattice that comes out, in nodes: 0.5 could as
    well be the next node. Pieces that were joined with each other only, of dirt or of what is smeared, are not of it.
    """
    yx = cloud.yx
    # grow islands from what is left over, turned as the nearest part of the main patch
    taken = np.zeros(len(yx), bool)
    taken[patch.rows] = True
    pieces = [patch]
    for _ in range(60):
        seeds = seeds_of(yx, local, ~taken)
        if not len(seeds):
            break
        main = max(pieces, key=len)
        _, near = tree_of(yx[main.rows]).query(yx[seeds[0]])
        basis = oriented(local.basis[seeds[0]], cloud.hexagonal, main.basis[near])
        island = grow(cloud, int(seeds[0]), basis, taken)
        taken[island.rows] = True
        if len(island) >= 3:
            pieces.append(island)
    pieces = sorted(pieces, key=len, reverse=True)[:_PIECES]
    junctions: dict[tuple[int, int], _Junction | None] = {}
    # join the two that fit best, compare what came out with the others, and so on
    names, misfit = list(range(len(pieces))), [0.0] * len(pieces)
    while len(names) > 1:
        for a, b in combinations(names, 2):
            if (a, b) not in junctions:
                junctions[a, b] = _junction(yx, pieces[a], pieces[b])
        open_ones = [
            (junction.doubt, key)
            for key, junction in junctions.items()
            if junction is not None and set(key) <= set(names)
        ]
        if not open_ones:
            break
        _, (a, b) = min(open_ones)
        junction = junctions[a, b]
        assert junction is not None
        joined = _joined(pieces[a], pieces[b], junction.shift)
        names = [k for k in names if k not in (a, b)]
        if joined is None:
            junctions[a, b] = None
            names = sorted([*names, a, b])
            continue
        pieces.append(joined)
        names.append(len(pieces) - 1)
        here = junction.miss if min(len(pieces[a]), len(pieces[b])) >= LEAST else 0.0
        misfit.append(max(misfit[a], misfit[b], here))
    largest = max(names, key=lambda k: len(pieces[k]))
    return pieces[largest], misfit[largest]


@dataclass(frozen=True)
class _Junction:
    """How one piece of lattice continues in another: add `shift` to the nodes of the second.

    `miss` is how far the pieces are from a whole number of nodes, 0.5 being the worst; `doubt` adds to it where they
    are far apart or
    touch in few points.
    """

    shift: tuple[int, int]
    miss: float
    doubt: float


def _junction(yx: Floats, one: Patch, other: Patch) -> _Junction | None:
    """Compare two pieces where they are nearest to each other; None where nothing can be said."""
    # pieces with a gap between them that is wider than their vectors reach say nothing, and are most of many
    gap = np.maximum(yx[one.rows].min(axis=0) - yx[other.rows].max(axis=0), 0)
    gap += np.maximum(yx[other.rows].min(axis=0) - yx[one.rows].max(axis=0), 0)
    longest = max(float(np.hypot(*piece.basis.T).sum(axis=0).max()) for piece in (one, other))
    if np.hypot(*gap) > _FARTHEST * longest:
        return None
    distance, near = (np.asarray(v) for v in tree_of(yx[one.rows]).query(yx[other.rows]))
    pitch = float(np.median(np.hypot(*other.basis[:, 0].T)))
    reach = max(float(distance.min()) + 0.8 * pitch, 1.6 * pitch)
    close = distance <= reach
    if close.sum() > 3 and distance.min() > 3 * pitch:
        close = distance <= np.sort(distance)[min(11, len(distance) - 1)]
    # the lattice of both, carried on from the points of one to those of the other, should lead to whole numbers
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
    if far > _FARTHEST or spread > 0.35:
        return None
    miss = float(np.abs(typical - whole).max())
    return _Junction((int(whole[0]), int(whole[1])), miss, miss + 0.08 * max(far - 1, 0) + 0.5 / np.sqrt(len(shift)))


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
