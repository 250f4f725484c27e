"""Frames of pixel coordinates, and the only place where half a pixel is added or removed.

index frame
    The *centre* of the first pixel is (0, 0): what an array index means. All spots, nodes and fields use it.
edge frame
    The *corner* of the first pixel is (0, 0), so pixel ``k`` covers ``[k, k + 1]``. Pixel corners and Fit2D use it.

``edge = index + 0.5`` along both axes. Order is always (slow, fast) = (y, x).
"""

from __future__ import annotations

import numpy as np

from .arrays import AnyArray, Floats

__all__ = ["CORNERS", "edge_from_index", "edge_nodes", "index_from_edge", "pixel_centres", "raster_places"]

#: Offsets (y, x) of the corners A, B, C, D of a pixel in pyFAI's order, edge frame.
CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1))


def edge_from_index(coordinate: AnyArray | float) -> Floats:
    """Index frame -> edge frame, px, any shape."""
    return np.asarray(coordinate, dtype=np.float64) + 0.5


def index_from_edge(coordinate: AnyArray | float) -> Floats:
    """Edge frame -> index frame, px, any shape."""
    return np.asarray(coordinate, dtype=np.float64) - 0.5


def edge_nodes(shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Axes (slow, fast) of the pixel corners of an image of this shape, **index frame**: n + 1 values from -0.5 on."""
    return index_from_edge(np.arange(shape[0] + 1)), index_from_edge(np.arange(shape[1] + 1))


def pixel_centres(shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Axes (slow, fast) of the pixel centres, index frame."""
    return np.arange(shape[0], dtype=np.float64), np.arange(shape[1], dtype=np.float64)


def raster_places(y: AnyArray, x: AnyArray) -> AnyArray:
    """(len(y), len(x), 2) the places (y, x) of a raster, given by its two axes."""
    return np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
