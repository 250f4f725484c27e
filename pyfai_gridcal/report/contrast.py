"""How clearly holes stood out, and where the line between them and everything else was drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from .._typing import AnyArray, Bools, Floats
from ..detection import THRESHOLD
from ..picking import pick
from ..points import ControlPoints
from ..spots import Spots
from ..survey import filled

__all__ = ["Contrasts", "contrasts_of"]

#: Weakest contrast that is listed, relative to the neighbourhood.
_LEAST = 0.03


@dataclass(frozen=True, eq=False)
class Contrasts:
    """All places of an image that stood out of the noise.

    Attributes
    ----------
    relative : (N,) contrast over the one that is typical for the neighbourhood
    is_spot : (N,) whether it became a control point
    threshold : relative contrast below which places were not looked at (but where the lattice asked for a hole)
    """

    relative: Floats
    is_spot: Bools
    threshold: float


def contrasts_of(image: AnyArray, mask: Bools | None, spots: Spots, points: ControlPoints) -> Contrasts | None:
    """Look for places again with a lower threshold than the search had, None when hole size or points are not known."""
    if not spots.hole_px > 0 or not len(points):
        return None
    seen = pick(filled(np.asarray(image), mask), polarity=spots.polarity, radius_px=spots.hole_px / 2, threshold=_LEAST)
    if not len(seen):
        return None
    distance, _ = cKDTree(points.yx).query(seen.yx)
    return Contrasts(seen.relative, np.asarray(distance < 0.3 * min(points.pitch_px)), THRESHOLD)
