"""Chunks of an HDF5 dataset, compressed and unpacked outside of the HDF5 library, by as many threads as wanted.

The library lets only one thread in at a time; gzip is what takes the time, and zlib lets go of the interpreter. What
comes out is what HDF5's own shuffle and gzip filters make of the same numbers, readable everywhere. Where isal (the
extra ``fast``) is installed, it makes and reads the same kind of stream three to six times as fast.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import get_ident
from typing import Any

import h5py
import numpy as np

from ...base.arrays import AnyArray, AnyDtype
from ...base.errors import FileFormatError, UsageError
from ...base.opening import make_hdf5
from ...base.threads import processors

_isal: Any = None  # the module, where it is installed
with suppress(ImportError):
    from isal import isal_zlib as _isal


@dataclass(frozen=True)
class Packing:
    """How frames are compressed.

    Attributes
    ----------
    method : "gzip", "none", or "bitshuffle" (with LZ4, by the plugin of hdf5plugin)
    level : of gzip, 1 (quick) to 9
    """

    method: str = "gzip"
    level: int = 1

    @classmethod
    def parse(cls, text: str) -> Packing:
        """Understand ``gzip``, ``gzip:4``, ``none`` or ``bitshuffle``."""
        match = re.fullmatch(r"(gzip)(?::([1-9]))?|(none|bitshuffle)", text.strip().lower())
        if match is None:
            raise UsageError(f"compression {text!r}", expected="gzip, gzip:1 to gzip:9, bitshuffle or none")
        return cls(match[1] or match[3], int(match[2] or 1))

    def __str__(self) -> str:
        return f"gzip:{self.level}" if self.method == "gzip" else self.method

    def options(self) -> dict[str, Any]:
        """Keywords for ``create_dataset``."""
        if self.method == "gzip":
            return {"compression": "gzip", "compression_opts": self.level, "shuffle": True}
        if self.method == "none":
            return {}
        try:
            import hdf5plugin
        except ImportError as error:
            raise UsageError(
                "bitshuffle needs hdf5plugin", hint="python3 -m pip install hdf5plugin, or use gzip"
            ) from error
        return dict(hdf5plugin.Bitshuffle())

    def plan(self, frame: AnyArray) -> tuple[bool, ...]:
        """Which planes of bytes of this frame, and of others like it, are worth compressing; () = does not matter."""
        if self.method != "gzip" or self.level != 1:
            return ()
        return tuple(_worth(plane) for plane in shuffled(frame))

    def pack(self, frame: AnyArray, plan: tuple[bool, ...] = ()) -> bytes:
        """The bytes of the chunk that holds `frame` alone. `plan` saves looking at each frame anew."""
        if self.method == "gzip":
            planes = shuffled(frame)
            if self.level > 1:
                return zlib.compress(planes.tobytes(), self.level)
            return _quick(planes, plan or tuple(_worth(plane) for plane in planes))
        if self.method == "none":
            return np.ascontiguousarray(frame).tobytes()
        return self._by_plugin(frame)

    def _by_plugin(self, frame: AnyArray) -> bytes:
        """Let HDF5 compress into memory and take the chunk from there."""
        # HDF5 takes files in memory of one name for one file, and several threads pack at once.
        with make_hdf5(f"packing-{get_ident()}", driver="core", backing_store=False) as file:
            dataset = file.create_dataset("chunk", data=frame, chunks=frame.shape, **self.options())
            file.flush()
            return bytes(dataset.id.read_direct_chunk((0,) * frame.ndim)[1])


#: Bytes by which it is judged whether a plane of bytes can be compressed (at most, and which share of the plane), and
#: what must come of it: a plane is packed at 250 MB/s, and to write a seventh of it takes a slow disk half as long.
_SAMPLE, _SHARE, _WORTH = 1 << 16, 16, 0.85


def _worth(plane: AnyArray) -> bool:
    """Whether a plane of bytes can be compressed, by a piece from its middle."""
    size = min(_SAMPLE, max(256, len(plane) // _SHARE))
    middle = max(0, (len(plane) - size) // 2)
    sample = plane[middle : middle + size]
    return len(zlib.compress(sample.tobytes(), 1)) < _WORTH * len(sample)


def _quick(planes: AnyArray, worth: tuple[bool, ...], *, repeats: bool = False) -> bytes:
    """A zlib stream of the planes: runs and frequent bytes only, which shuffled counts are made of, or longer `repeats`
    as well (corners that pixels share; isal finds them anyway); what is not worth it is stored.

    Three to six times as fast as level 1 and not larger, for such data. Each plane is a piece of its own, ended at a
    byte; a zlib stream may consist of any such pieces.
    """
    library = _isal or zlib
    strategy = zlib.Z_DEFAULT_STRATEGY if repeats or _isal else zlib.Z_RLE
    engines = {  # level 0 of isal does not store
        level: (library if level else zlib).compressobj(int(level), zlib.DEFLATED, -15, 8, strategy)
        for level in set(worth)
    }
    pieces = [b"\x78\x01"]
    for plane, level in zip(planes, worth, strict=True):
        pieces += [engines[level].compress(plane.data), engines[level].flush(zlib.Z_FULL_FLUSH)]
    pieces += [b"\x03\x00", library.adler32(planes.data).to_bytes(4, "big")]
    return b"".join(pieces)


def shuffled(frame: AnyArray) -> AnyArray:
    """Bytes of equal weight side by side, as HDF5's shuffle filter leaves them."""
    size = frame.dtype.itemsize
    raw = np.ascontiguousarray(frame).reshape(-1).view(np.uint8).reshape(-1, size)
    planes = np.empty((size, len(raw)), np.uint8)
    for k in range(size):  # faster than one transposing copy
        planes[k] = raw[:, k]
    return planes


