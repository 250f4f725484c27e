"""Corrected images, made by pyFAI's Distortion: every pixel is split over the pixels of the corrected raster that it
covers.

pyFAI knows no mask here, prints to the terminal from C, and cuts off what leaves the raster. So pixels that are not to
be used are put aside, the terminal is looked away from while the table is built, and where all that is known is to be
kept, the raster is shifted and sized to hold it.
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
from ..base.atomic import check_suffix
from ..base.errors import UsageError
from ..base.frames import CORNERS
from ..base.progress import Progress, untold
from ..base.silence import silenced_stdout
from ..io.nexus.groups import detector_nodes
from ..records.corners import corners_of_nodes
from ..records.distortion import Distortion

__all__ = ["CorrectedImage", "Table", "build_table", "correct_known", "save_image"]

#: Suffixes of images.
_SUFFIXES = (".edf", ".tif", ".tiff", ".cbf", ".npy", ".h5", ".hdf5", ".nxs")
#: Part of a corrected pixel that must be covered by known pixels to be shown.
_COVERED = 0.98
#: Raster beyond what is known, px.
_MARGIN = 3
#: Rows of the image whose shares are computed at a time: of 4096 pixels each, in 50 MB.
_ROWS = 64
#: Place of pixels that are not to be used, px: outside of every raster.
_ASIDE = -1e4


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
    low, high = (limit / size for limit in _limits(nodes, known))
    first, last = np.floor(low).astype(int) - _MARGIN, np.ceil(high).astype(int) + _MARGIN
    shape = last - first
    if float(shape[0]) * shape[1] > 16 * known.size + 1e6:
        raise UsageError(
            f"the corrected image would have {shape[0]} x {shape[1]} pixels",
            expected=f"about {known.shape[0]} x {known.shape[1]}",
            hint="mask the pixels whose distortion is not known",
        )
    return (int(first[0]), int(first[1])), (int(shape[0]), int(shape[1]))


def _limits(nodes: AnyArray, known: Bools) -> tuple[Floats, Floats]:
    """Lowest and highest (slow, fast) corner of the known pixels, metres."""
    parts = [part[..., axis] for axis in (0, 1) for part in _four(nodes)]
    low = np.array([part.min(where=known, initial=np.inf) for part in parts], float).reshape(2, -1)
    high = np.array([part.max(where=known, initial=-np.inf) for part in parts], float).reshape(2, -1)
    return low.min(axis=1), high.max(axis=1)


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
    path = check_suffix(path, _SUFFIXES, "the suffix tells the image format")
    if path.suffix.lower() in (".h5", ".hdf5", ".nxs"):
        return _save_hdf5(path, array, header or {})
    from ..io.kinds.rasters import write_raster

    return write_raster(path, array, header)


def _save_hdf5(path: Path, array: AnyArray, header: Mapping[str, str]) -> Path:
    from ..base.atomic import replacing
    from ..base.opening import make_hdf5
    from ..io.nexus.groups import new_entry, new_group, write_data

    with replacing(path) as beside, make_hdf5(beside) as file:
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
    return _built(distortion, detector_nodes(distortion), whole=whole)


def correct_known(
    image: AnyArray,
    distortion: Distortion,
    *,
    mask: AnyArray | None = None,
    same_raster: bool = False,
    empty: float = 0.0,
    progress: Progress | None = None,
) -> CorrectedImage:
    """Correct one image to be looked at: only what is known, all of it, as it was counted.

    Counts are conserved: a stretched pixel becomes fainter, and nothing is scaled up. Corrected pixels of which less
    than 0.98 is covered by known ones are masked.

    Parameters
    ----------
    image : (ny, nx); non-finite pixels count as 0
    distortion : its masked pixels are not used
    mask : (ny, nx) more pixels to leave out
    same_raster : keep the raster of the detector (same shape, no offset) instead of one that holds all that is known
    empty : value of pixels that are not known
    progress : called with a fraction and what is being done

    Raises
    ------
    UsageError
        Image or mask of another shape, all pixels masked, or a corrected image far larger than the detector.
    """
    image = np.asarray(image)
    if image.shape != distortion.shape:
        raise UsageError(f"image of shape {image.shape}", expected=f"{distortion.shape}, as the detector")
    say = progress or untold
    say(0.0, "building the correction table")
    nodes = detector_nodes(distortion)
    unknown = _unknown(distortion, nodes, mask)
    offset, shape = _raster(nodes, ~unknown, distortion.pixel_size, same_raster)
    nodes = nodes - np.asarray(offset, np.float32) * np.asarray(distortion.pixel_size, np.float32)
    table = _built(distortion, nodes, unknown=unknown, shape=shape)
    say(0.9, "correcting the image")
    covered = (table.matrix @ table.area).reshape(shape)
    flat = np.where(unknown, 0, np.nan_to_num(image, nan=0.0, posinf=0.0, neginf=0.0)).astype(np.float32)
    data = (table.matrix @ flat.ravel()).reshape(shape)
    data[covered < _COVERED] = empty
    return CorrectedImage(data, covered < _COVERED, offset, distortion.pixel_size, empty)


def _built(
    distortion: Distortion,
    nodes: AnyArray,
    *,
    unknown: Bools | None = None,
    shape: tuple[int, int] | None = None,
    whole: bool = False,
) -> Table:
    """The table of a detector whose corners are at the nodes, without pixels that are unknown or not finite.

    A few rows of the image at a time: pyFAI's room to work in is several times as large as the table.
    """
    from scipy.sparse import csr_matrix

    (ny, nx), size = distortion.shape, np.asarray(distortion.pixel_size, np.float32)

    def lost(rows: slice, some: AnyArray) -> Bools:
        return _not_finite(some, (rows.stop - rows.start, nx)) if unknown is None else unknown[rows]

    offset, shape_out = np.zeros(2, np.float32), shape or distortion.shape
    if whole:
        offset, high = _limits_px(nodes, ~lost(slice(0, ny), nodes), size)
        sides = np.ceil(high - offset).astype(int)
        shape_out = int(sides[0]), int(sides[1])
    area, blocks = np.empty((ny, nx), np.float32), []
    step = _ROWS // 8 if nodes.ndim == 4 else _ROWS  # beside four times as many corners
    for start in range(0, ny, step):
        rows = slice(start, min(ny, start + step))
        some = nodes[rows] if nodes.ndim == 4 else nodes[rows.start : rows.stop + 1]
        area[rows] = np.where(lost(rows, some), 0, _areas(some, distortion.pixel_size))
        low, high = _limits_px(some, ~lost(rows, some), size)
        first, last = np.clip([np.floor(low - offset)[0], np.ceil(high - offset)[0]], 0, shape_out[0])
        if first < last:
            blocks.append((rows, some, range(int(first), int(last))))
    weights, columns = np.empty(0, np.float32), np.empty(0, np.int32)
    counts, done = np.zeros(shape_out[0] * shape_out[1] + 1, np.int32), 0
    waiting: list[tuple[int, Any]] = []
    with silenced_stdout():
        for k, (rows, some, to) in enumerate(blocks):
            weights_of, columns_of, ends = _shares(some, lost(rows, some), size, offset, to, shape_out[1])
            part = csr_matrix((weights_of, columns_of + np.int32(rows.start * nx), ends), (len(ends) - 1, ny * nx))
            waiting.append((to.start * shape_out[1], part))
            # Those of corrected rows that no later block reaches are moved to their place, so that few are held twice.
            ready = min((later[2].start for later in blocks[k + 1 :]), default=shape_out[0]) * shape_out[1]
            total = _sum(waiting, range(done, ready), ny * nx)
            waiting = [(begin, one) for begin, one in waiting if begin + one.shape[0] > ready]
            counts[done + 1 : ready + 1], done = np.diff(total.indptr), ready
            for grown, more in ((weights, total.data), (columns, total.indices)):
                grown.resize(len(grown) + len(more), refcheck=False)
                grown[len(grown) - len(more) :] = more
    table = weights, columns, np.cumsum(counts, out=counts), area.ravel()
    return Table(*table, distortion.shape, shape_out, (float(offset[0]), float(offset[1])), distortion.mask)


def _limits_px(nodes: AnyArray, known: Bools, size: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Lowest and highest (slow, fast) corner of the known pixels, px, rounded as pyFAI does it."""
    low, high = (limit.astype(np.float32) / size for limit in _limits(nodes, known))
    return low, high


