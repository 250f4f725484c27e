"""Images in HDF5 files: a dataset that is named, or the only one that looks like an image."""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Callable

import h5py
import numpy as np

from ...base.arrays import AnyArray
from ...base.errors import FileFormatError, ImageError, UsageError
from ...base.opening import open_hdf5, text_of
from .frames import Address, Frames, Index

MAX_NODES = 20_000  # of a file that are looked at
SMALLEST_SIDE = 8  # px, of what may be an image


def hdf5_frames(address: Address) -> Frames:
    """Open the dataset of an address, or the image-like one when the address names only the file."""
    with contextlib.suppress(ImportError):
        import hdf5plugin  # noqa: F401  # registers the compression filters
    try:
        file = open_hdf5(address.file)
    except FileFormatError as error:
        raise ImageError(f"{address.file} is no readable HDF5 file ({error.what})", hint="is it complete?") from error
    try:
        return _frames(file, address)
    except BaseException:
        file.close()
        raise


def _frames(file: h5py.File, address: Address) -> Frames:
    if address.data_path:
        path = address.data_path
        if path not in file:
            raise ImageError(f"no dataset {path} in {address.file}", hint=_others(file))
        node = file[path]
        found = {path: node} if isinstance(node, h5py.Dataset) else find_images(node, path)
    else:
        path = "/"
        found = find_images(file)
    if not found:
        raise ImageError(f"no image in {address.file}::{path}", expected="a dataset of two or more dimensions")
    if len(found) > 1:
        found = _choose(file, found, address)
    datasets = list(found.values())
    parts = [_planes(dataset, address) for dataset in datasets]
    shapes = {shape for _, shape, _ in parts}
    if len(shapes) > 1:
        raise ImageError(f"frames of shapes {sorted(shapes)} in {address.file}", expected="one shape")
    table = [(read, k) for read, _, count in parts for k in range(count)]
    if not table:
        raise ImageError(f"no frame in {address.file}::{path}")

    def read(k: int) -> AnyArray:
        one, number = table[k]
        try:
            return one(number)
        except OSError as error:
            raise ImageError(f"frame {k} of {address.file} is unreadable ({error})", hint="is it complete?") from error

    first = datasets[0]
    url = f"{address.file}::{next(iter(found))}" if address.data_path is None else address.text
    return Frames(
        len(table),
        parts[0][1],
        np.dtype(first.dtype),
        read,
        path=os.path.abspath(address.file),
        url=url,
        header={k: str(v)[:200] for k, v in list(first.attrs.items())[:20]},
        close=file.close,
    )


def _planes(dataset: h5py.Dataset, address: Address) -> tuple[Callable[[int], AnyArray], tuple[int, ...], int]:
    """(read one plane, shape of a plane, number of planes) of a dataset with the index of the address applied."""
    name = f"{address.file}::{dataset.name}"
    if dataset.dtype.kind not in "uifb":
        raise ImageError(f"{name} holds {dataset.dtype}", expected="numbers")
    if dataset.ndim < 2:
        raise ImageError(f"{name} has the shape {dataset.shape}", expected="two dimensions or a stack of three")
    tail = 3 if dataset.ndim > 2 and dataset.shape[-1] in (3, 4) and min(dataset.shape[-3:-1]) >= SMALLEST_SIDE else 2
    lead = dataset.ndim - tail
    index = _full_index(address.index, dataset, name)
    chosen = [np.atleast_1d(np.arange(n)[i]) for n, i in zip(dataset.shape[:lead], index[:lead], strict=True)]
    inner = index[lead:]
    if any(isinstance(i, int) for i in inner):
        raise UsageError(f"slice of {address.text!r}", expected="whole images: ranges for the last two dimensions")
    shape = tuple(len(range(n)[i]) for n, i in zip(dataset.shape[lead:], inner, strict=True) if isinstance(i, slice))
    counts = tuple(len(c) for c in chosen)

    def read(k: int) -> AnyArray:
        at = tuple(int(c[i]) for c, i in zip(chosen, np.unravel_index(k, counts), strict=True)) if lead else ()
        return np.asarray(dataset[(*at, *inner)])

    return read, shape, math.prod(counts)


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
    found: dict[str, h5py.Dataset] = {}
    seen: set[tuple[int, int]] = set()
    todo = [(name.rstrip("/"), group)]
    while todo and len(seen) < MAX_NODES:
        above, node = todo.pop(0)
        for key in node:
            try:
                child = node[key]
                info = h5py.h5o.get_info(child.id)
            except (KeyError, OSError, RuntimeError):
                continue  # a dangling link
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


def _choose(file: h5py.File, found: dict[str, h5py.Dataset], address: Address) -> dict[str, h5py.Dataset]:
    """One of several candidates: the series of an Eiger master file, or the default signal of NeXus."""
    parents, names = zip(*(path.rsplit("/", 1) for path in found), strict=True)
    if len(set(parents)) == 1 and all(re.fullmatch(r"data_\d+", name) for name in names):
        return dict(sorted(found.items()))
    default = _default_signal(file)
    if default in found:
        return {default: found[default]}
    raise ImageError(
        f"{address.file} holds {len(found)} datasets that may be the image: {_listed(found)}",
        expected="one",
        hint=f"name it: {address.file}::{next(iter(found))}",
    )


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
