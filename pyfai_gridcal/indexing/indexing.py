"""The integer node of every spot.

Two things are told apart here: which lattice it is (square or hexagonal, from the local vectors of all spots) and
which node each spot holds (by growth from the best seed, see :mod:`~pyfai_gridcal.indexing.growth`, island by island).
Islands that touch nothing are joined where the extrapolated lattice leaves no doubt. In the end every spot is predicted
from its neighbours, and what contradicts them is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..base.arrays import AnyArray, Floats, largest_of, length
from ..base.errors import IndexingError
from ..records.nodes import NodeTable
from ..records.plate import LatticeKind
from ..records.points import ControlPoints
from ..records.spots import Spots
from .growth import Cloud, LocalLattice, Patch, grow, grow_on, local_lattices
from .islands import LEAST, oriented, seeds_of, with_islands
from .sublattice import finer, reduced

__all__ = ["GrownLattice", "grow_lattice", "index_spots", "lattice_kind"]

#: Points that are asked where a median is wanted: for the lattice around them before anything has grown, for misses.
_SAMPLE = 1000

#: A lattice with more nodes must take in so many times more spots: a finer one of which every other node is empty would
#: take in none.
_GAIN = 1.2

#: A point is wrong when it misses its predicted place by so many medians, and by such a share of the pitch: the best of
#: twelve predictions counts, which misses less than most; the share is a convention.
_WILD, _WILD_PITCH = 2.5, 0.006

#: Weights of the neighbours 1, 2, ... nodes away along a line that continue a straight or a bent line to a point.
_CONTINUATIONS: tuple[dict[int, float], ...] = (
    {-1: 0.5, 1: 0.5},
    {-2: -1 / 6, -1: 2 / 3, 1: 2 / 3, 2: -1 / 6},
    {1: 2.0, 2: -1.0},
    {1: 3.0, 2: -3.0, 3: 1.0},
)


@dataclass(frozen=True, eq=False)
class GrownLattice:
    """Rows of spots with their nodes on any basis, whether the lattice is hexagonal, and the doubt about islands.

    `scale` makes square pixels of those of the image: the basis is in units of these.
    """

    patch: Patch
    hexagonal: bool
    doubt: float
    scale: Floats

    @classmethod
    def of(cls, points: ControlPoints, rows: AnyArray, aspect: float = 1.0) -> GrownLattice:
        """That of points which are the spots `rows` (N,) now, -1 for none of them; `aspect` is that of a pixel."""
        scale, here = np.sqrt([aspect, 1 / aspect]), np.flatnonzero(rows >= 0)
        patch = Patch(rows[here], points.ij[here], np.tile(points.basis_px * scale, (len(here), 1, 1)))
        return cls(patch, points.angle_deg == 60.0, points.seam_doubt, scale)

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
            np.linalg.inv(matrix) @ mean / self.scale,
            60.0 if self.hexagonal else (90.0 if angle_deg is None else angle_deg),
            self.doubt,
            None if spots.shared_yx is None else spots.shared_yx[patch.rows],
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
    aspect: float = 1.0,
    hand: Floats | None = None,
) -> ControlPoints:
    """Give every spot its integer node.

    Parameters
    ----------
    spots : N spots in any order
    lattice : what the plate is; "auto" tells square and hexagonal apart, every other one looks square to a single image
    angle_deg : angle between the axes of an oblique plate
    tolerance : fraction of the pitch that a spot may be off its predicted place, in (0, 0.5)
    sieve : drop points that do not fit smoothly between their neighbours
    aspect : of a pixel, slow over fast: the lattice is looked at in real lengths
    hand : (3, 2) px, index frame: a spot and two of its neighbours, from which the lattice grows where it cannot be
        told by itself; the spot is the node (0, 0)

    Returns
    -------
    M <= N control points; no node twice. The node nearest to the middle of the spots is (0, 0); i grows with y and j
    with x. On a
    hexagonal lattice the axis of i lies 60 degrees from that of j.

    Raises
    ------
    IndexingError
        Fewer than 9 spots, no two directions, or another lattice than the requested one.

    Examples
    --------
    >>> import numpy as np
    >>> from pyfai_gridcal import Spots, index_spots
    >>> y, x = np.meshgrid(np.arange(10.0, 150, 20), np.arange(12.0, 250, 25), indexing="ij")
    >>> points = index_spots(Spots.from_positions(np.column_stack([y.ravel(), x.ravel()])))
    >>> np.ptp(points.ij, axis=0).tolist()
    [6, 9]
    """
    if hand is not None:
        grown = _by_hand(spots, lattice, np.asarray(hand, float), tolerance)
        return grown.points(spots, angle_deg).counted_from(tuple(hand[0]))
    return grow_lattice(spots, lattice, tolerance=tolerance, sieve=sieve, aspect=aspect).points(spots, angle_deg)


def grow_lattice(
    spots: Spots,
    lattice: LatticeKind = "auto",
    *,
    tolerance: float = 0.25,
    sieve: bool = True,
    aspect: float = 1.0,
    start: GrownLattice | None = None,
) -> GrownLattice:
    """What :func:`index_spots` makes control points of; arguments and errors are the same. From a `start` without doubt
    it only grows on."""
    scale = np.sqrt([aspect, 1 / aspect])
    yx = np.asarray(spots.yx) * scale
    if len(yx) < LEAST:
        raise IndexingError(
            f"found {len(yx)} spot{'' if len(yx) == 1 else 's'}",
            expected=f"at least {LEAST} to index a lattice",
            hint="check polarity and hole size",
        )
    if start is None or start.doubt > 0 or len(start.patch) < LEAST:
        cloud, patch = _grown_from_nothing(yx, lattice, tolerance)
    else:
        cloud = Cloud(yx, start.hexagonal, tolerance)
        patch = grow_on(cloud, start.patch)
    left = np.ones(len(yx), bool)
    left[patch.rows] = False
    local = local_lattices(cloud, np.flatnonzero(left))
    patch, doubt = with_islands(cloud, local, patch)
    patch = _closed(yx, patch, tolerance)
    if sieve:
        patch = _smooth(yx, np.asarray(spots.sigma_yx) * scale, patch)
    return GrownLattice(patch, cloud.hexagonal, doubt, scale)


def _grown_from_nothing(yx: Floats, lattice: LatticeKind, tolerance: float) -> tuple[Cloud, Patch]:
    """The points with the kind of their lattice, and its largest piece."""
    cloud = Cloud(yx, tolerance=tolerance)
    # a thousand points tell what the lattice is and where to start; the rest is asked only where it is left over
    local = local_lattices(cloud, np.arange(0, len(yx), max(1, len(yx) // _SAMPLE)))
    if not (local.score > 0).any():
        raise IndexingError(
            f"the {len(yx)} spots have no common lattice: no spot has neighbours on opposite sides",
            hint="is this the image of a regular grid of holes?",
        )
    hexagonal, angle = lattice_kind(local)
    if _decide(lattice, hexagonal, angle):
        cloud = Cloud(yx, True, tolerance)
    patch = _largest(cloud, local)
    if len(patch) < LEAST:
        raise IndexingError(
            f"the largest piece of lattice has {len(patch)} of {len(yx)} spots",
            expected=f"at least {LEAST}",
            hint="is this the image of a regular grid of holes?",
        )
    return cloud, patch


def _by_hand(spots: Spots, lattice: LatticeKind, hand: Floats, tolerance: float) -> GrownLattice:
    """The lattice that grows from a point and two of its neighbours, (3, 2)."""
    cloud = Cloud(np.asarray(spots.yx), lattice == "hexagonal", tolerance)
    rows: AnyArray = np.asarray(cloud.tree.query(hand)[1])
    a, b = basis = cloud.yx[rows[1:]] - cloud.yx[rows[:1]]
    sine = abs(float(a[0] * b[1] - a[1] * b[0])) / max(float(np.hypot(*a) * np.hypot(*b)), 1e-12)
    if lattice == "auto":  # nearer to 60 than to 90 degrees
        cloud = Cloud(cloud.yx, sine < np.sin(np.deg2rad(75)), tolerance)
    # No lattice leans that much (17 degrees): they are on one line.
    grown = grow(cloud, int(rows[0]), oriented(basis, cloud.hexagonal)) if sine > 0.3 else None
    if grown is None or len(grown) < LEAST:
        raise IndexingError(
            f"from these three holes a lattice of {0 if grown is None else len(grown)} grows",
            expected=f"at least {LEAST}",
            hint="click a hole and its next neighbours in two directions",
        )
    patch = _smooth(cloud.yx, np.asarray(spots.sigma_yx), _closed(cloud.yx, grown, tolerance))
    return GrownLattice(patch, cloud.hexagonal, 0.0, np.ones(2))


def _decide(lattice: LatticeKind, hexagonal: bool, angle: float) -> bool:
    if lattice in ("auto", "oblique"):
        return hexagonal and lattice == "auto"
    if hexagonal != (lattice == "hexagonal"):
        raise IndexingError(
            f"lattice='{lattice}', but neighbouring spots stand at {angle:.0f} degrees", hint="leave it to 'auto'"
        )
    return hexagonal


def _largest(cloud: Cloud, local: LocalLattice) -> Patch:
    """Grow from a few seeds until one reaches most of the points; take the largest patch."""
    best: Patch | None = None
    tried = np.zeros(len(cloud.yx), bool)
    for _ in range(6):
        seeds = seeds_of(cloud.yx, local, ~tried)
        if not len(seeds):
            break
        patch = grow(cloud, int(seeds[0]), oriented(local.basis[seeds[0]], cloud.hexagonal))
        tried[patch.rows] = True
        tried[seeds[0]] = True
        if best is None or len(patch) > len(best):
            best = patch
        if len(best) > 0.5 * len(cloud.yx):
            break
    assert best is not None
    return _whole_lattice(cloud, best)


def _whole_lattice(cloud: Cloud, patch: Patch) -> Patch:
    """The lattice of which the patch holds only every second node, if the spots say so."""
    for _ in range(2):
        matrix = finer(cloud.yx, patch)
        if matrix is None:
            break
        where = cloud.yx[patch.rows]
        middle = np.argmin(np.hypot(*(where - np.median(where, axis=0)).T))
        basis = oriented(reduced(matrix @ patch.basis[middle]), cloud.hexagonal)
        grown = grow(cloud, int(patch.rows[middle]), basis)
        if len(grown) < _GAIN * len(patch):
            break
        patch = grown
    return patch


def _closed(yx: Floats, patch: Patch, tolerance: float) -> Patch:
    """Drop points that lie off the place that opposite neighbours give them, until all loops close."""
    for _ in range(4):
        table = NodeTable.of(patch.ij)
        where = yx[patch.rows]
        pitch = np.minimum(length(patch.basis[:, 0]), length(patch.basis[:, 1]))
        off, votes = np.zeros(len(patch)), np.zeros(len(patch))
        for step in ((1, 0), (0, 1), (1, 1), (1, -1)):
            line = table.line(patch.ij, step)
            a, b = line[1], line[-1]
            both = (a >= 0) & (b >= 0)
            miss = length(0.5 * (where[a] + where[b]) - where) / np.maximum(pitch, 1e-9)
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
        patch = patch.select(~drop)
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
    where, own = yx[patch.rows], largest_of(sigma[patch.rows])
    pitch = float(np.median(np.hypot(*patch.basis[:, 0].T)))
    table = NodeTable.of(patch.ij)
    padded = np.vstack([where, np.full(2, np.nan)])
    misses = []
    for step in ((1, 0), (0, 1)):
        there = {n: padded.take(rows, axis=0) for n, rows in table.line(patch.ij, step, 3).items() if n}
        for weights in _CONTINUATIONS:
            gain = np.sqrt(1 + sum(w * w for w in weights.values()))
            # what looks both ways is the same along the opposite direction
            for sign in (1,) if -1 in weights else (1, -1):
                place = sum(w * there[sign * n] for n, w in weights.items())
                misses.append(length(place - where) / gain)
    miss = np.array(misses)
    known = np.isfinite(miss).sum(axis=0)
    some = miss[:, :: len(where) // _SAMPLE + 1]
    typical = float(np.nanmedian(some)) if np.isfinite(some).any() else 0.0
    best = np.min(np.where(np.isfinite(miss), miss, np.inf), axis=0)
    wild = (best > np.maximum(_WILD * np.hypot(typical, own), _WILD_PITCH * pitch)) & (known >= 4)
    return patch.select(~wild)


def _turn(mean: Floats, hexagonal: bool) -> AnyArray:
    """Integer matrix that takes nodes on the basis `mean` to nodes on the conventionally oriented one: ij @ matrix."""
    wanted = oriented(mean, hexagonal)
    return np.rint(np.linalg.inv(wanted @ np.linalg.inv(mean))).astype(np.int64)
