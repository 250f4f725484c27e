"""Corrected images, made by pyFAI's Distortion: every pixel is split over the pixels of the corrected raster that it
covers.

pyFAI knows no mask here, prints to the terminal from C, and cuts off what leaves the raster. So masked pixels are
laid beside the raster, the terminal is looked away from while the table is built, and the raster is shifted and sized
to hold all that is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..base.arrays import AnyArray, Bools, Floats, frozen_array
from ..base.errors import UsageError
from ..base.frames import CORNERS
from ..base.silence import silenced_stdout
from ..io.nexus.groups import detector_nodes
from ..records.corners import corners_of_nodes
from ..records.distortion import Distortion

__all__ = ["CorrectedImage", "Resampler", "Table", "build_table", "save_image"]


_COVERED = 0.98  # part of a corrected pixel that must be covered by known pixels
_SMALL_AREA = 0.25  # corrected pixels per pixel
_MARGIN = 3  # px of the raster beyond what is known


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
        nodes = detector_nodes(distortion)
        unknown = self._unknown(nodes, mask)
        size = distortion.pixel_size
        self.offset, self.shape = _raster(nodes, ~unknown, size, same_raster)
        nodes -= np.asarray(self.offset, np.float32) * np.asarray(size, np.float32)
        area = _raster_areas(nodes, size)
        corners = corners_of_nodes(nodes)
        corners[unknown] = _place_aside(size)
        # A full table is built in half the time; where pixels shrink a lot it would become too wide.
        method = "lut" if float(area.min(where=~unknown, initial=1.0)) > _SMALL_AREA else "csr"
        detector = NexusDetector(orientation=3)
        detector._pixel1, detector._pixel2 = size
        detector.max_shape = detector.shape = distortion.shape
        detector.set_pixel_corners(corners)
        detector.uniform_pixel = False
        self._table: Any = Table(detector, shape=self.shape, mask=False, empty=0.0, method=method)
        with silenced_stdout():
            self._table.calc_LUT()
        self.unknown = unknown
        covered = self._table.correct_ng(np.where(unknown, 0, area).astype(np.float32))
        self.mask: Bools = covered < _COVERED

    def _unknown(self, nodes: AnyArray, mask: AnyArray | None) -> Bools:
        """Pixels (ny, nx) to leave out."""
        shape = self.distortion.shape
        unknown = np.zeros(shape, np.bool_)
        if not np.isfinite(nodes).all():
            for part in _four(nodes):
                unknown |= ~np.isfinite(part).all(axis=-1)
        if self.distortion.mask is not None:
            unknown |= self.distortion.mask
        if mask is not None:
            if np.shape(mask) != shape:
                raise UsageError(f"mask of shape {np.shape(mask)}", expected=f"{shape}, as the detector")
            unknown |= np.asarray(mask, bool)
        if unknown.all():
            raise UsageError("all pixels are masked", expected="pixels to correct")
        return unknown

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


def _four(nodes: AnyArray) -> list[AnyArray]:
    """Corners A, B, C, D of all pixels, (ny, nx, 2) each, from what
    :func:`~pyfai_gridcal.io.nexus.groups.detector_nodes`
    returns."""
    if nodes.ndim == 4:
        return [nodes[:, :, k] for k in range(4)]
    ny, nx = nodes.shape[0] - 1, nodes.shape[1] - 1
    return [nodes[down : ny + down, right : nx + right] for down, right in CORNERS]


def _raster(
    nodes: AnyArray, known: Bools, size: tuple[float, float], same: bool
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Offset and shape (px) of the raster that holds all known pixels, with a margin."""
    if same:
        return (0, 0), (known.shape[0], known.shape[1])
    offset, shape = [], []
    for axis in (0, 1):
        parts = [part[..., axis] for part in _four(nodes)]
        low = min(float(part.min(where=known, initial=np.inf)) for part in parts) / size[axis]
        high = max(float(part.max(where=known, initial=-np.inf)) for part in parts) / size[axis]
        offset.append(int(np.floor(low)) - _MARGIN)
        shape.append(int(np.ceil(high)) + _MARGIN - offset[axis])
    if float(shape[0]) * shape[1] > 16 * known.size + 1e6:
        raise UsageError(
            f"the corrected image would have {shape[0]} x {shape[1]} pixels",
            expected=f"about {known.shape[0]} x {known.shape[1]}",
            hint="mask the pixels whose distortion is not known",
        )
    return (offset[0], offset[1]), (shape[0], shape[1])