def _shares(
    nodes: AnyArray, unknown: Bools, size: AnyArray, offset: AnyArray, rows: range, width: int
) -> tuple[AnyArray, AnyArray, AnyArray]:
    """(weights, columns, ends of rows) of rows of pixels in rows of the raster that begins at `offset`, px."""
    from pyFAI.detectors import NexusDetector
    from pyFAI.distortion import Distortion as PyFAIDistortion

    corners = corners_of_nodes(nodes)
    corners[unknown] = 0
    detector = NexusDetector(orientation=3)
    detector._pixel1, detector._pixel2 = map(float, size)
    detector.max_shape = detector.shape = unknown.shape
    detector.set_pixel_corners(corners)
    detector.uniform_pixel = False
    # pyFAI has room for eight shares in a corrected pixel: where the image is squeezed, rows that stay empty help.
    room = max(len(rows), 2 * len(unknown)), width
    engine = PyFAIDistortion(detector, shape=room, method="csr", mask=False)
    place = engine.calc_pos()
    place -= offset
    place[..., 0] -= rows.start
    # Outside of the raster, where they cannot bleed into others.
    place[unknown] = _ASIDE
    # A pixel that is moved by a part of one may touch one more; pyFAI would write beyond the end of its room then.
    engine.delta1, engine.delta2 = engine.delta1 + 1, engine.delta2 + 1
    weights, columns, ends = engine.calc_LUT()
    ends = ends[: len(rows) * width + 1]
    return weights[: ends[-1]], columns[: ends[-1]], ends


