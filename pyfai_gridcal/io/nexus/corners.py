"""Pixel corners in a detector file, (ny, nx, 4, 3) metres, order (z, y, x): written, and looked at again.

Made and compressed chunk by chunk, in pieces that fit the cache of a core, by as many threads as there are processors.
The chunks of z are not stored where it is 0: that is their fill value.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable

import h5py
import numpy as np

from ...base.arrays import AnyArray
from ...base.frames import CORNERS
from ...records.corners import corners_of_nodes
from .packing import Offset, compressed, new_dataset

_CHUNK = (64, 256, 4, 1)  # fits the cache of a core; long rows, since what is copied byte by byte likes them


def write_corners(group: h5py.Group, nodes: AnyArray, shape: tuple[int, int]) -> tuple[h5py.Dataset, str]:
    """Write the corners that these nodes (see :mod:`~pyfai_gridcal.records.corners`) make as ``pixel_corners``.

    Returns the dataset and what :func:`seal` makes of it as long as every byte stands as it was written.
    """
    chunk = (min(_CHUNK[0], shape[0]), min(_CHUNK[1], shape[1]), *_CHUNK[2:])
    dataset = new_dataset(group, "pixel_corners", (*shape, 4, 3), np.float32, chunk)

    def write(offset: Offset, data: bytes) -> tuple[int, bytes]:
        dataset.id.write_direct_chunk(offset, data)
        return 0, data

    pieces = compressed(_offsets(shape, flat=nodes.shape[-1] == 2), lambda offset: _planes(nodes, offset, shape, chunk))
    return dataset, _digest(dataset, itertools.starmap(write, pieces))


def seal(corners: h5py.Dataset, *, flat: bool = True) -> str:
    """A digest of the chunks of y and x, and of z unless it is `flat`, as they come from the disk, and of all that HDF5
    makes numbers of them by; empty where one is missing.
    """
    try:
        return _digest(corners, map(corners.id.read_direct_chunk, _offsets(corners.shape, flat=flat)))
    except (OSError, RuntimeError, TypeError, ValueError):  # no such chunk, or none at all
        return ""


def _digest(dataset: h5py.Dataset, chunks: Iterable[tuple[int, bytes]]) -> str:
    """Of the filters that each of the chunks skipped, and its bytes."""
    digest = hashlib.sha256()
    for skipped, data in chunks:
        digest.update(b"%d %d " % (skipped, len(data)))
        digest.update(data)
    form = (dataset.shape, dataset.dtype, dataset.chunks, dataset.compression, dataset.shuffle, dataset.fillvalue)
    digest.update(repr((*form, dataset.id.get_num_chunks())).encode())
    return digest.hexdigest()


def _offsets(shape: tuple[int, ...], *, flat: bool) -> list[Offset]:
    """Where the chunks of y and x begin, and of z unless it is `flat`."""
    rows, columns = (range(0, n, size) for n, size in zip(shape[:2], _CHUNK, strict=False))
    return [(row, column, 0, axis) for row, column, axis in itertools.product(rows, columns, (1, 2, 0)[: 3 - flat])]


def _planes(nodes: AnyArray, offset: Offset, shape: tuple[int, int], chunk: tuple[int, ...]) -> AnyArray:
    """The chunk there, zero beyond the detector, its bytes of equal weight side by side as HDF5's shuffle filter leaves
    them, in one copy.
    """
    # z, which is the first in the file, is the last of the nodes
    rows, columns, axis = offset[0], offset[1], offset[3] - 1
    weights = np.moveaxis(nodes.view(np.uint8).reshape(*nodes.shape, -1)[..., axis, :], -1, 0)
    planes = np.zeros((len(weights), *chunk[:3]), np.uint8)
    a, b = min(chunk[0], shape[0] - rows), min(chunk[1], shape[1] - columns)
    for corner, (down, right) in enumerate(CORNERS):
        if nodes.ndim == 3:
            part = weights[:, rows + down : rows + down + a, columns + right : columns + right + b]
        else:
            part = weights[:, rows : rows + a, columns : columns + b, corner]
        planes[:, :a, :b, corner] = part
    return planes.reshape(len(weights), -1)


def farthest(corners: h5py.Dataset, nodes: AnyArray, pixel_size: tuple[float, float]) -> float:
    """Largest difference of a coordinate, px, infinite where only one of both is a number; 0 when all bits agree."""
    tiled = nodes.ndim == 4
    columns = corners.chunks[1] if corners.chunks else corners.shape[1]
    far = 0.0
    for top in range(0, corners.shape[0], _CHUNK[0]):
        for left in range(0, corners.shape[1], columns):
            part = slice(top, top + _CHUNK[0]), slice(left, left + columns)
            height, width = (len(range(*one.indices(n))) for one, n in zip(part, corners.shape, strict=False))
            true = corners_of_nodes(nodes[top : top + height + (not tiled), left : left + width + (not tiled)])
            for axis, size in enumerate((min(pixel_size), *pixel_size)):  # z, y, x: each has chunks of its own
                got, meant = corners[(*part, slice(None), axis)], np.ascontiguousarray(true[..., axis])
                if not np.array_equal(got.view(np.uint32), meant.view(np.uint32)):
                    with np.errstate(invalid="ignore"):
                        gap = np.nan_to_num(np.abs(got - meant) / size, nan=np.inf)
                    gap[got.view(np.uint32) == meant.view(np.uint32)] = 0
                    far = max(far, float(gap.max()), 1e-30)  # bits that differ without a distance, as -0 and 0
    return far
