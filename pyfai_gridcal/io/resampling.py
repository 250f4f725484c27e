"""Corrected images, made by pyFAI's Distortion: every pixel is split over the pixels of the corrected raster that it
covers.

pyFAI knows no mask here, prints to the terminal from C, and cuts off what leaves the raster. So masked pixels are
laid beside the raster, the
terminal is looked away from while the table is built, and the raster is shifted and sized to hold all that is known.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from .._typing import AnyArray, Bools, Floats, frozen_array
from ..distortion import Distortion
from ..errors import UsageError
from ..frames import CORNERS
from .detector import corners_of_nodes
from .nexus import detector_nodes

__all__ = ["CorrectedImage", "Resampler", "save_image", "silenced_stdout"]

_COVERED = 0.98  # part of a corrected pixel that must be covered by known pixels
_MARGIN = 3  # px of the raster beyond what is known


@contextmanager
def silenced_stdout() -> Iterator[None]:
    """Send the standard output of the whole process to nowhere, C code included."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    try:
        keep = os.dup(1)
    except OSError:  # no standard output at all
        yield
        return
    _flush_c()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        with open(os.devnull, "w", encoding="utf-8") as sink, redirect_stdout(sink):  # where sys.stdout is not file 1
            yield
    finally:
        with suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
        _flush_c()
        os.dup2(keep, 1)
        os.close(nowhere)
        os.close(keep)


def _flush_c() -> None:
    """Empty the buffers of the C library, which would otherwise be printed later."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)


@dataclass(frozen=True, eq=False)
class CorrectedImage:
    """An image on the corrected raster.

    Attributes
    ----------
    data : (ny, nx) float32 counts; `empty` where it is not known
    mask : (ny, nx) True = not known
    offset : (y, x) corrected index coordinate of the first pixel, px: corrected = index + offset
    pixel_size : (slow, fast) metres
    empty : value of unknown pixels
    """

    data: AnyArray
    mask: Bools
    offset: tuple[int, int]
    pixel_size: tuple[float, float]
    empty: float = field(default=0.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", frozen_array(self.data, np.float32, 2))
        object.__setattr__(self, "mask", frozen_array(self.mask, np.bool_, 2))

    def header(self) -> dict[str, str]:
        """What to write beside the data."""
        return {
            "pixel_size_slow_m": f"{self.pixel_size[0]:.10g}",
            "pixel_size_fast_m": f"{self.pixel_size[1]:.10g}",
            "offset_slow_px": str(self.offset[0]),
            "offset_fast_px": str(self.offset[1]),
            "dummy": f"{self.empty:g}",
            "program": "pyFAI-gridcal",
        }


class Resampler:
    """The table that corrects images of one detector; make it once, use it for many images.

    Parameters
    ----------
    distortion : its masked pixels are not used
    mask : (ny, nx) more pixels to leave out
    same_raster : keep the raster of the detector (same shape, no offset) instead of one that holds all that is known
    """

    def __init__(self, distortion: Distortion, *, mask: AnyArray | None = None, same_raster: bool = False) -> None:
        from pyFAI.detectors import NexusDetector
        from pyFAI.distortion import Distortion as Table

        self.distortion = distortion
        corners = corners_of_nodes(detector_nodes(distortion))
        unknown = np.asarray(~np.isfinite(corners).all(axis=(2, 3)), np.bool_)
        if distortion.mask is not None:
            unknown |= distortion.mask
        if mask is not None:
            if np.shape(mask) != distortion.shape:
                raise UsageError(f"mask of shape {np.shape(mask)}", expected=f"{distortion.shape}, as the detector")
            unknown |= np.asarray(mask, bool)
        if unknown.all():
            raise UsageError("all pixels are masked", expected="pixels to correct")
        self.unknown = unknown
        size = distortion.pixel_size
        self.offset, self.shape = _raster(corners, unknown, size, same_raster)
        corners[..., 1] -= self.offset[0] * size[0]
        corners[..., 2] -= self.offset[1] * size[1]
        _lay_aside(corners, unknown, size)
        area = _areas(corners, size)
        detector = NexusDetector(orientation=3)
        detector._pixel1, detector._pixel2 = size
        detector.max_shape = detector.shape = distortion.shape
        detector.set_pixel_corners(corners)
        detector.uniform_pixel = False
        self._table: Any = Table(detector, shape=self.shape, mask=False, empty=0.0, method="csr")
        with silenced_stdout():
            self._table.calc_LUT()
        covered = self._table.correct_ng(np.where(unknown, 0, area).astype(np.float32))
        self.mask: Bools = covered < _COVERED

    def correct(self, image: AnyArray, *, empty: float = 0.0) -> CorrectedImage:
        """Correct one image (ny, nx); non-finite pixels count as 0. Counts are conserved: a stretched pixel becomes
        fainter."""
        image = np.asarray(image)
        if image.shape != self.distortion.shape:
            raise UsageError(f"image of shape {image.shape}", expected=f"{self.distortion.shape}, as the detector")
        flat = np.where(self.unknown, 0, np.nan_to_num(image, nan=0.0, posinf=0.0, neginf=0.0)).astype(np.float32)
        data = np.array(self._table.correct_ng(flat))
        data[self.mask] = empty
        return CorrectedImage(data, self.mask, self.offset, self.distortion.pixel_size, empty)


def _raster(
    corners: AnyArray, unknown: Bools, size: tuple[float, float], same: bool
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Offset and shape (px) of the raster that holds all known pixels, with a margin."""
    if same:
        return (0, 0), (corners.shape[0], corners.shape[1])
    known = corners[~unknown][..., 1:].reshape(-1, 2) / size
    low, high = known.min(axis=0), known.max(axis=0)
    offset = np.floor(low).astype(int) - _MARGIN
    shape = np.ceil(high).astype(int) + _MARGIN - offset
    if np.prod(shape, dtype=float) > 16 * unknown.size + 1e6:
        raise UsageError(
            f"the corrected image would have {shape[0]} x {shape[1]} pixels",
            expected=f"about {unknown.shape[0]} x {unknown.shape[1]}",
            hint="mask the pixels whose distortion is not known",
        )
    return (int(offset[0]), int(offset[1])), (int(shape[0]), int(shape[1]))


