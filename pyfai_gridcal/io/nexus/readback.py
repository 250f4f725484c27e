"""A detector file, closed and opened again, compared bit by bit with what was meant to be written.

The corners, which are most of the numbers, are compared as they are packed: a digest (SHA-256) of the bytes that were
written with that of the bytes that come back through the file system. That they unpack to what they were made of, the
packer tries with one chunk; each has a checksum of its numbers, by which every reader sees a damaged one. Only where
the digests differ are the corners themselves laid side by side.
That pyFAI makes the same of such a file is a matter of its form, and proven by the tests, by ``pyFAI-gridcal demo`` and
by ``check``.
"""

from __future__ import annotations

from os import PathLike

import h5py
import numpy as np

from ...base.arrays import AnyArray
from ...base.errors import FileFormatError
from ...base.opening import reading_hdf5
from ...base.plain import fields_of
from ...records.distortion import Distortion
from .contents import find_detector
from .corners import farthest, seal
from .groups import read_traits


def read_back(path: str | PathLike[str], nodes: AnyArray, meant: Distortion, sealed: str = "") -> None:
    """Read a detector file and compare it with what it should be, NaN equal to NaN of the same bits.

    Parameters
    ----------
    path : file
    nodes : what :func:`~pyfai_gridcal.io.nexus.groups.detector_nodes` returned
    meant : pixel size, mask and traits count
    sealed : what :func:`~pyfai_gridcal.io.nexus.groups.write_detector` returned for the corners, when it is known

    Raises
    ------
    FileFormatError
        It cannot be read, or holds something else.
    """
    shared, pixel_size, mask = int(nodes.ndim == 3), meant.pixel_size, meant.mask
    shape = nodes.shape[0] - shared, nodes.shape[1] - shared
    with reading_hdf5(path) as file:
        group = find_detector(file)
        flat = nodes.shape[-1] == 2
        trouble = list(_differences(group, pixel_size, shape, bool(shared), flat))
        if not trouble:  # else there is nothing to lay side by side
            ignored = np.zeros(shape, np.int8) if mask is None else mask.astype(np.int8)
            trouble = [] if _same_bits(group["mask"][()], ignored) else ["another mask"]
            found, there = fields_of(read_traits(group, shape)), fields_of(meant.traits)
            trouble += [f"another {name.replace('_', ' ')}" for name in there if not _same(there[name], found[name])]
            corners = group["pixel_corners"]
            same = sealed and seal(corners, flat=flat) == sealed
            if not same and (far := farthest(corners, nodes, pixel_size)):
                trouble.append(f"corners off by {far:.2g} px")
    if trouble:
        raise FileFormatError(
            f"{path} reads back otherwise than it was written: {'; '.join(trouble)}",
            hint="the file was not put in place; is the disk in order?",
        )


def _differences(
    group: h5py.Group, pixel_size: tuple[float, float], shape: tuple[int, int], shared: bool, flat: bool
) -> list[str]:
    """What is wrong with the single numbers of a detector, and with the shapes of its arrays, in words."""
    expected: dict[str, AnyArray] = {
        "pixel_size": np.array(pixel_size),
        "orientation": np.array(3, np.int32),
        "shape": np.array(shape, np.int32),
        "max_shape": np.array(shape, np.int32),
        "IS_CONTIGUOUS": np.array(shared),
        "IS_FLAT": np.array(flat),
    }
    found = {name: np.asarray(group[name][()]) if name in group else None for name in expected}
    trouble = [
        f"{name.replace('_', ' ')} {None if got is None else got.tolist()}"
        for name, got in found.items()
        if got is None or not _same_bits(got, expected[name])
    ]
    for name, form in (("mask", (shape, np.int8)), ("pixel_corners", ((*shape, 4, 3), np.float32))):
        got = group.get(name)
        if got is None or (got.shape, got.dtype) != form:
            trouble.append(f"no {name} of shape {form[0]}")
    return trouble


def _same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return _same_bits(a, b)
    return repr(a) == repr(b)  # NaN is NaN


def _same_bits(a: AnyArray, b: AnyArray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
