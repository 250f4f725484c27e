"""From corners of pixels to the nodes they share, where they share them."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.interpolate import RectBivariateSpline
from scipy.ndimage import distance_transform_edt
from scipy.sparse.linalg import spsolve

from .._typing import Bools, Floats
from ..distortion import Distortion
from ..field import corner_values
from ..frames import CORNERS, edge_nodes

__all__ = ["continued", "shared_nodes"]

#: At most so many samples along one axis decide about a continuation.
SAMPLES = 180


def shared_nodes(distortion: Distortion) -> tuple[Floats, Bools, float]:
    """Displacement at the pixel corners as if neighbours shared them.

    Returns
    -------
    nodes : (ny + 1, nx + 1, 2), px; where no known pixel touches a node, the flattest continuation of the known ones
    known : (ny + 1, nx + 1), a known pixel touches the node
    jump : the largest distance of two known pixels' opinions about the same corner, px
    """
    ny, nx = distortion.shape
    good = np.ones((ny, nx), bool) if distortion.mask is None else ~np.asarray(distortion.mask)
    if not distortion.is_tiled:
        nodes = distortion.field.on_grid(*edge_nodes(distortion.shape))
        touched = np.zeros((ny + 1, nx + 1), bool)
        for a, b in CORNERS:
            touched[a : ny + a, b : nx + b] |= good
        touched &= np.isfinite(nodes).all(axis=-1)
        return continued(nodes, touched), touched, 0.0
    corners = corner_values(distortion.field, distortion.shape)
    good = good & np.isfinite(corners).all(axis=(2, 3))
    total, count = np.zeros((ny + 1, nx + 1, 2)), np.zeros((ny + 1, nx + 1))
    low, high = np.full((ny + 1, nx + 1, 2), np.inf), np.full((ny + 1, nx + 1, 2), -np.inf)
    for k, (a, b) in enumerate(CORNERS):
        where = slice(a, ny + a), slice(b, nx + b)
        total[where] += np.where(good[..., None], corners[:, :, k], 0.0)
        count[where] += good
        low[where] = np.minimum(low[where], np.where(good[..., None], corners[:, :, k], np.inf))
        high[where] = np.maximum(high[where], np.where(good[..., None], corners[:, :, k], -np.inf))
    known = count > 0
    jump = float(np.hypot(*(high - low)[known].T).max(initial=0))
    return continued(total / np.maximum(count, 1)[..., None], known), known, jump


def continued(values: Floats, known: Bools) -> Floats:
    """Samples (ny, nx, 2) of a raster, with unknown ones replaced by the flattest continuation of the known ones.

    Notes
    -----
    The sum of the squares of the second differences along both axes is made smallest, on at most `SAMPLES` samples
    along each axis. Straight lines go on as straight lines, and no kink is left at the border, for which a spline
    would need knots.
    """
    if known.all() or not known.any():
        return values
    rows, columns = (np.unique(np.rint(np.linspace(0, n - 1, min(n, SAMPLES))).astype(np.int64)) for n in known.shape)
    coarse, sure = values[np.ix_(rows, columns)], known[np.ix_(rows, columns)]
    if min(coarse.shape[:2]) < 4 or not sure.any():
        return _nearest(values, known)
    if not sure.all():
        coarse = _flattest(_nearest(coarse, sure), sure)
    out = values.copy()
    for k in range(values.shape[-1]):
        smooth = RectBivariateSpline(rows, columns, coarse[..., k], s=0)
        out[..., k][~known] = smooth(np.arange(known.shape[0]), np.arange(known.shape[1]))[~known]
    return out


def _flattest(values: Floats, known: Bools) -> Floats:
    """Least squares of the second differences, by the unknown samples."""
    ny, nx = known.shape
    bends = sparse.vstack(
        [
            sparse.kron(_second_differences(ny), sparse.eye_array(nx)),
            sparse.kron(sparse.eye_array(ny), _second_differences(nx)),
        ]
    ).tocsc()
    free = np.flatnonzero(~known)
    given = np.where(known[..., None], values, 0.0).reshape(-1, values.shape[-1])
    part = bends[:, free]
    # A hair of a spring to the nearest known value, so that a single known row is enough for a solution.
    start, spring = values.reshape(given.shape)[free], 1e-9
    normal = (part.T @ part + spring * sparse.eye_array(len(free))).tocsc()
    given[free] = spsolve(normal, spring * start - part.T @ (bends @ given))
    return given.reshape(values.shape)


def _second_differences(n: int) -> sparse.dia_array:
    return sparse.diags_array([1.0, -2.0, 1.0], offsets=[0, 1, 2], shape=(n - 2, n))


def _nearest(values: Floats, known: Bools) -> Floats:
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    out: Floats = values[tuple(nearest)]
    return out
