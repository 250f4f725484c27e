"""NeXus groups in HDF5: the detector as pyFAI stores it, and plots that silx shows.

Everything is plain HDF5 with its own gzip and shuffle filters: no plugin is needed to read it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from os import PathLike

import h5py
import numpy as np

from ...base.arrays import AnyArray, Bools
from ...base.atomic import MAX_PIXELS
from ...base.errors import FileFormatError
from ...base.frames import CORNERS, edge_nodes
from ...base.opening import reading_hdf5, text_of
from ...records.corners import corner_nodes
from ...records.distortion import Distortion
from ...records.field import CornerField, Field, SampledField
from ...records.traits import IMAGES, Sensor, Traits
from .contents import ORIENTATIONS, TRAITS, find_detector, orientation_of
from .corners import write_corners
from .packing import Packed, write_array

_ENTRY = "entry_0000"
_API_VERSION = "1.2"  # of pyFAI's detector group, the first with a sensor
_DEEP = 0.05  # of a detector's longer side: tilted chips are out of the plane by less, curved detectors by far more
_ROWS = 256  # of corners at a time: as many as a chunk has
_SAME_PX = 1e-3  # neighbouring corners nearer than this (px) are one: float32 knows 4096 px to 2e-4 px


def now() -> str:
    """Local time as NeXus wants it, to the second (pyFAI reads no finer)."""
    zone = time.strftime("%z")
    return time.strftime("%Y-%m-%dT%H:%M:%S") + f"{zone[:3]}:{zone[3:]}"


def package_version(name: str) -> str:
    """Version of an installed distribution, without importing it."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


# -- groups
def new_group(parent: h5py.Group, name: str, nx_class: str) -> h5py.Group:
    """A new group of this NeXus class."""
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    return group


def new_entry(file: h5py.File, title: str) -> h5py.Group:
    """The one entry of a new file, its default for plots."""
    file.attrs["NX_class"] = "NXroot"
    file.attrs["file_time"] = now()
    file.attrs["HDF5_Version"] = h5py.version.hdf5_version
    file.attrs["creator"] = "pyfai_gridcal"
    file.attrs["default"] = _ENTRY
    entry = new_group(file, _ENTRY, "NXentry")
    entry["title"] = title
    entry["program_name"] = "pyFAI-gridcal"
    entry["start_time"] = now()
    return entry


def write_data(
    parent: h5py.Group,
    name: str,
    signal: str,
    arrays: Mapping[str, AnyArray | Packed | h5py.Dataset],
    *,
    title: str,
    axes: Iterable[str] = (),
    auxiliary: Iterable[str] = (),
    units: Mapping[str, str] | None = None,
    long_names: Mapping[str, str] | None = None,
    attributes: Mapping[str, str] | None = None,
) -> h5py.Group:
    """An NXdata group that silx plots: `arrays` are those to write, or datasets to link, by name."""
    group = new_group(parent, name, "NXdata")
    group.attrs["signal"] = signal
    if axes:
        group.attrs["axes"] = list(axes)
    if auxiliary:
        group.attrs["auxiliary_signals"] = list(auxiliary)
    group["title"] = title
    for key, value in arrays.items():
        if isinstance(value, h5py.Dataset):
            group[key] = value
        else:
            write_array(group, key, value)
        if units and key in units:
            group[key].attrs["units"] = units[key]
        if long_names and key in long_names:
            group[key].attrs["long_name"] = long_names[key]
    for key, text in (attributes or {}).items():
        group[signal].attrs[key] = text
    return group


# -- the detector
def detector_nodes(distortion: Distortion) -> AnyArray:
    """Positions of the pixel corners on the detector plane as they are stored: metres, float32, order (y, x); see
    :func:`~pyfai_gridcal.records.corners.corner_nodes`.
    """
    return corner_nodes(distortion.field, distortion.shape, distortion.pixel_size, depth=distortion.depth)


