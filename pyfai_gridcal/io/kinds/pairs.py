"""The kinds of distortion files that are maps: pairs of EDF, CBF and TIFF images, npy and npz."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...base.arrays import AnyArray, Bools, Floats
from ...base.atomic import MAX_PIXELS, replacing
from ...base.errors import FileFormatError, FittingError, UsageError
from ...records.distortion import Distortion
from ..images.masks import named_detector
from .maps import distortion_of_centres, distortion_of_nodes, pair_names, partner, shared_nodes
from .options import pixel_size_of
from .rasters import read_raster, write_raster

if TYPE_CHECKING:
    from ...records.jobs import Reading
    from .options import Writing


#: Steps of one px in the tables of XDS and Dectris, by their definition.
PER_PX = 100
#: Key of our EDF headers that tells the dialect.
AT = "displacement_at"
_SIZE_KEYS = "pixel_size_slow_m", "pixel_size_fast_m"


def completed(paths: tuple[Path, ...]) -> tuple[Path, Path]:
    """(x map, y map) from both or from one of them."""
    if len(paths) == 2:
        return paths[0], paths[1]
    pair = partner(paths[0])
    if pair is None:
        raise UsageError(
            f"{paths[0].name} does not tell the name of the other map", expected="both, x first: X.edf,Y.edf"
        )
    missing = [p for p in pair if not p.is_file()]
    if missing:
        raise FileFormatError(
            f"{missing[0]} is missing, the other map of {paths[0].name}", hint="or name both, x first: X.edf,Y.edf"
        )
    return pair


def edf_dialect(path: Path, shape: tuple[int, int] | None) -> str:
    """Whether an EDF map is at the pixel centres (``imaged11``) or at the corners (``spd``)."""
    data, header = read_raster(path)
    told = header.get(AT, "").lower()
    if told.startswith(("centre", "corner")):
        return "imaged11" if told.startswith("centre") else "spd"
    if shape is not None:
        for name, extra in (("imaged11", 0), ("spd", 1)):
            if data.shape == (shape[0] + extra, shape[1] + extra):
                return name
        raise FileFormatError(
            f"{path} has the shape {data.shape}", expected=f"{shape}, or one more for maps at the corners"
        )
    if re.search(r"e2d[xy]", path.name, re.IGNORECASE):
        return "imaged11"
    if all(
        n % 2 == 1 for n in data.shape
    ):  # no detector has odd numbers of pixels along both axes, but its corners are
        return "spd"
    return "imaged11"


# -- reading
def _read_pair(paths: tuple[Path, ...]) -> tuple[AnyArray, AnyArray, dict[str, str]]:
    (dx, header), (dy, _) = read_raster(paths[0]), read_raster(paths[1])
    if dx.ndim != 2 or dx.shape != dy.shape:
        raise FileFormatError(
            f"{paths[0].name} has the shape {dx.shape}, {paths[1].name} {dy.shape}", expected="the same"
        )
    return dy, dx, header


def _pixel_size(header: Mapping[str, str], reading: Reading, name: object) -> tuple[float, float]:
    """What was told, else what the header says."""
    try:
        told = [float(header[key]) for key in _SIZE_KEYS]
    except (KeyError, ValueError):
        told = []
    return pixel_size_of(told, reading, name)


def read_centres(paths: tuple[Path, ...], reading: Reading) -> Distortion:
    dy, dx, header = _read_pair(paths)
    return distortion_of_centres(dy, dx, _pixel_size(header, reading, paths[0]))


def read_nodes(paths: tuple[Path, ...], reading: Reading) -> Distortion:
    dy, dx, header = _read_pair(paths)
    return distortion_of_nodes(dy, dx, _pixel_size(header, reading, paths[0]))


def read_xds(paths: tuple[Path, ...], reading: Reading) -> Distortion:
    dy, dx, header = _read_pair(paths)
    if dx.dtype.kind not in "iu" or dy.dtype.kind not in "iu":
        raise FileFormatError(f"{paths[0]} holds {dx.dtype}", expected="integers of 1/100 px")
    size = _pixel_size(header, reading, paths[0])
    return distortion_of_centres(dy / PER_PX, dx / PER_PX, size, linear=True)


def read_offsets(name: str, paths: tuple[Path, Path], turned: Sequence[bool] = ()) -> Distortion:
    """As pyFAI means the tables of a Pilatus that a PONI file names: it takes away what XDS would add.

    The tables are in the order of the images, whose axes that are `turned` run the other way than in orientation 3;
    the distortion is for images in orientation 3.
    """
    axes = tuple(axis for axis, one in enumerate(turned) if one)
    dy, dx = (np.flip(table, axes) for table in _read_pair(paths)[:2])
    size, gaps = named_detector(name, dx.shape)
    mask = None if gaps is None else np.flip(gaps, axes)
    return distortion_of_centres(-dy / PER_PX, -dx / PER_PX, size, mask=mask, linear=True)


def read_npy(paths: tuple[Path, ...], reading: Reading) -> Distortion:
    stack, _ = read_raster(paths[0])
    if stack.ndim != 3 or len(stack) != 2:
        raise FileFormatError(f"{paths[0]} has the shape {stack.shape}", expected="(2, ny, nx): slow, then fast")
    return distortion_of_centres(stack[0], stack[1], _pixel_size({}, reading, paths[0]))


def read_npz(paths: tuple[Path, ...], reading: Reading) -> Distortion:
    path = paths[0]
    try:
        members = _npz_members(path)
    except FileFormatError:
        raise
    except Exception as error:  # zipfile, zlib and numpy's parser raise all sorts of things
        raise FileFormatError(f"{path} is not a readable npz archive: {error}") from error
    if "dy" not in members or "dx" not in members:
        raise FileFormatError(f"{path} holds {', '.join(members) or 'nothing'}", expected="dy and dx")
    dy, dx = members["dy"], members["dx"]
    told = dict(zip(_SIZE_KEYS, map(str, np.asarray(members.get("pixel_size", ())).ravel()), strict=False))
    size = _pixel_size(told, reading, path)
    mask = members.get("mask")
    if mask is not None and mask.shape != dy.shape:
        raise FileFormatError(f"{path} holds a mask of shape {mask.shape} and maps of {dy.shape}")
    return distortion_of_centres(dy, dx, size, mask=None if mask is None else mask != 0)


def _npz_members(path: Path) -> dict[str, AnyArray]:
    """The arrays of an archive, none of them unpacked before its declared size was looked at."""
    with zipfile.ZipFile(path) as archive:
        wanted = [
            info for info in archive.infolist() if info.filename in ("dy.npy", "dx.npy", "mask.npy", "pixel_size.npy")
        ]
        if sum(info.file_size for info in wanted) > 24 * MAX_PIXELS:
            raise FileFormatError(f"{path} unpacks to {sum(i.file_size for i in wanted)} bytes")
        out = {}
        for info in wanted:
            with archive.open(info) as stream:
                version = np.lib.format.read_magic(stream)
                header = (
                    np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = header(stream)
            if dtype.kind not in "fiub" or int(np.prod(shape, dtype=object)) * dtype.itemsize > info.file_size:
                raise FileFormatError(f"{path}: {info.filename} declares {dtype} of shape {shape}")
            with archive.open(info) as stream:
                out[info.filename.removesuffix(".npy")] = np.lib.format.read_array(stream, allow_pickle=False)
        return out


# -- writing
def _centres(distortion: Distortion) -> tuple[Floats, Floats]:
    """(dy, dx) at the pixel centres, NaN where masked."""
    dy, dx = (np.array(m) for m in distortion.displacement_maps())
    if distortion.mask is not None:
        dy[distortion.mask] = dx[distortion.mask] = np.nan
    return dy, dx


def _header(distortion: Distortion, axis: str, at: str) -> dict[str, str]:
    size = dict(zip(_SIZE_KEYS, map(repr, distortion.pixel_size), strict=True))
    return {"title": f"displacement along the {axis} axis, corrected - observed, px", AT: at, **size}


def _write_pair(
    names: tuple[Path, Path], dx: AnyArray, dy: AnyArray, distortion: Distortion | None, at: str
) -> list[Path]:
    for path, data, axis in ((names[0], dx, "fast (x)"), (names[1], dy, "slow (y)")):
        write_raster(path, data, _header(distortion, axis, at) if distortion is not None else None)
    return list(names)


def write_imaged11(distortion: Distortion, path: Path, writing: Writing) -> list[Path]:
    """ImageD11 takes what is there for every pixel: masked ones get the value of the field as well."""
    dy, dx = (np.nan_to_num(m).astype(np.float32) for m in distortion.displacement_maps())
    return _write_pair(pair_names(path, ("_e2dx", "_e2dy"), ".edf"), dx, dy, distortion, "centres")


def write_spd(distortion: Distortion, path: Path, writing: Writing) -> list[Path]:
    nodes, known, jump = shared_nodes(distortion)
    if jump > 0.02 and not writing.force:
        raise FittingError(
            f"neighbouring pixels are up to {jump:.3g} px apart, which maps at their common corners cannot say",
            hint="write the imaged11 or the xds kind, NeXus, or use --force to average the corners",
        )
    nodes = np.where(known[..., None], nodes, np.nan).astype(np.float32)
    return _write_pair(pair_names(path, ("-x", "-y"), ".edf"), nodes[..., 1], nodes[..., 0], distortion, "corners")


def write_xds(distortion: Distortion, path: Path, writing: Writing) -> list[Path]:
    """Integers of 1/100 px; masked pixels get 0."""
    dy, dx = (np.rint(PER_PX * np.nan_to_num(m)).astype(np.int32) for m in _centres(distortion))
    return _write_pair(pair_names(path, ("_x_geo_corr", "_y_geo_corr"), ".cbf"), dx, dy, None, "centres")


def write_tiff(distortion: Distortion, path: Path, writing: Writing) -> list[Path]:
    dy, dx = (m.astype(np.float32) for m in _centres(distortion))
    return _write_pair(pair_names(path, ("_dx", "_dy"), ".tif"), dx, dy, None, "centres")


def write_npy(distortion: Distortion, path: Path, writing: Writing) -> list[Path]:
    return [write_raster(path, np.stack(_centres(distortion)))]


def write_npz(distortion: Distortion, path: Path, writing: Writing) -> list[Path]:
    dy, dx = distortion.displacement_maps()
    mask: Bools = np.zeros(distortion.shape, bool) if distortion.mask is None else np.asarray(distortion.mask)
    size = np.array(distortion.pixel_size)
    at = np.array("pixel centres, px, corrected - observed")
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, dy=dy, dx=dx, mask=mask, pixel_size=size, displacement_at=at)
    return [path]
