"""Frames of HDF5 files that lie in files that are not there: HDF5 itself gives zeros, or leaves them out, and says
nothing.
"""

from __future__ import annotations

import math
import os
from typing import TypeVar

import h5py
import numpy as np

from ...base.arrays import AnyArray, Bools
from ...base.errors import FileFormatError, ImageError
from ...base.opening import reading_hdf5
from ...records.jobs import Missing

T = TypeVar("T")


def lies_in(group: h5py.Group, name: str) -> str | None:
    """Where a member of a group lies that cannot be opened; None for one that is there, or that nothing is known of."""
    link = group.get(name, getlink=True) if group.get(name) is None else None
    if isinstance(link, h5py.ExternalLink):
        return f"{link.filename}::{link.path}"
    return str(link.path) if isinstance(link, h5py.SoftLink) else None


def lost_frames(dataset: h5py.Dataset, lead: int) -> tuple[Bools, list[str]]:
    """Which frames of a dataset are not there (its first `lead` axes), and where they should be.

    A frame of a virtual dataset is lost with any of its sources. What was never written is what the file declares it to
    be: its fill value.
    """
    lost, places = np.zeros(dataset.shape[:lead], bool), []
    known: dict[tuple[str, str], tuple[int, ...] | None] = {}
    for source in dataset.virtual_sources() if dataset.is_virtual else ():
        key = source.file_name, source.dset_name
        if key not in known:
            known[key] = _shape_of_source(dataset, *key)
        if not _holds(known[key], source.src_space, source.vspace):
            lost[np.ix_(*_selected(source.vspace, dataset.shape)[:lead])] = True
            places.append("::".join(key))
    return lost, places


def _shape_of_source(dataset: h5py.Dataset, file_name: str, name: str) -> tuple[int, ...] | None:
    """Shape of what a virtual dataset takes frames from, None when it is not all there; found as HDF5 does."""
    home = dataset.file.filename
    file_name = os.path.abspath(home) if file_name == "." else file_name
    homes = [os.path.dirname(os.path.abspath(home)), os.path.dirname(os.path.realpath(home))]
    prefix = os.environ.get("HDF5_VDS_PREFIX", "").replace("${ORIGIN}", homes[0])
    places = [os.path.join(folder, file_name) for folder in (prefix, *homes, "")]
    places += [os.path.join(folder, os.path.basename(file_name)) for folder in homes]
    try:
        with reading_hdf5(next(filter(os.path.isfile, places), file_name)) as file:
            found = file.get(name)
            if not isinstance(found, h5py.Dataset) or lost_frames(found, 0)[0].any():
                return None
            return tuple(found.shape)
    except FileFormatError:
        return None


def _holds(shape: tuple[int, ...] | None, wanted: h5py.h5s.SpaceID, instead: h5py.h5s.SpaceID) -> bool:
    """Whether a source of this shape has all that is taken from it; what is open-ended takes what there is."""
    if shape is None:
        return False
    try:
        if wanted.get_select_type() == h5py.h5s.SEL_ALL:
            return math.prod(shape) >= instead.get_select_npoints()
        return all(last < n for last, n in zip(wanted.get_select_bounds()[1], shape, strict=True))
    except (RuntimeError, ValueError):
        return True


def _selected(space: h5py.h5s.SpaceID, shape: tuple[int, ...]) -> list[AnyArray]:
    """Along each axis, the indices of a virtual dataset that come from one source; all, where they make no pattern."""
    if space.get_select_type() != h5py.h5s.SEL_HYPERSLABS or not space.is_regular_hyperslab():
        return [np.arange(n) for n in shape]
    out = []
    for n, start, stride, count, block in zip(shape, *space.get_regular_hyperslab(), strict=True):
        at = (start + stride * np.arange(min(count, n))[:, None] + np.arange(min(block, n))).ravel()
        out.append(at[at < n])
    return out


def without_lost(
    frames: list[T], lost: list[bool], places: list[str], name: str, missing: Missing
) -> tuple[list[T], tuple[str, ...]]:
    """The frames to take, and a remark where some are lost.

    Raises
    ------
    ImageError
        Some are lost and nothing was said about it, or all are.
    """
    if not any(lost):
        return frames, ()
    what = f"{sum(lost)} of {len(lost)} frames of {name} are missing: cannot read {', '.join(dict.fromkeys(places))}"
    if missing == "error" or all(lost):
        hint = "put them in place, name those that are there, or let correct write an .h5 with --missing skip or nan"
        raise ImageError(what[:600], expected="all frames", hint=hint)
    if missing == "nan":
        return frames, (f"{what}; they are nan",)
    return [one for one, gone in zip(frames, lost, strict=True) if not gone], (f"{what}; they are left out",)
