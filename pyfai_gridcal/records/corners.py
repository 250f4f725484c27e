"""Corners of all pixels on the detector plane, in metres, order (slow, fast): what a detector is made of for pyFAI.

Neighbours that share their corners have nodes, (ny + 1, nx + 1, 2); pixels of tiles have each their own,
(ny, nx, 4, 2).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..base.arrays import AnyArray
from ..base.frames import CORNERS, edge_nodes
from ..base.threads import processors
from .field import CornerField, Field, by_rows, corner_values

_BLOCK = 16  # rows at a time, for the sake of the cache
_LARGE = 1 << 25  # bytes of corners from which on it takes two threads


def is_tiled(field: Field) -> bool:
    """Whether neighbouring pixels may share no edge."""
    return hasattr(field, "corners")


def corner_nodes(
    field: Field,
    shape: tuple[int, int],
    pixel_size: tuple[float, float],
    dtype: type = np.float32,
    *,
    depth: AnyArray | None = None,
) -> AnyArray:
    """Corrected positions of the pixel corners: (ny + 1, nx + 1, 2) where neighbours share them, else (ny, nx, 4, 2);
    read-only where the field has them as they are.

    Parameters
    ----------
    field : displacement, px
    shape : (slow, fast) pixels
    pixel_size : (slow, fast) metres
    dtype : of what is returned
    depth : (ny, nx) metres, of a detector that is not flat; all corners of a pixel have it, and what is returned is
        (ny, nx, 4, 3) with it as the last coordinate
    """
    if depth is not None:
        # of tilts nobody sees what the corners of a pixel differ by
        corners = corners_of_nodes(corner_nodes(field, shape, pixel_size, dtype))
        corners[..., 0] = depth[..., None]
        return np.roll(corners, -1, axis=-1)
    if isinstance(field, CornerField) and field.pixel_size == pixel_size and field.values.dtype == dtype:
        return field.values  # as they stand in a file
    if is_tiled(field):
        values = corner_values(field, shape)
        out: AnyArray = np.empty(values.shape, dtype)
        down, right = np.arange(shape[0])[:, None, None], np.arange(shape[1])[:, None]
        for start in range(0, shape[0], _BLOCK):
            rows = slice(start, start + _BLOCK)
            for axis, first in ((0, down[rows]), (1, right)):
                out[rows, ..., axis] = (values[rows, ..., axis] + first + np.array(CORNERS)[:, axis]) * pixel_size[axis]
        return out
    y, x = edge_nodes(shape)
    nodes: AnyArray = np.empty((len(y), len(x), 2), dtype)
    for rows, part in by_rows(field, y, x):
        nodes[rows, :, 0] = (part[..., 0] + np.arange(len(y))[rows, None]) * pixel_size[0]
        nodes[rows, :, 1] = (part[..., 1] + np.arange(len(x))) * pixel_size[1]
    return nodes


def corners_of_nodes(nodes: AnyArray) -> AnyArray:
    """Pixel corners (ny, nx, 4, 3) in pyFAI's form, order (z, y, x), from what :func:`corner_nodes` returns."""
    tiled = nodes.ndim == 4
    ny, nx = nodes.shape[:2] if tiled else (nodes.shape[0] - 1, nodes.shape[1] - 1)
    corners = np.empty((ny, nx, 4, 3), nodes.dtype)

    def fill(start: int) -> None:
        stop = min(ny, start + _BLOCK)
        corners[start:stop, ..., 0] = nodes[start:stop, ..., 2] if nodes.shape[-1] == 3 else 0
        for corner, (down, right) in enumerate(CORNERS):
            part = nodes[start:stop, :, corner] if tiled else nodes[start + down : stop + down, right : nx + right]
            for axis in (0, 1):  # one at a time: pairs are copied one by one
                corners[start:stop, :, corner, 1 + axis] = part[..., axis]

    starts = range(0, ny, _BLOCK)
    if corners.nbytes < _LARGE:
        for start in starts:
            fill(start)
    else:  # the time goes into new pages of memory, which two threads get in half of it
        with ThreadPoolExecutor(min(2, processors())) as pool:
            list(pool.map(fill, starts))
    return corners
