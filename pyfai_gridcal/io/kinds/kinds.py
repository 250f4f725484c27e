"""All kinds of distortion files: which one a file is, what it means, and how it is written.

The truth inside is one :class:`~pyfai_gridcal.records.distortion.Distortion`: displacement (corrected - observed) in
px as a function of the observed position, index frame, and with it the pixel corners in metres. Each :class:`Kind`
states what its files hold instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path

from ...base.atomic import existing
from ...base.errors import FileFormatError, UsageError
from ...base.opening import is_hdf5
from ...records.distortion import Distortion
from ...records.jobs import Reading
from ...records.traits import Sensor, Traits
from ..nexus.contents import ORIENTATIONS
from ..nexus.groups import read_detector, read_orientation, read_traits_of
from . import neighbours, pairs
from .content import kind_of_content
from .fit2d import read_spline, save_spline
from .modules import modules_of, read_modules, save_modules
from .options import Writing
from .pointers import detector_of, offset_files_of, pointed, save_pointer, told_orientation
from .readout import binned, in_orientation, part_of, to_orientation_3, with_traits_turned

__all__ = [
    "KINDS",
    "DistortionFile",
    "Kind",
    "kind_for_output",
    "kind_of",
    "locate",
    "open_distortion",
    "read_distortion",
    "told_traits",
    "write_distortion",
]


@dataclass(frozen=True)
class DistortionFile:
    """A distortion and where it came from.

    Attributes
    ----------
    distortion : binned as asked for. Where no orientation was asked for, it is for images in that of the file, and its
        places are those of pyFAI; else for images that were turned to orientation 3
    kind : name of the kind of file
    paths : the files read
    binning : (slow, fast), as asked for
    orientation : pyFAI's, of the images that the file is for, as it says itself (3 where it does not)
    """

    distortion: Distortion
    kind: str
    paths: tuple[Path, ...]
    binning: tuple[int, int] = (1, 1)
    orientation: int = 3


@dataclass(frozen=True)
class Kind:
    """A kind of distortion file.

    Attributes
    ----------
    name, title : for options and for people
    statement : frame, order, unit and sign of what is in the file
    suffixes : by which an output name asks for it
    read : (paths, what the file does not tell) -> Distortion, for images in orientation 3 where the file tells another
    write : (distortion, path, choices) -> files written
    orientation : path -> pyFAI's orientation of the images that the file is for
    keeps_mask, keeps_size : whether the file holds the mask, and the pixel size
    pair : whether it is two files, the maps of both axes
    """

    name: str
    title: str
    statement: str
    suffixes: tuple[str, ...]
    read: Callable[[tuple[Path, ...], Reading], Distortion]
    write: Callable[[Distortion, Path, Writing], list[Path]]
    orientation: Callable[[Path], int] = lambda _: 3
    keeps_mask: bool = False
    keeps_size: bool = True
    pair: bool = False


# -- writers and readers that are no maps
def _write_nexus(distortion: Distortion, path: Path, writing: Writing) -> list[Path]:
    from ..nexus.result import save_result

    save_result(distortion, path, name=writing.name)
    return [path]


def _write_spline(distortion: Distortion, path: Path, writing: Writing, *, inverse: bool = False) -> list[Path]:
    from .splinefit import fit_spline

    tolerance, force, progress = writing.tolerance, writing.force, writing.progress
    fit = fit_spline(distortion, tolerance=tolerance, inverse=inverse, force=force, progress=progress)
    return [save_spline(path, fit.spline)]


def _read_spline(paths: tuple[Path, ...], reading: Reading) -> Distortion:
    return read_spline(paths[0]).distortion(reading.shape)


def _write_modules(distortion: Distortion, path: Path, writing: Writing) -> list[Path]:
    return [save_modules(path, modules_of(distortion, force=writing.force))]


def _write_pointer(distortion: Distortion, path: Path, writing: Writing) -> list[Path]:
    """Point to the detector file that there is, or to one written beside."""
    sensor, detector = distortion.traits.sensor or writing.told.sensor, writing.source or path.with_suffix(".h5")
    if writing.source is not None:
        # Told where the file does not tell it: some versions of pyFAI understand it only there.
        told = replace(writing.told, sensor=None if read_traits_of(detector).sensor == sensor else sensor)
        return [save_pointer(path, detector, told, relative=writing.relative)]
    if detector.exists() and not writing.force:
        raise UsageError(f"{detector} exists already", hint="convert to .h5 first and point to that, or --force")
    whole = replace(distortion, traits=replace(distortion.traits, sensor=sensor))
    told = replace(writing.told, sensor=None)
    return [*_write_nexus(whole, detector, writing), save_pointer(path, detector, told, relative=writing.relative)]


def _read_pointer(paths: tuple[Path, ...], reading: Reading) -> Distortion:
    if offsets := offset_files_of(paths[0]):
        return pairs.read_offsets(*offsets, ORIENTATIONS.get(_orientation_of_pointer(paths[0]), ()))
    target = detector_of(paths[0])
    if kind_of(target).name in ("poni", "json"):
        raise FileFormatError(f"{paths[0]} points to {target.name}, which is only a pointer as well")
    kind, found, _ = locate(target, plain := Reading(shape=reading.shape, pixel_size=reading.pixel_size))
    return kind.read(found, plain)


def _orientation_of_pointer(path: Path) -> int:
    if told := told_orientation(path):
        return told
    return 3 if offset_files_of(path) else kind_of(target := detector_of(path)).orientation(target)


_POINTER = _read_pointer, _write_pointer, _orientation_of_pointer

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "nexus",
            "pyFAI NeXus detector",
            "pixel corners A(0,0) B(1,0) C(1,1) D(0,1), metres, (z, y, x), edge frame; orientation 3; with mask",
            (".h5", ".hdf5", ".nxs"),
            lambda paths, reading: read_detector(paths[0]),
            _write_nexus,
            keeps_mask=True,
            orientation=read_orientation,
        ),
        Kind(
            "spline",
            "Fit2D spline",
            "bicubic splines X(x, y), Y(x, y) of the edge frame, corrected - observed, px; pixel sizes in µm",
            (".spline",),
            _read_spline,
            _write_spline,
        ),
        Kind(
            "spline-inverse",
            "Fit2D spline, from ideal to distorted",
            "as spline, but observed - corrected as a function of the corrected position",
            (".inverse.spline",),
            _read_spline,
            partial(_write_spline, inverse=True),
        ),
        Kind(
            "imaged11",
            "pair of EDF maps for ImageD11",
            "e2dx (fast) and e2dy (slow) at the pixel centres, (ny, nx), corrected - observed, px",
            ("e2dx.edf", "e2dy.edf"),
            pairs.read_centres,
            pairs.write_imaged11,
            pair=True,
        ),
        Kind(
            "spd",
            "pair of EDF maps as pyFAI and SPD take them",
            "-x (fast) and -y (slow) at the pixel corners, (ny + 1, nx + 1), corrected - observed, px",
            (".edf",),
            pairs.read_nodes,
            pairs.write_spd,
            pair=True,
        ),
        Kind(
            "xds",
            "pair of CBF tables of XDS and Dectris",
            "x (fast) and y (slow) at the pixel centres, (ny, nx), corrected - observed, integers of 1/100 px",
            (".cbf",),
            pairs.read_xds,
            pairs.write_xds,
            keeps_size=False,
            pair=True,
        ),
        Kind(
            "tiff",
            "pair of TIFF maps",
            "_dx (fast) and _dy (slow) at the pixel centres, (ny, nx), corrected - observed, px, float32",
            (".tif", ".tiff"),
            pairs.read_centres,
            pairs.write_tiff,
            keeps_size=False,
            pair=True,
        ),
        Kind(
            "npy",
            "one npy stack",
            "(2, ny, nx): slow, then fast, at the pixel centres, corrected - observed, px, float64",
            (".npy",),
            pairs.read_npy,
            pairs.write_npy,
            keeps_size=False,
        ),
        Kind(
            "npz",
            "npz archive",
            "dy, dx (ny, nx) at the pixel centres, corrected - observed, px; mask; pixel_size in metres (slow, fast)",
            (".npz",),
            pairs.read_npz,
            pairs.write_npz,
            keeps_mask=True,
        ),
        Kind(
            "modules",
            "module table",
            "id, extent, centre, shift (px), rotation (degrees) of rigid modules, index frame, slow before fast",
            (".modules", ".tsv", ".txt"),
            lambda paths, reading: read_modules(paths[0]).distortion(),
            _write_modules,
        ),
        Kind(
            "nabu",
            "maps for nabu",
            "coords_source_z (slow), coords_source_x (fast), (ny, nx): where the raw image has a corrected pixel, "
            "index frame, px",
            (".nabu.h5",),
            neighbours.read_nabu,
            neighbours.write_nabu,
            keeps_size=False,
        ),
        Kind(
            "midas",
            "DistortionFile of MIDAS",
            "float64 without a head: Y (fast), then Z (slow), (ny, nx), index frame, corrected - observed, px; for an "
            "ImTransOpt of 0: it turns the maps, but not their signs",
            neighbours.MIDAS_SUFFIXES,
            neighbours.read_midas,
            neighbours.write_midas,
            keeps_size=False,
        ),
        Kind(
            "dials",
            "pair of pickles for DIALS",
            "dx (fast) and dy (slow), a tuple of one flex.double (ny, nx), observed - corrected, px, of the pixel that "
            "holds the point, edge frame",
            (".pickle",),
            neighbours.read_dials,
            neighbours.write_dials,
            keeps_size=False,
            pair=True,
        ),
        *(
            Kind(name, f"{title} that names the detector", "absolute path", (f".{name}",), *_POINTER)
            for name, title in (("poni", "PONI file"), ("json", "JSON snippet"))
        ),
    )
}


# -- which kind
def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise UsageError(f"kind {name!r}", expected=", ".join(KINDS))
    return KINDS[name]


def kind_of(path: str | PathLike[str], reading: Reading | None = None) -> Kind:
    """The kind of a file, told from its content; names decide only between dialects of maps.

    Raises
    ------
    FileFormatError
        No such file, or none of the kinds.
    """
    reading = reading or Reading()
    name = reading.kind or kind_of_content(existing(path), reading)
    if name is None:
        titles = ", ".join(kind.title for kind in KINDS.values())
        raise FileFormatError(f"{path} is none of the distortion files known here", expected=titles)
    return _kind(name)


def kind_for_output(path: str | PathLike[str], name: str | None = None) -> Kind:
    """The kind that an output name asks for by its suffix, unless `name` says it."""
    if name:
        return _kind(name)
    lower = Path(path).name.lower()
    for kind in sorted(KINDS.values(), key=lambda k: -max(map(len, k.suffixes))):
        if lower.endswith(kind.suffixes) or (
            kind.name == "imaged11" and ("e2dx" in lower or "e2dy" in lower) and Path(lower).suffix in ("", ".edf")
        ):
            return kind
    expected = "a suffix such as .h5, .spline, .edf, .cbf, .tif, .npy, .poni"
    raise UsageError(f"output {path} does not tell its kind", expected=expected, hint="or --to KIND")


# -- in and out
def locate(
    path: str | PathLike[str] | Sequence[str | PathLike[str]], reading: Reading | None = None
) -> tuple[Kind, tuple[Path, ...], tuple[Path, ...]]:
    """(kind, files named, files that hold the numbers) of a distortion, without reading it."""
    paths = tuple(Path(p) for p in ([path] if isinstance(path, str | PathLike) else path))
    kind = kind_of(paths[0], reading)
    paths = pairs.completed(paths) if kind.pair else paths[:1]
    if kind.name not in ("poni", "json"):
        return kind, paths, paths
    offsets = offset_files_of(paths[0])
    return kind, paths, offsets[1] if offsets else (detector_of(paths[0]),)


def told_traits(path: str | PathLike[str] | Sequence[str | PathLike[str]], reading: Reading | None = None) -> Traits:
    """What a detector file, or one that names it, tells besides the places; flat and dark as they are in the file."""
    reading = reading or Reading()
    kind, named, files = locate(path, reading)
    traits = read_traits_of(files[0]) if is_hdf5(files[0]) else Traits()
    return replace(traits, sensor=_told_sensor(kind, named, reading) or traits.sensor)


def _told_sensor(kind: Kind, named: tuple[Path, ...], reading: Reading) -> Sensor | None:
    """The sensor that is told, else the one that a pointer names beside the detector."""
    if reading.sensor is not None:
        return Sensor.parse(reading.sensor)
    return pointed(named[0]).sensor if kind.name in ("poni", "json") else None


def open_distortion(
    path: str | PathLike[str] | Sequence[str | PathLike[str]], reading: Reading | None = None
) -> DistortionFile:
    """Read a distortion file (or a pair of maps, given by one of both or by both: x, then y).

    Raises
    ------
    FileFormatError
        The file is none of the kinds, damaged, or lacks what `reading` does not tell either.
    """
    reading = reading or Reading()
    kind, paths, _ = locate(path, reading)
    try:
        distortion = kind.read(paths, reading)
    except MemoryError as error:
        raise FileFormatError(f"{paths[0]} does not fit in memory") from error
    said = kind.orientation(paths[0])
    if said not in ORIENTATIONS:
        raise FileFormatError(f"{paths[0]} has orientation {said}", expected="1, 2, 3 or 4")
    if reading.shape and tuple(reading.shape) != distortion.shape:
        raise FileFormatError(f"{paths[0]} is of {distortion.shape} pixels", expected=f"{tuple(reading.shape)}")
    if reading.pixel_size:
        distortion = replace(distortion, pixel_size=reading.pixel_size)
    distortion = with_traits_turned(distortion, said)
    sensor = _told_sensor(kind, paths, reading) or distortion.traits.sensor
    distortion = replace(distortion, traits=replace(distortion.traits, sensor=sensor))
    if reading.orientation is None:
        distortion = in_orientation(distortion, said)
    else:
        distortion = to_orientation_3(to_orientation_3(distortion, said), reading.orientation)
    seen = said if reading.orientation is None else 3
    distortion = part_of(binned(distortion, reading.binning), reading.roi, seen)
    return DistortionFile(distortion, kind.name, paths, reading.binning, said)


def read_distortion(
    path: str | PathLike[str] | Sequence[str | PathLike[str]], reading: Reading | None = None
) -> Distortion:
    """The distortion of a file; see :func:`open_distortion`."""
    return open_distortion(path, reading).distortion


def write_distortion(
    distortion: Distortion, path: str | PathLike[str], kind: str | None = None, writing: Writing | None = None
) -> list[Path]:
    """Write a distortion as one of the kinds; the files appear complete under their names or not at all.

    Returns
    -------
    The files written: two for pairs of maps.
    """
    return kind_for_output(path, kind).write(distortion, Path(path), writing or Writing())
