"""Hulls, turns and neighbours in the plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import ConvexHull, QhullError, cKDTree

from .arrays import AnyArray, Bools, Floats


def as_pair(value: float | Sequence[float] | Floats) -> tuple[float, float]:
    """One number for both axes, or one for each (slow, fast) -> (slow, fast)."""
    slow, fast = np.broadcast_to(np.asarray(value, dtype=float), (2,))
    return float(slow), float(fast)


def turn_matrix(angle: float) -> Floats:
    """Matrix that turns (y, x) on the plane by an angle as :class:`Pose` counts it."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s], [-s, c]])


def rigid_columns(at: Floats) -> Floats:
    """(2 N, 3) how a shift along y, one along x and a turn move places (N, 2) from the middle: all y, then all x."""
    one, none = np.ones(len(at)), np.zeros(len(at))
    return np.concatenate([np.stack([one, none, at[:, 1]], axis=1), np.stack([none, one, -at[:, 0]], axis=1)])


def leaning(at: Floats, tilt: Floats | tuple[float, float], source: float) -> Floats:
    """Where the holes of a plate that leans are seen on the plane that it touches.

    Parameters
    ----------
    at : (N, 2) holes of the upright plate, from where it touches the plane, which is below the source
    tilt : (y, x) by how much the plate rises along each axis, rad
    source : distance of the source from the plane, in the unit of `at`; infinite for a parallel beam

    Returns
    -------
    (N, 2) ``(at - tilt (tilt · at) / 2) / (1 - tilt · at / source)``, good to the second order of the tilt
    """
    rise = at @ np.asarray(tilt)
    return np.asarray((at - 0.5 * rise[:, None] * np.asarray(tilt)) / (1 - rise / source)[:, None])


def inverted(matrices: Floats) -> Floats:
    """Inverses of matrices (..., 2, 2), ten times as quick as one by one; of a flat one they are not finite."""
    (a, b), (c, d) = np.moveaxis(matrices, (-2, -1), (0, 1))
    with np.errstate(all="ignore"):
        return np.moveaxis(np.array([[d, -b], [-c, a]]) / (a * d - b * c), (0, 1), (-2, -1))


def tree_of(places: AnyArray) -> cKDTree:
    """Tree of places (N, 2); of holes, which are everywhere, a balanced one takes longer to make and is no quicker."""
    return cKDTree(places, balanced_tree=False, compact_nodes=False)


def hull_of(points: Floats) -> Floats:
    """Corners (V, 2) of the convex hull, in order; the points themselves if they have none."""
    if len(points) < 3:
        return points
    try:
        return np.asarray(points[ConvexHull(points).vertices])
    except QhullError:
        return points


def within_hull(hull: Floats, at: Floats) -> Bools:
    """Whether places are within a convex polygon."""
    left, right = np.ones(len(at), bool), np.ones(len(at), bool)
    y, x = np.ascontiguousarray(at[:, 0]), np.ascontiguousarray(at[:, 1])
    for corner, (down, along) in zip(hull, np.roll(hull, -1, axis=0) - hull, strict=True):
        cross = down * (x - corner[1]) - along * (y - corner[0])
        left &= cross >= -1e-9
        right &= cross <= 1e-9
    return left | right
