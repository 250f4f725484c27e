"""What an HDF5 file holds: the one place that knows where a detector and a calibration are in it."""

from __future__ import annotations

import itertools
from os import PathLike
from pathlib import Path

import h5py

from ...base.atomic import check_suffix
from ...base.errors import FileFormatError
from ...base.opening import members, reading_hdf5, text_of
from ..images.frames import parse_address

#: pyFAI's orientations -> whether the slow and the fast axis run the other way than in orientation 3.
ORIENTATIONS = {1: (True, True), 2: (True, False), 3: (False, False), 4: (False, True)}

#: Name of an image or a number of the detector in our records -> in pyFAI's group.
TRAITS = {"flat": "flatfield", "dark": "darkcurrent", "dummy": "dummy", "delta_dummy": "delta_dummy"}


def find_detector(file: h5py.File) -> h5py.Group:
    """The detector group that pyFAI would take: of the newest entry, by its start.

    Raises
    ------
    FileFormatError
        There is none.
    """
    entries = [g for g in _groups(file, "NXentry") if "start_time" in g]
    entries.sort(key=lambda g: text_of(g["start_time"][()])[:19], reverse=True)
    for entry in entries:
        for nx_class in ("NXsubentry", "NXinstrument"):
            for instrument in _groups(entry, nx_class):
                for detector in _groups(instrument, "NXdetector"):
                    return detector
    raise FileFormatError(f"{file.filename} holds no NeXus detector", expected="NXentry/NXsubentry/NXdetector")


def orientation_of(detector: h5py.Group) -> int:
    """pyFAI's orientation of the images that a detector group is for; 3 where it says nothing."""
    return int(detector["orientation"][()]) or 3 if "orientation" in detector else 3


def _groups(parent: h5py.Group, nx_class: str) -> list[h5py.Group]:
    """Members of this NeXus class."""
    groups = (item for item in members(parent).values() if isinstance(item, h5py.Group))
    return [group for group in groups if text_of(group.attrs.get("NX_class", "")) == nx_class]


def result_name(path: str | PathLike[str]) -> Path:
    """The path of a file that may get the result of a calibration.

    Raises
    ------
    UsageError
        Its name says that it is something else.
    """
    names = (".h5", ".hdf5", ".hdf", ".nxs", ".nx", ".nexus", "")
    hint = "pyFAI-gridcal convert, or write_distortion of pyfai_gridcal.io.kinds.kinds, makes other kinds of it"
    return check_suffix(path, names, "the result of a calibration is HDF5", hint)


def find_process(file: h5py.File) -> h5py.Group | None:
    """The group of the calibration in a result file, None when it holds none."""
    for entry in members(file).values():
        if isinstance(entry, h5py.Group) and "grid_calibration/record" in entry:
            return entry["grid_calibration"]
    return None


def holds_detector(path: str | PathLike[str]) -> bool:
    """Whether a file is an HDF5 file with a detector that has pixel corners, as this package and pyFAI write them; the
    detectors of files with raw data have none.
    """
    try:
        with reading_hdf5(path) as file:
            return "pixel_corners" in find_detector(file)
    except FileFormatError:
        return False


def holds_result(path: str | PathLike[str]) -> bool:
    """Whether a file holds a calibration of this package."""
    try:
        with reading_hdf5(path) as file:
            return find_process(file) is not None
    except FileFormatError:
        return False


def detector_beside(image: str) -> Path:
    """Name of a new detector file beside an image (path or silx URL): never the image itself, nor another file that is
    no detector, such as raw data beside their preview.
    """
    source = Path(parse_address(image).file)
    endings = itertools.chain(("", "_detector"), (f"_detector_{n}" for n in itertools.count(2)))
    names = (source.with_name(f"{source.stem}{ending}.h5") for ending in endings)
    return next(name for name in names if name != source and (not name.exists() or holds_detector(name)))
