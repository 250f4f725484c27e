"""Arrays in HDF5 files: gzip and shuffle, by several threads, ahead of the writing where there is time for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import h5py
import numpy as np

from .._typing import AnyArray
from ..processors import processors
from .packing import Packing

__all__ = ["Packed", "compressed", "new_dataset", "packed", "write_array", "write_chunks"]

_PACKING = Packing(repeats=True)
_FILTERS = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
_SMALL = 1 << 16  # bytes below which compression is not worth it
_CHUNK = 1 << 18  # bytes that fit the cache of a core
_THREADS = 4  # at most: writing is one thread's work
_LARGEST = 1 << 28  # bytes of a chunk: a row that is larger is left to h5py

Offset = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Packed:
    """An array that is compressed already, for :func:`write_array`.

    Attributes
    ----------
    shape, dtype : of the array
    chunks : shape of one chunk
    pieces : where each chunk begins, and its bytes; made one after the other when they are not kept
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    pieces: Iterable[tuple[Offset, bytes]]


def packed(array: AnyArray) -> Packed | AnyArray:
    """Compress an array now, to be written later; the array itself where that has to be left to h5py."""
    later = _packing(array)
    return replace(later, pieces=tuple(later.pieces)) if isinstance(later, Packed) else later


def write_array(parent: h5py.Group, name: str, array: AnyArray | Packed) -> h5py.Dataset:
    """Write an array, compressed when it is large."""
    if not isinstance(array, Packed):
        array = _packing(array)
    if not isinstance(array, Packed):
        return parent.create_dataset(name, data=array, **(_FILTERS if array.ndim and array.nbytes >= _SMALL else {}))
    dataset = new_dataset(parent, name, array.shape, array.dtype, array.chunks)
    write_chunks(dataset, array.pieces)
    return dataset


def new_dataset(
    parent: h5py.Group, name: str, shape: tuple[int, ...], dtype: Any, chunks: tuple[int, ...]
) -> h5py.Dataset:
    """An empty dataset for chunks that are compressed here."""
    return parent.create_dataset(name, shape=shape, dtype=dtype, chunks=chunks, **_FILTERS)


def write_chunks(dataset: h5py.Dataset, pieces: Iterable[tuple[Offset, bytes]]) -> None:
    """Write compressed chunks as they come."""
    for offset, data in pieces:
        dataset.id.write_direct_chunk(offset, data)


def compressed(offsets: list[Offset], block_at: Callable[[Offset], AnyArray]) -> Iterator[tuple[Offset, bytes]]:
    """Compress the blocks at these offsets in threads (zlib and numpy's copies let go of the interpreter), in order."""
    if not offsets:
        return
    plan = _PACKING.plan(block_at(offsets[len(offsets) // 2]))

    def compress(offset: Offset) -> bytes:
        return _PACKING.pack(block_at(offset), plan)

    with ThreadPoolExecutor(min(_THREADS, processors())) as pool:
        yield from zip(offsets, pool.map(compress, offsets), strict=True)


def _packing(array: AnyArray) -> Packed | AnyArray:
    """The array with pieces that are compressed as they are asked for; as it is where that has to be left to h5py."""
    array = np.asarray(array)
    if array.nbytes < _SMALL or not array.ndim or array.dtype.kind not in "fiu" or not array.dtype.isnative:
        return array
    row = int(np.prod(array.shape[1:], dtype=np.int64)) * array.dtype.itemsize
    rows = min(len(array), max(1, _CHUNK // max(1, row)))
    if rows * row > _LARGEST:
        return array
    chunks, rest = (rows, *array.shape[1:]), (0,) * (array.ndim - 1)
    offsets: list[Offset] = [(start, *rest) for start in range(0, len(array), rows)]
    pieces = compressed(offsets, lambda offset: _padded(array[offset[0] : offset[0] + rows], chunks))
    return Packed(array.shape, array.dtype, chunks, pieces)


def _padded(block: AnyArray, shape: tuple[int, ...]) -> AnyArray:
    """The block, filled up with zeros to the size of a chunk."""
    if block.shape == shape:
        return block
    full = np.zeros(shape, block.dtype)
    full[tuple(slice(0, n) for n in block.shape)] = block
    return full