def _sum(parts: list[tuple[int, Any]], rows: range, pixels: int) -> Any:
    """Some rows of the sum of matrices, of each of which is told which row its first one is."""
    from scipy.sparse import csr_matrix

    total: Any = csr_matrix((len(rows), pixels), dtype=np.float32)  # type: ignore[arg-type]
    for begin, part in parts:
        own = part[max(0, rows.start - begin) : max(0, rows.stop - begin)]
        before = max(0, begin - rows.start)
        if own.shape[0]:
            ends = np.pad(own.indptr, (before, len(rows) - before - own.shape[0]), mode="edge")
            total = total + csr_matrix((own.data, own.indices, ends), shape=total.shape)
    return total


def _not_finite(nodes: AnyArray, shape: tuple[int, int]) -> Bools:
    """Pixels (ny, nx) with a corner that is not finite."""
    bad = np.zeros(shape, np.bool_)
    if not np.isfinite(nodes).all():
        for part in _four(nodes):
            bad |= ~np.isfinite(part).all(axis=-1)
    return bad


def _unknown(distortion: Distortion, nodes: AnyArray, mask: AnyArray | None) -> Bools:
    """Pixels (ny, nx) to leave out."""
    unknown = _not_finite(nodes, distortion.shape)
    if distortion.mask is not None:
        unknown |= distortion.mask
    if mask is not None:
        if np.shape(mask) != distortion.shape:
            raise UsageError(f"mask of shape {np.shape(mask)}", expected=f"{distortion.shape}, as the detector")
        unknown |= np.asarray(mask, bool)
    if unknown.all():
        raise UsageError("all pixels are masked", expected="pixels to correct")
    return unknown


def _areas(nodes: AnyArray, size: tuple[float, float]) -> AnyArray:
    """Area of each pixel (ny, nx) on the corrected raster, px^2 (shoelace formula on the diagonals)."""
    a, b, c, d = _four(nodes)
    unit = np.float32(1 / (2 * size[0] * size[1]))
    first, second = c - a, d - b
    return np.abs(first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]) * unit