def write_detector(
    entry: h5py.Group, distortion: Distortion, *, name: str = "calibrated", nodes: AnyArray | None = None
) -> tuple[h5py.Group, str]:
    """The detector group that pyFAI finds, of no class of its own, orientation 3, and the seal of its corners.

    Parameters
    ----------
    entry : of the file
    distortion : its mask is written too, zeros when there is none, for pyFAI's Distortion needs one
    name : of the detector; pyFAI shows it
    nodes : what :func:`detector_nodes` returns, when it is known already
    """
    if nodes is None:
        nodes = detector_nodes(distortion)
    subentry = new_group(entry, "pyFAI", "NXsubentry")
    subentry["definition_local"] = "pyFAI"
    subentry["definition_local"].attrs["version"] = package_version("pyFAI")
    group = new_group(subentry, name.strip().replace(" ", "_").replace("/", "_") or "calibrated", "NXdetector")
    group["API_VERSION"] = np.bytes_(_API_VERSION)
    group["IS_FLAT"] = distortion.depth is None
    group["IS_CONTIGUOUS"] = nodes.ndim == 3
    group["CORNERS"] = 4
    group["force_pixel"] = False
    size = group.create_dataset("pixel_size", data=np.array(distortion.pixel_size))
    size.attrs["unit"] = size.attrs["units"] = "m"
    group["max_shape"] = np.array(distortion.shape, np.int32)
    group["shape"] = np.array(distortion.shape, np.int32)
    group["binning"] = np.array([1, 1], np.int32)
    group["orientation"] = np.int32(3)
    group["orientation"].attrs["value"] = "BottomRight"
    mask = np.zeros(distortion.shape, np.int8) if distortion.mask is None else distortion.mask.astype(np.int8)
    write_array(group, "mask", mask).attrs["interpretation"] = "image"
    corners, seal = write_corners(group, nodes, distortion.shape)
    corners.attrs["interpretation"] = "vertex"
    corners.attrs["units"] = "m"
    _write_traits(group, distortion.traits)
    return group, seal


def _write_traits(group: h5py.Group, traits: Traits) -> None:
    for name, theirs in TRAITS.items():
        if (value := getattr(traits, name)) is not None:
            write_array(group, theirs, np.asarray(value))
            if name in IMAGES:
                group[theirs].attrs["interpretation"] = "image"
    if traits.sensor is not None:
        write_sensor(group, traits.sensor)


def write_sensor(group: h5py.Group, sensor: Sensor) -> None:
    """The sensor in a detector group, as pyFAI and NeXus have it."""
    group["sensor_material"] = np.bytes_(sensor.material)
    if sensor.thickness_m is not None:
        group["sensor_thickness"] = sensor.thickness_m
        group["sensor_thickness"].attrs.update({"unit": "m", "units": "m"})


def read_traits(group: h5py.Group, shape: tuple[int, ...]) -> Traits:
    """What a detector group tells besides the places of the pixels; images of another shape than `shape` are left
    out."""
    there = {name: group[TRAITS[name]][()] for name in IMAGES if TRAITS[name] in group}
    images = {name: one for name, one in there.items() if one.shape == shape}
    dummy, delta = (float(group[name][()]) if name in group else None for name in ("dummy", "delta_dummy"))
    sensor = None
    if "sensor_material" in group:
        thickness = float(group["sensor_thickness"][()]) if "sensor_thickness" in group else None
        sensor = Sensor(text_of(group["sensor_material"][()]), thickness or None)
    return Traits(sensor, **images, dummy=dummy, delta_dummy=delta)


def read_traits_of(path: str | PathLike[str]) -> Traits:
    """The same of a NeXus detector file; nothing, where it holds no detector."""
    with suppress(FileFormatError, RuntimeError), reading_hdf5(path) as file:  # its own reader says what is wrong
        group = find_detector(file)
        there = (group[name].shape for name in ("pixel_corners", "mask", "flatfield", "darkcurrent") if name in group)
        return read_traits(group, next(there, ())[:2])
    return Traits()


