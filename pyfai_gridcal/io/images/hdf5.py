"""Images in HDF5 files: a dataset that is named, or the only one that looks like an image."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import h5py
import numpy as np

from ...base.arrays import AnyArray, Bools
from ...base.errors import FileFormatError, ImageError, UsageError
from ...base.opening import open_hdf5, text_of
from ...records.jobs import Missing
from .frames import Address, Frames, Index, select_frames
from .missing import lies_in, lost_frames, without_lost

MAX_NODES = 20_000  # of a file that are looked at
SMALLEST_SIDE = 8  # px, of what may be an image


def hdf5_frames(address: Address, missing: Missing = "error") -> Frames:
    """Open the dataset of an address, or the image-like one when the address names only the file.

    The data files of an Eiger master, ``data_000001`` and so on, are one row of frames, over which an index counts.
    Pixels that its ``pixel_mask`` names get the value that says "no measurement".
    """
    with contextlib.suppress(ImportError):
        import hdf5plugin  # noqa: F401  # registers the compression filters
    try:
        file = open_hdf5(address.file)
    except FileFormatError as error:
        what = error.what if error.hint else f"{address.file} is no readable HDF5 file ({error.what})"
        raise ImageError(what, hint=error.hint or "is it complete?") from error
    try:
        return _frames(file, address, missing)
    except BaseException:
        file.close()
        raise


@dataclass(frozen=True)
class _Part:
    """Frames of one dataset: how to read one, its shape, which of them are lost, and where those should be."""

    read: Callable[[int], AnyArray]
    shape: tuple[int, ...]
    lost: list[bool]
    places: list[str]


def _frames(file: h5py.File, address: Address, missing: Missing) -> Frames:
    found = _datasets(file, address)
    series = _is_series(found) and address.data_path not in found
    datasets = {name: one for name, one in found.items() if not isinstance(one, str)}
    known = {name: _planes(dataset, address, series=series) for name, dataset in datasets.items()}
    shapes = {part.shape for part in known.values()}
    if len(shapes) > 1:
        raise ImageError(f"frames of shapes {sorted(shapes)} in {address.file}", expected="one shape")
    # A file that is not there is taken to hold as many frames as the longest of the others.
    (path, first), most = next(iter(known.items())), max(len(part.lost) for part in known.values())
    parts = [known.get(name) or replace(first, lost=[True] * most, places=[str(one)]) for name, one in found.items()]
    table = [(part, k) for part in parts for k in range(len(part.lost))]
    if series and address.index:
        table = [table[k] for k in select_frames(len(table), address.index[:1], address)]
    if not table:
        raise ImageError(f"no frame in {address.file}::{address.data_path or '/'}")
    places = [place for part in parts for place in part.places]
    lost = [part.lost[k] for part, k in table]
    table, notes = without_lost(table, lost, places, address.text or address.file, missing)
    bad = _pixel_mask(file, path, address.index) if series else None
    if bad is not None and bad.any():
        notes += (f"{int(bad.sum())} pixels are ignored, as the pixel_mask of {address.file} has it",)
    return Frames(
        len(table),
        first.shape,
        np.dtype(datasets[path].dtype),
        _reader(table, address, bad),
        path=os.path.abspath(address.file),
        # Of a series, the group: the frames of one of its datasets are not all.
        url=address.text
        if address.data_path
        else f"{address.file}::{path.rpartition('/')[0] or '/' if series else path}",
        header={k: str(v)[:200] for k, v in list(datasets[path].attrs.items())[:20]},
        notes=notes,
        close=file.close,
    )


def _reader(table: list[tuple[_Part, int]], address: Address, bad: Bools | None) -> Callable[[int], AnyArray]:
    """What reads the frame of a number; one that is lost is nan."""

    def read(k: int) -> AnyArray:
        part, number = table[k]
        if part.lost[number]:
            return np.full(part.shape, np.nan, np.float32)
        try:
            frame = part.read(number)
        except OSError as error:
            raise ImageError(f"frame {k} of {address.file} is unreadable ({error})", hint="is it complete?") from error
        if bad is not None:
            top = np.iinfo(frame.dtype).max if frame.dtype.kind == "u" else -1
            frame[bad] = np.nan if frame.dtype.kind == "f" else top
        return frame

    return read


def _datasets(file: h5py.File, address: Address) -> dict[str, h5py.Dataset | str]:
    """Path -> dataset of what an address means: one, or a series, of which some may lie elsewhere (then, where)."""
    path = address.data_path or "/"
    at = ""
    for name in filter(None, path.split("/")):
        at, place = f"{at}/{name}", lies_in(file, f"{at}/{name}")
        if place:
            raise ImageError(
                f"{at} of {address.file} lies in {place}, which cannot be read", hint="put it in its place"
            )
    if path not in file:
        raise ImageError(f"no dataset {path} in {address.file}", hint=_others(file))
    node = file[path]
    found: dict[str, h5py.Dataset | str] = {path: node} if isinstance(node, h5py.Dataset) else _search(node, path)
    default = _default_signal(file)
    series = {name: found[name] for name in sorted(found) if _is_series([name])}
    if _is_series(series) and (default not in found or default in series):
        found = series
    there = {name: one for name, one in found.items() if not isinstance(one, str)}
    if not there:
        elsewhere = f": {', '.join(map(str, found.values()))[:400]} cannot be read" if found else ""
        what = f"no image in {address.file}::{path}{elsewhere}"
        raise ImageError(what, expected="a dataset of two or more dimensions")
    if found is series:
        return found
    if default in there and len(there) > 1:
        return {default: there[default]}
    if len(there) > 1:
        raise ImageError(
            f"{address.file} holds {len(there)} datasets that may be the image: {_listed(there)}",
            expected="one",
            hint=f"name it: {address.file}::{next(iter(there))}",
        )
    return dict(there)


def _is_series(names: Collection[str]) -> bool:
    """Whether paths are those of an Eiger master file, in one group."""
    return len({one.rpartition("/")[0] for one in names}) == 1 and all(re.search(r"/data_\d+$", one) for one in names)


def _pixel_mask(file: h5py.File, path: str, index: tuple[Index, ...] | None) -> Bools | None:
    """The mask of the detector in the entry of a dataset, None when there is none: where Eiger keeps it, and NeXus.

    The index is that of the frames: without its first number it is for a plane.
    """
    entry = path.strip("/").partition("/")[0]
    for place in ("detectorSpecific/pixel_mask", "pixel_mask"):
        mask = file.get(f"{entry}/instrument/detector/{place}")
        if isinstance(mask, h5py.Dataset) and mask.shape == file[path].shape[-2:]:
            return np.asarray(np.asarray(mask[()] != 0)[(index or ())[1:]])
    return None


def _planes(dataset: h5py.Dataset, address: Address, *, series: bool) -> _Part:
    """The planes of a dataset with the index of the address applied; of a series, without its first number."""
    name = f"{address.file}::{dataset.name}"
    if dataset.dtype.kind not in "uifb":
        raise ImageError(f"{name} holds {dataset.dtype}", expected="numbers")
    if dataset.ndim < 2:
        raise ImageError(f"{name} has the shape {dataset.shape}", expected="two dimensions or a stack of three")
    tail = 3 if dataset.ndim > 2 and dataset.shape[-1] in (3, 4) and min(dataset.shape[-3:-1]) >= SMALLEST_SIDE else 2
    lead = dataset.ndim - tail
    index = (*[slice(None)] * lead, *address.index[1:]) if series and address.index else address.index
    full = _full_index(index, dataset, name)
    chosen = [np.atleast_1d(np.arange(n)[i]) for n, i in zip(dataset.shape[:lead], full[:lead], strict=True)]
    inner = full[lead:]
    if any(isinstance(i, int) for i in inner):
        raise UsageError(f"slice of {address.text!r}", expected="whole images: ranges for the last two dimensions")
    shape = tuple(len(range(n)[i]) for n, i in zip(dataset.shape[lead:], inner, strict=True) if isinstance(i, slice))
    counts = tuple(len(c) for c in chosen)

    def read(k: int) -> AnyArray:
        at = tuple(int(c[i]) for c, i in zip(chosen, np.unravel_index(k, counts), strict=True)) if lead else ()
        return np.asarray(dataset[(*at, *inner)])

    lost, places = lost_frames(dataset, lead)
    return _Part(read, shape, lost[np.ix_(*chosen)].ravel().tolist(), places)


def _full_index(index: tuple[Index, ...] | None, dataset: h5py.Dataset, name: str) -> tuple[int | slice, ...]:
    """`index` with an entry for each dimension of the dataset, checked against its shape."""
    given = list(index or ())
    if ... in given:
        at = given.index(...)
        given[at : at + 1] = [slice(None)] * (dataset.ndim - len(given) + 1)
    if len(given) > dataset.ndim:
        raise ImageError(f"{len(given)} indices for {name} of shape {dataset.shape}")
    full: list[int | slice] = [i for i in given if not isinstance(i, type(...))]
    full += [slice(None)] * (dataset.ndim - len(full))
    for i, n in zip(full, dataset.shape, strict=True):
        if isinstance(i, int) and not -n <= i < n:
            raise ImageError(f"index {i} of {name}", expected=f"0 to {n - 1}")
    return tuple(full)


def find_images(group: h5py.Group, name: str = "/") -> dict[str, h5py.Dataset]:
    """Path -> dataset of what may be an image below a group: numbers, two or more dimensions, sides of 8 px and more.

    `name` is the path of the group. External links are followed, each object is met once, and the search ends after
    20 000 objects: loops are harmless.
    """
    return {path: one for path, one in _search(group, name).items() if not isinstance(one, str)}


def _search(group: h5py.Group, name: str) -> dict[str, h5py.Dataset | str]:
    """The same, with what lies elsewhere and cannot be read: path -> where."""
    found: dict[str, h5py.Dataset | str] = {}
    seen: set[tuple[int, int]] = set()
    todo = [(name.rstrip("/"), group)]
    while todo and len(seen) < MAX_NODES:
        above, node = todo.pop(0)
        for key in node:
            try:
                child = node[key]
                info = h5py.h5o.get_info(child.id)
            except (KeyError, OSError, RuntimeError):
                place = lies_in(node, key)
                if place and place not in found.values():
                    found[f"{above}/{key}"] = place
                continue
            identity = (info.fileno, info.addr)
            if identity in seen:
                continue
            seen.add(identity)
            if isinstance(child, h5py.Group):
                todo.append((f"{above}/{key}", child))
            elif isinstance(child, h5py.Dataset) and _is_image(child):
                found[f"{above}/{key}"] = child
    return found


def _is_image(dataset: h5py.Dataset) -> bool:
    if dataset.dtype.kind not in "uif" or dataset.ndim < 2 or dataset.size == 0:
        return False
    colour = dataset.ndim > 2 and dataset.shape[-1] in (3, 4)
    sides = dataset.shape[-3:-1] if colour else dataset.shape[-2:]
    return min(sides) >= SMALLEST_SIDE


def _default_signal(file: h5py.File) -> str | None:
    """Name of the dataset that the chain of ``@default`` and ``@signal`` attributes leads to."""
    node = file
    for _ in range(10):
        try:
            if "signal" in node.attrs:
                return str(node[text_of(node.attrs["signal"])].name)
            node = node[text_of(node.attrs["default"])]
        except (KeyError, AttributeError, TypeError, ValueError):
            return None
    return None


def _others(file: h5py.File) -> str:
    found = find_images(file)
    return f"it holds {_listed(found)}" if found else "it holds no image"


def _listed(found: dict[str, h5py.Dataset]) -> str:
    texts = [f"{path} {dataset.shape}" for path, dataset in found.items()]
    return ", ".join(texts[:8]) + (", ..." if len(texts) > 8 else "")
