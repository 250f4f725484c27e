"""From corners of pixels to the nodes they share, where they share them."""

from __future__ import annotations

import numpy as np

from .._typing import Bools, Floats
from ..distortion import Distortion
from ..field import corner_values
from ..frames import CORNERS, edge_nodes

__all__ = ["shared_nodes"]


def shared_nodes(distortion: Distortion) -> tuple[Floats, Bools, float]:
    """Displacement at the pixel corners as if neighbours shared them.

    Returns
    -------
    nodes : (ny + 1, nx + 1, 2), px; where no known pixel touches a node, the value of the nearest known one
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
        return _filled(nodes, touched), touched, 0.0
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
    return _filled(total / np.maximum(count, 1)[..., None], known), known, jump


def _filled(nodes: Floats, known: Bools) -> Floats:
    if known.all() or not known.any():
        return nodes
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    out: Floats = nodes[tuple(nearest)]
    return out