def distortion_of_corners(
    corners: AnyArray | h5py.Dataset,
    pixel_size: tuple[float, float],
    mask: AnyArray | None,
    *,
    gauge: str,
    what: str,
    orientation: int = 3,
) -> Distortion:
    """Distortion of a detector given by its pixel corners, for images in orientation 3.

    Parameters
    ----------
    corners : (ny, nx, 4, 3) metres, order (z, y, x); pixels with non-finite corners become masked
    pixel_size : (slow, fast) metres, of the raster that the displacement refers to
    mask : (ny, nx) or None
    gauge : remark for the record
    what : the detector in words, for error messages
    orientation : of the images that the detector is for, as it says itself
    """
    if corners.ndim != 4 or corners.shape[2:] != (4, 3):
        raise FileFormatError(f"{what} with corners of shape {corners.shape}", expected="(ny, nx, 4, 3): square pixels")
    flat, depth, deepest = np.empty((*corners.shape[:3], 2), corners.dtype), None, 0.0
    for start in range(0, len(flat), _ROWS):
        rows = slice(start, start + _ROWS)
        some = corners[rows]
        flat[rows] = some[..., 1:]
        if np.nanmax(np.abs(some[..., 0]), initial=0) > 1e-3 * max(pixel_size):
            depth = np.zeros(corners.shape[:2], np.float32) if depth is None else depth
            depth[rows] = np.nan_to_num(some[..., 0].mean(axis=-1))  # pixels without a place are masked
            deepest = max(deepest, float(np.nanmax(np.abs(some[..., 0]))))
    if deepest > _DEEP * max(n * size for n, size in zip(corners.shape, pixel_size, strict=False)):
        raise FileFormatError(f"{what} is not flat", expected="all corners in one plane, but for modules by little")
    flat, mask, depth = _ahead(flat, mask, depth, orientation, what)
    ny, nx = flat.shape[:2]
    finite = np.asarray(np.isfinite(flat).all(axis=(2, 3)), np.bool_)
    ignore: Bools = ~finite if mask is None else (np.asarray(mask) != 0) | ~finite
    field = _field_of_corners(flat, pixel_size, finite)
    return Distortion(field, (ny, nx), pixel_size, ignore, gauge=gauge, depth=depth)


def _ahead(
    corners: AnyArray, mask: AnyArray | None, depth: AnyArray | None, orientation: int, what: str
) -> tuple[AnyArray, AnyArray | None, AnyArray | None]:
    """Corners, mask and depth in the order of orientation 3.

    With the other orientations pyFAI turns round what it reads. What it has saved stands in either order: that of
    orientation 3, or that of the images, where places run backwards.
    """
    if orientation not in ORIENTATIONS:
        raise FileFormatError(f"{what} has orientation {orientation}", expected="1, 2, 3 or 4")
    for axis, turned in enumerate(ORIENTATIONS[orientation]):
        if turned and np.nansum(np.diff(corners[:, :, 0, axis], axis=axis)) < 0:
            corners = np.flip(corners, axis)[:, :, ((1, 0, 3, 2), (3, 2, 1, 0))[axis]]
            mask, depth = (None if one is None else np.flip(one, axis) for one in (mask, depth))
    return corners, mask, depth


def _field_of_corners(corners: AnyArray, pixel_size: tuple[float, float], finite: AnyArray) -> Field:
    """Nodes when all neighbours share them, else corners (ny, nx, 4, 2), metres, as they are; in a perfect raster where
    they are not `finite`.
    """
    ny, nx = corners.shape[:2]
    a, b, c, d = (corners[:, :, k] for k in range(4))
    pairs = ((d[:, :-1], a[:, 1:]), (c[:, :-1], b[:, 1:]), (b[:-1], a[1:]), (c[:-1], d[1:]))
    near = _SAME_PX * min(pixel_size)
    if finite.all() and all(not one.size or np.abs(one - other).max() < near for one, other in pairs):
        nodes = np.empty((ny + 1, nx + 1, 2))
        nodes[:-1, :-1], nodes[-1, :-1], nodes[:-1, -1], nodes[-1, -1] = a, b[-1], d[:, -1], c[-1, -1]
        nodes /= pixel_size
        nodes[..., 0] -= np.arange(ny + 1)[:, None]
        nodes[..., 1] -= np.arange(nx + 1)[None, :]
        return SampledField(*edge_nodes((ny, nx)), nodes)
    i, j = np.nonzero(~finite)
    corners[i, j] = (np.stack([i, j], axis=-1)[:, None] + np.array(CORNERS)) * pixel_size
    return CornerField(corners, pixel_size)


def read_detector(path: str | PathLike[str]) -> Distortion:
    """Distortion of a NeXus detector file, without pyFAI's help: the newest entry, as pyFAI takes it.

    It is for images in orientation 3, whatever the file is for; that, :func:`read_orientation` says. The mask belongs
    to the corners beside it; flat and dark are as they are in the file, for its images.

    Raises
    ------
    FileFormatError
        No NeXus file, truncated, without a detector, or with one that is not flat, of no known orientation, partly in
        other files, or of an incredible size.
    """
    try:
        with reading_hdf5(path, expected="a NeXus detector file") as file:
            group = find_detector(file)
            for name in ("pixel_corners", "mask", "pixel_size", "shape", "max_shape", *TRAITS.values()):
                look_at(group, name, str(path))
            _look_at_size(group, str(path))
            return _read_detector_group(group, str(path))
    except (KeyError, ValueError, TypeError, IndexError, RuntimeError, AttributeError, OverflowError) as error:
        raise FileFormatError(
            f"{path} cannot be read as a NeXus detector: {' '.join(str(error).split())[:200]}"
        ) from error