def _lay_aside(corners: AnyArray, unknown: Bools, size: tuple[float, float]) -> None:
    """Move unknown pixels to one place outside the raster, where they cannot bleed into others."""
    place = np.zeros((4, 3), corners.dtype)
    for corner, (down, right) in enumerate(CORNERS):
        place[corner, 1] = (down - _MARGIN) * size[0]
        place[corner, 2] = (right - _MARGIN) * size[1]
    corners[unknown] = place


def _areas(corners: AnyArray, size: tuple[float, float]) -> Floats:
    """Area of each pixel on the corrected raster, px^2 (shoelace formula on the diagonals)."""
    first = (corners[:, :, 2, 1:] - corners[:, :, 0, 1:]).astype(np.float64) / size
    second = (corners[:, :, 3, 1:] - corners[:, :, 1, 1:]).astype(np.float64) / size
    area: Floats = np.abs(first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]) / 2
    return area


def save_image(path: str | PathLike[str], array: AnyArray, header: Mapping[str, str] | None = None) -> Path:
    """Write an image as EDF, TIFF, CBF or npy, or as HDF5 that silx opens on it; the suffix tells which.

    Parameters
    ----------
    path : ``.edf``, ``.tif``, ``.cbf``, ``.npy``, or ``.h5``
    array : (ny, nx)
    header : remarks, kept where the format has room for them (EDF, HDF5)

    Raises
    ------
    UsageError
        Another suffix, or nothing can be written there.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    known = (".edf", ".tif", ".tiff", ".cbf", ".npy", ".h5", ".hdf5", ".nxs")
    if suffix not in known:
        raise UsageError(f"image format {suffix or 'without suffix'} of {path}", expected=", ".join(known))
    if suffix in (".h5", ".hdf5", ".nxs"):
        return _save_hdf5(path, array, header or {})
    from .rasters import write_raster

    return write_raster(path, array, header)


def _save_hdf5(path: Path, array: AnyArray, header: Mapping[str, str]) -> Path:
    import h5py

    from .atomic import replacing
    from .nexus import new_entry, new_group, write_data

    with replacing(path) as beside, h5py.File(beside, "w") as file:
        entry = new_entry(file, "Corrected image")
        entry.attrs["default"] = "image"
        write_data(
            entry, "image", "data", {"data": array}, title="Corrected image", attributes={"interpretation": "image"}
        )
        notes = new_group(entry, "header", "NXcollection")
        for key, value in header.items():
            notes[key.replace("/", "_")] = value
    return path
