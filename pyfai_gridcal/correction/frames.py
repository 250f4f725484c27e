"""Frames of several sources in one row, read by many threads: packed chunks are taken as they are and unpacked outside
of HDF5.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..base.arrays import AnyArray
from ..base.errors import ImageError
from ..base.opening import open_hdf5
from ..base.units import Region
from ..io.images.frames import Frames, parse_address
from ..io.images.regions import region_told, why_not
from ..io.nexus.packing import unpack_chunk

#: Type of the numbers of an array.
DType = np.dtype[Any]


def require(source: Frames, shape: tuple[int, int], region: Region | None = None) -> None:
    """Refuse frames of another shape than the detector's, or that tell of another part of it.

    Parameters
    ----------
    source : frames
    shape : (slow, fast) px
    region : that the first image told of, None when it told of none

    Raises
    ------
    ImageError
        They cannot be corrected with the others.
    """
    if tuple(source.shape) != shape:
        raise ImageError(
            f"{source.name} is of {tuple(source.shape)} pixels",
            expected=f"{shape}, as the detector",
            hint=why_not(source.shape, shape),
        )
    told = region_told(source.header, shape)
    if region and told != region:
        raise ImageError(
            f"{source.name} shows another part of the detector than the first image: {told} instead of {region}",
            hint="correct the images of each part by themselves",
        )


class FrameReader(AbstractContextManager["FrameReader"]):
    """All frames of several sources.

    Parameters
    ----------
    sources : opened; they are closed with the reader

    Attributes
    ----------
    count : frames of all of them
    dtype : that holds all of them
    attributes : texts and numbers that the first dataset tells about itself
    notes : remarks on the sources, in words
    """

    def __init__(self, sources: Sequence[Frames]):
        self._sources = list(sources)
        self._table = [(k, n) for k, source in enumerate(self._sources) for n in range(source.count)]
        self._lock = threading.Lock()
        self.count = len(self._table)
        if not self.count:
            raise ImageError("no frame to correct")
        self._packed = [_packed_reader(source) for source in self._sources]
        self.dtype: DType = np.result_type(*(s.dtype for s in self._sources))
        self.notes = tuple(note for source in self._sources for note in source.notes)
        kept = ("units", "long_name")
        self.attributes = {k: v for k, v in self._sources[0].header.items() if k in kept}

    @property
    def name(self) -> str:
        """The first source, and how many more."""
        more = f" and {len(self._sources) - 1} more" if len(self._sources) > 1 else ""
        return f"{_absolute(self._sources[0])}{more}"

    def require(self, shape: tuple[int, int], region: Region | None = None) -> None:
        """Refuse what cannot be corrected before the long work begins; see :func:`require`."""
        for source in self._sources:
            require(source, shape, region)

    def identity(self) -> tuple[object, ...]:
        """What tells these frames from others: names, sizes and times of the files, and what they lack."""
        parts: list[object] = []
        for source in self._sources:
            stat = os.stat(source.path) if source.path else None
            when = (stat.st_size, stat.st_mtime_ns) if stat else source.sha256()
            parts.append((_absolute(source), source.count, when, *source.notes))
        return tuple(parts)

    def read(self, number: int) -> AnyArray:
        """The frame of that number; any thread may ask."""
        k, n = self._table[number]
        source, packed = self._sources[k], self._packed[k]
        try:
            with self._lock:
                data = None if packed is None else packed.read(n)
                if packed is None or data is None:
                    return np.array(source.read(n))
            return unpack_chunk(data, packed.shape, packed.dtype, shuffle=packed.shuffle)
        except ImageError:
            raise
        except Exception as error:
            raise ImageError(
                f"frame {n} of {source.name} is unreadable ({error})", hint="the frames before it are kept"
            ) from error

    def __exit__(self, *_: object) -> None:
        for packed in self._packed:
            if packed is not None:
                packed.close()
        for source in self._sources:
            source.close()


def _absolute(source: Frames) -> str:
    """The source by its absolute path, so that nothing depends on how and from where it was named."""
    if not source.path:
        return source.name
    _, mark, inside = source.url.partition("::")
    return source.path + (mark + inside if mark else source.url.partition("?")[2])


@dataclass(frozen=True)
class _StoredFrames:
    """One dataset whose chunks are single frames, compressed with gzip, perhaps shuffled before."""

    read: Callable[[int], bytes | None]
    shape: tuple[int, ...]
    dtype: DType
    shuffle: bool
    close: Callable[[], None]


def _packed_reader(source: Frames) -> _StoredFrames | None:
    """How to take the chunks of a source as they are; None where that cannot be."""
    if "::" not in source.url or not source.path:
        return None
    address = parse_address(source.url)
    if not address.data_path or address.index is not None:
        return None
    import h5py

    file = open_hdf5(source.path)
    dataset = file.get(address.data_path)
    plan = dataset.id.get_create_plist() if isinstance(dataset, h5py.Dataset) else None
    filters = [plan.get_filter(k)[0] for k in range(plan.get_nfilters())] if plan is not None else []
    usable = (
        filters in ([h5py.h5z.FILTER_DEFLATE], [h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE])
        and dataset.ndim == 3
        and dataset.chunks == (1, *dataset.shape[1:])
        and dataset.shape[0] == source.count
        and dataset.dtype.isnative
        and dataset.dtype.kind in "fiu"
    )
    if not usable:
        file.close()
        return None

    def read(number: int) -> bytes | None:
        try:
            mask, data = dataset.id.read_direct_chunk((number, 0, 0))
        except (OSError, RuntimeError, ValueError):  # never written
            return None
        return bytes(data) if mask == 0 else None

    return _StoredFrames(read, dataset.shape[1:], dataset.dtype, len(filters) == 2, file.close)