def inflated(data: bytes, size: int) -> bytes:
    """The `size` bytes that gzip made a chunk of.

    Raises
    ------
    ValueError
        It is damaged.
    """
    library = _isal or zlib
    try:
        engine = library.decompressobj()
        raw: bytes = engine.decompress(data, size + 1)
    except (zlib.error, library.error) as error:
        raise ValueError(f"damaged chunk: {error}") from error
    if len(raw) != size or not engine.eof:  # without its end, the checksum was not looked at
        raise ValueError(f"chunk of {len(raw)} bytes, expected {size}")
    return raw


def unpack_chunk(data: bytes, shape: tuple[int, ...], dtype: AnyDtype, *, shuffle: bool) -> AnyArray:
    """The numbers of a chunk that gzip (after shuffle, if so) made.

    Raises
    ------
    ValueError
        It is damaged.
    """
    flat = np.frombuffer(inflated(data, int(np.prod(shape)) * dtype.itemsize), np.uint8)
    if shuffle and dtype.itemsize > 1:
        flat = np.ascontiguousarray(flat.reshape(dtype.itemsize, -1).T).reshape(-1)
    return flat.view(dtype).reshape(shape)


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
    dtype: AnyDtype
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
    for offset, data in array.pieces:
        dataset.id.write_direct_chunk(offset, data)
    return dataset


def new_dataset(
    parent: h5py.Group, name: str, shape: tuple[int, ...], dtype: AnyDtype | type, chunks: tuple[int, ...]
) -> h5py.Dataset:
    """An empty dataset for chunks that are compressed here."""
    return parent.create_dataset(name, shape=shape, dtype=dtype, chunks=chunks, **_FILTERS)


def compressed(offsets: list[Offset], planes_at: Callable[[Offset], AnyArray]) -> Iterator[tuple[Offset, bytes]]:
    """Compress the chunks at these offsets, given as :func:`shuffled` planes, in threads (zlib and numpy's copies let
    go of the interpreter), in order. One of them is unpacked again; the others carry the checksum of what they were.
    """
    planes = planes_at(offsets[len(offsets) // 2])
    worth = tuple(_worth(plane) for plane in planes)
    if inflated(_quick(planes, worth, repeats=True), planes.size) != planes.tobytes():
        raise FileFormatError(f"{(_isal or zlib).__name__} unpacks to something else than it has packed")
    with ThreadPoolExecutor(min(_THREADS, processors())) as pool:
        chunks = pool.map(lambda offset: _quick(planes_at(offset), worth, repeats=True), offsets)
        yield from zip(offsets, chunks, strict=True)


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
    pieces = compressed(offsets, lambda offset: shuffled(_padded(array[offset[0] : offset[0] + rows], chunks)))
    return Packed(array.shape, array.dtype, chunks, pieces)


def _padded(block: AnyArray, shape: tuple[int, ...]) -> AnyArray:
    """The block, filled up with zeros to the size of a chunk."""
    if block.shape == shape:
        return block
    full = np.zeros(shape, block.dtype)
    full[tuple(slice(0, n) for n in block.shape)] = block
    return full