def _place_aside(size: tuple[float, float]) -> AnyArray:
    """A pixel (4, 3) outside the raster, where unknown ones cannot bleed into others."""
    place = np.zeros((4, 3), np.float32)
    for corner, (down, right) in enumerate(CORNERS):
        place[corner, 1] = (down - _MARGIN) * size[0]
        place[corner, 2] = (right - _MARGIN) * size[1]
    return place


def _raster_areas(nodes: AnyArray, size: tuple[float, float]) -> AnyArray:
    """Area of each pixel (ny, nx) on the corrected raster, px^2 (shoelace formula on the diagonals)."""
    a, b, c, d = _four(nodes)
    unit = np.float32(1 / (2 * size[0] * size[1]))
    first, second = c - a, d - b
    return np.abs(first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]) * unit


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
    from ..io.kinds.rasters import write_raster

    return write_raster(path, array, header)


def _save_hdf5(path: Path, array: AnyArray, header: Mapping[str, str]) -> Path:
    import h5py

    from ..base.atomic import replacing
    from ..io.nexus.groups import new_entry, new_group, write_data

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


@dataclass(frozen=True, eq=False)
class Table:
    """Which share of each pixel of the image goes to which pixel of the corrected one: a sparse matrix by rows.

    Attributes
    ----------
    weights, columns : (n,) shares, and the numbers of the pixels of the image that they come from
    rows : (pixels out + 1,) where the shares of each corrected pixel begin
    area : (pixels in,) area of each pixel of the image, in corrected pixels
    shape_in, shape_out : (slow, fast)
    offset : place of the first corrected pixel, px (slow, fast): not zero only when all of the detector was to be kept
    mask : (slow, fast) of the image, True = ignore: what the detector itself masks; the shares know nothing of it
    """

    weights: AnyArray
    columns: AnyArray
    rows: AnyArray
    area: AnyArray
    shape_in: tuple[int, int]
    shape_out: tuple[int, int]
    offset: tuple[float, float] = (0.0, 0.0)
    mask: Bools | None = None

    def __post_init__(self) -> None:
        for name, dtype in (("weights", np.float32), ("columns", np.int32), ("rows", np.int32), ("area", np.float32)):
            object.__setattr__(self, name, frozen_array(getattr(self, name), dtype, 1))
        if self.mask is not None:
            object.__setattr__(self, "mask", frozen_array(self.mask, np.bool_, 2))

    @cached_property
    def matrix(self) -> Any:
        """The shares as a scipy sparse matrix (pixels out, pixels in), float32."""
        from scipy.sparse import csr_matrix

        shape = (int(np.prod(self.shape_out)), int(np.prod(self.shape_in)))
        return csr_matrix((self.weights, self.columns, self.rows), shape=shape, copy=False)


def build_table(distortion: Distortion, *, whole: bool = False) -> Table:
    """The table of a distortion, by pyFAI.

    Parameters
    ----------
    distortion : of the detector
    whole : make the corrected image as large as the corrected detector, so that no count is lost at its border
    """
    from pyFAI.distortion import Distortion as PyFAIDistortion

    from ..io.nexus.detector import to_detector

    detector = to_detector(Distortion(distortion.field, distortion.shape, distortion.pixel_size))
    corners = detector.get_pixel_corners()
    bad = ~np.isfinite(corners).all(axis=(2, 3))
    if bad.any():
        corners = np.where(bad[:, :, None, None], np.float32(-1.0), corners)  # outside, and without area
        detector.set_pixel_corners(corners)
        detector.mask = np.zeros(distortion.shape, np.int8)
    engine = PyFAIDistortion(detector, method="csr", resize=whole, mask=False)
    with silenced_stdout():
        weights, columns, rows = engine.calc_LUT()
    area = _areas(corners, distortion.pixel_size)
    shape_out = tuple(int(n) for n in engine.shape_out)
    offset = (float(engine.offset1), float(engine.offset2)) if whole else (0.0, 0.0)
    out = shape_out[0], shape_out[1]
    return Table(weights, columns, rows, area.ravel(), distortion.shape, out, offset, distortion.mask)


def _areas(corners: AnyArray, pixel_size: tuple[float, float]) -> Floats:
    """Area (ny, nx) of the quadrilaterals, in corrected pixels, from their diagonals."""
    a, b, c, d = (corners[:, :, k, 1:].astype(np.float64) for k in range(4))
    one, other = c - a, d - b
    area: Floats = np.abs(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]) / (
        2 * pixel_size[0] * pixel_size[1]
    )
    return area
