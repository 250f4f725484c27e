"""How regular an indexed lattice is, and whether a cloud of points has one at all.

A lattice can be grown over any cloud of points, even a random one: every step finds some point within its tolerance
now and then. What tells such a lattice from a true one is that the middle between two opposite neighbours is not where
the point is, and that most points have no opposite neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..base.arrays import Bools
from ..records.nodes import NodeTable
from ..records.points import ControlPoints

#: Irregularity beyond which neighbours agree by chance. Holes reach 0.02 even where they are noisy and the field is
#: strong; a lattice grown over random points has 0.05 to 0.15, a third of the tolerance of its growth.
_BY_CHANCE = 0.04
#: A growth over random points collects less than this share of them.
_SHARE = 0.6


@dataclass(frozen=True)
class Regularity:
    """How regular a lattice is.

    Attributes
    ----------
    points : with a node
    of : points that there were
    irregularity : median distance of a point from the middle of two opposite neighbours, in units of the pitch; NaN
        when no point has any
    """

    points: int
    of: int
    irregularity: float

    @property
    def share(self) -> float:
        """Share of the points that have a node."""
        return self.points / max(self.of, 1)

    @property
    def merit(self) -> float:
        """What speaks for a lattice: points with a node, less where they are few of many or lie badly."""
        if not np.isfinite(self.irregularity):
            return 0.0
        return self.points * self.share / (1 + (self.irregularity / (0.5 * _BY_CHANCE)) ** 2)

    @property
    def by_chance(self) -> bool:
        """Whether a growth over random points would have come this far."""
        return self.share < _SHARE and not self.irregularity < _BY_CHANCE


def regularity_of(points: ControlPoints | None, of: int, which: Bools | None = None) -> Regularity:
    """Regularity of a lattice (None: there is none) that was found among `of` points; `which` of them (N,) are looked
    at for how they lie, all by default."""
    if points is None or not len(points):
        return Regularity(0, of, float("nan"))
    table, miss = NodeTable.of(points.ij), []
    for step in ((1, 0), (0, 1)):
        line = table.line(points.ij, step)
        both = np.flatnonzero((line[1] >= 0) & (line[-1] >= 0) & (True if which is None else which))
        ahead, behind = points.yx[line[1][both]], points.yx[line[-1][both]]
        pitch = np.hypot(*(ahead - behind).T) / 2
        miss.append(np.hypot(*((ahead + behind) / 2 - points.yx[both]).T) / np.maximum(pitch, 1e-9))
    found = np.concatenate(miss)
    median = float(np.median(found)) if len(found) else float("nan")
    return Regularity(len(points), of, median)