def read_orientation(path: str | PathLike[str]) -> int:
    """pyFAI's orientation of the images that a NeXus detector file is for."""
    with reading_hdf5(path) as file:
        return orientation_of(find_detector(file))


def _read_detector_group(group: h5py.Group, what: str) -> Distortion:
    orientation = orientation_of(group)
    size = tuple(float(v) for v in group["pixel_size"][()])
    mask = group["mask"][()] if "mask" in group else None
    gauge = f"as in {os.path.basename(what)}"
    if "pixel_corners" in group:
        corners, metres = group["pixel_corners"], (size[0], size[1])
        found = distortion_of_corners(corners, metres, mask, gauge=gauge, what=what, orientation=orientation)
        return replace(found, traits=read_traits(group, found.shape))
    if mask is not None:  # of the images: without corners there is nothing else to which it could belong
        mask = mask[tuple(slice(None, None, -1 if turned else 1) for turned in ORIENTATIONS[orientation])]
    shape = group["shape"][()] if "shape" in group else group["max_shape"][()]
    ny, nx = (int(n) for n in shape)
    traits = read_traits(group, (ny, nx))
    bad = None if mask is None else mask != 0
    return Distortion(no_displacement((ny, nx)), (ny, nx), (size[0], size[1]), bad, None, gauge, traits)


def no_displacement(shape: tuple[int, int]) -> SampledField:
    """The field of a detector without distortion."""
    y, x = (axis[[0, -1]] for axis in edge_nodes(shape))
    return SampledField(y, x, np.zeros((2, 2, 2)))


def platform() -> dict[str, str]:
    """Versions of what took part."""
    names = ("pyfai-gridcal", "pyFAI", "silx", "fabio", "h5py", "numpy", "scipy")
    return {"python": sys.version.split()[0], **{name: package_version(name) for name in names}}


#: A dataset that unpacks to more than this many times its size on disk is not believed (gzip reaches about 1000).
RATIO = 1100


def _look_at_size(group: h5py.Group, path: str) -> None:
    """pyFAI's own detectors have pixels from 1 nm to 10 cm; also those written with µm for m, which check finds."""
    if "pixel_size" not in group:
        raise FileFormatError(f"{path}: detector without pixel_size")
    size = [float(v) for v in group["pixel_size"][()].ravel()]
    if len(size) != 2 or not all(1e-9 < v < 1e5 for v in size):
        raise FileFormatError(f"{path} declares a pixel size of {size} m", expected="two positive lengths (slow, fast)")


def look_at(group: h5py.Group, name: str, path: str) -> None:
    """Refuse a dataset that lies elsewhere, holds no numbers or more of them than can be; FileFormatError."""
    link = group.get(name, getlink=True)
    if link is None:
        return
    if isinstance(link, h5py.ExternalLink):
        raise FileFormatError(
            f"{path}: {name} lies in another file ({link.filename})", expected="all of the detector in one file"
        )
    item = group.get(name)
    if not isinstance(item, h5py.Dataset):
        raise FileFormatError(f"{path}: {name} is not a dataset", expected="numbers")
    if item.external or item.is_virtual:
        raise FileFormatError(f"{path}: {name} lies in another file", expected="all of the detector in one file")
    if item.dtype.kind not in "fiub":
        raise FileFormatError(f"{path}: {name} holds {item.dtype}", expected="numbers")
    images = ("mask", TRAITS["flat"], TRAITS["dark"], "coords_source_z", "coords_source_x")
    most = {"pixel_corners": 12 * MAX_PIXELS, **dict.fromkeys(images, MAX_PIXELS)}.get(name, 8)
    stored = int(item.id.get_storage_size())
    if item.size > most or (item.size > 2**22 and item.nbytes > RATIO * (stored + 4096)):
        raise FileFormatError(
            f"{path}: {name} declares {item.shape} in {stored} bytes", hint="the file is damaged or incomplete"
        )
