"""Pixel corners in a detector file, (ny, nx, 4, 3) metres, order (z, y, x): written, and looked at again.

Made, compressed, unpacked and compared chunk by chunk, in pieces that fit the cache of a core, by as many threads as
there are processors. The chunks of z = 0 are not stored: that is their fill value.
"""

from __future__ import annotations

import itertools

import h5py
import numpy as np

from ...base.arrays import AnyArray
from ...base.frames import CORNERS
from ...records.corners import corners_of_nodes
from .packing import Offset, compressed, in_threads, inflated, new_dataset, shuffled, write_chunks

_CHUNK = (256, 64, 4, 1)  # fits the cache of a core; what repeats from row to row is near


def write_corners(group: h5py.Group, nodes: AnyArray, shape: tuple[int, int]) -> h5py.Dataset:
    """Write the corners that these nodes (see :mod:`~pyfai_gridcal.records.corners`) make as ``pixel_corners``."""
    dataset = new_dataset(group, "pixel_corners", (*shape, 4, 3), np.float32, _chunk(shape))
    write_chunks(
        dataset, compressed(_offsets(shape), lambda offset: _block(nodes, offset, dataset.shape, _chunk(shape)))
    )
    return dataset


def farthest(corners: h5py.Dataset, nodes: AnyArray, pixel_size: tuple[float, float]) -> float:
    """Largest difference of a coordinate, px, infinite where only one of both is a number; 0 when all bits agree."""
    return 0.0 if _as_written(corners, nodes) else _gap(corners, nodes, pixel_size)


def _chunk(shape: tuple[int, int]) -> tuple[int, int, int, int]:
    return (min(_CHUNK[0], shape[0]), min(_CHUNK[1], shape[1]), 4, 1)


def _offsets(shape: tuple[int, int]) -> list[Offset]:
    """Where the chunks of y and x begin."""
    rows, columns = (range(0, n, size) for n, size in zip(shape, _CHUNK, strict=False))
    return [(row, column, 0, axis) for row, column, axis in itertools.product(rows, columns, (1, 2))]


def _block(nodes: AnyArray, offset: Offset, shape: tuple[int, ...], chunk: tuple[int, ...]) -> AnyArray:
    """The chunk there, zero beyond the detector."""
    rows, columns, axis = offset[0], offset[1], offset[3] - 1
    block = np.zeros(chunk, np.float32)
    a, b = min(chunk[0], shape[0] - rows), min(chunk[1], shape[1] - columns)
    for corner, (down, right) in enumerate(CORNERS):
        if nodes.ndim == 3:
            part = nodes[rows + down : rows + down + a, columns + right : columns + right + b, axis]
        else:
            part = nodes[rows : rows + a, columns : columns + b, corner, axis]
        block[:a, :b, corner, 0] = part
    return block


def _as_written(corners: h5py.Dataset, nodes: AnyArray) -> bool:
    """Whether each chunk unpacks to the bytes that it was made from, and there are no others: what HDF5 reads then."""
    shape, chunk = corners.shape, _chunk(corners.shape[:2])
    offsets = _offsets(shape[:2])
    plain = (corners.chunks, corners.compression, corners.shuffle, float(corners.fillvalue)) == (chunk, "gzip", True, 0)
    if not plain or corners.id.get_num_chunks() != len(offsets):
        return False

    def same(offset: Offset) -> bool:
        try:
            skipped, data = corners.id.read_direct_chunk(offset)
            planes = shuffled(_block(nodes, offset, shape, chunk))
            return not skipped and inflated(data, planes.size) == planes.tobytes()
        except (OSError, ValueError):
            return False

    return all(in_threads(same, offsets))


def _gap(corners: h5py.Dataset, nodes: AnyArray, pixel_size: tuple[float, float]) -> float:
    """The same by HDF5's own reading, which also tells what cannot be read."""
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
