"""PONI files and JSON snippets that point to a detector file by its absolute path.

pyFAI opens the path that they name as it is written, so that a relative one works only from one folder.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from ...base.atomic import existing, read_text, replacing
from ...base.errors import FileFormatError, UsageError
from ...records.traits import Sensor

__all__ = [
    "GEOMETRY",
    "detector_of",
    "format_json",
    "format_poni",
    "offset_files_of",
    "save_pointer",
    "sensor_of",
    "told_orientation",
]

MAX_BYTES = 2**20
#: What a PONI file says about the experiment; metres and radians.
GEOMETRY = ("dist", "poni1", "poni2", "rot1", "rot2", "rot3")
_PONI_KEYS = dict(zip(GEOMETRY, ("Distance", "Poni1", "Poni2", "Rot1", "Rot2", "Rot3"), strict=True))


def format_poni(detector: str | PathLike[str], geometry: dict[str, float] | None = None) -> str:
    """The text of a PONI file (version 2.1) for a NeXus detector file.

    Parameters
    ----------
    detector : path of the detector file
    geometry : dist, poni1, poni2 (metres), rot1, rot2, rot3 (radians), wavelength (metres), as far as known
    """
    geometry = geometry or {}
    config = json.dumps({"filename": os.path.abspath(detector), "orientation": 3})
    lines = ["# Written by pyFAI-gridcal", "poni_version: 2.1", "Detector: NexusDetector", f"Detector_config: {config}"]
    lines += [f"{_PONI_KEYS[key]}: {float(geometry.get(key, 0.1 if key == 'dist' else 0.0))!r}" for key in GEOMETRY]
    if "wavelength" in geometry:
        lines.append(f"Wavelength: {float(geometry['wavelength'])!r}")
    return "\n".join(lines) + "\n"


def format_json(detector: str | PathLike[str]) -> str:
    """The part of a pyFAI JSON configuration that names the detector."""
    path = os.path.abspath(detector)
    return (
        json.dumps({"detector": "NexusDetector", "detector_config": {"filename": path, "orientation": 3}}, indent=2)
        + "\n"
    )


def save_pointer(
    path: str | PathLike[str], detector: str | PathLike[str], geometry: dict[str, float] | None = None
) -> Path:
    """Write a ``.poni`` or a ``.json`` that points to a detector file."""
    path = Path(path)
    if not Path(detector).is_file():
        raise UsageError(f"no detector file {detector} to point to")
    text = format_json(detector) if path.suffix.lower() == ".json" else format_poni(detector, geometry)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def detector_of(path: str | PathLike[str]) -> Path:
    """The detector file that a PONI file or a JSON configuration points to.

    Raises
    ------
    FileFormatError
        It points to none, or to one that does not exist.
    """
    path = Path(path)
    files = _pointed(path).files
    if len(files) != 1:
        raise FileFormatError(
            f"{path} names no detector file", expected="a NexusDetector with its filename, or a spline"
        )
    found = path.parent / files[0]
    # Path.is_file() raises for names that no file can have.
    if not os.path.isfile(found):
        raise FileFormatError(
            f"{path} points to {files[0][:300]}, which does not exist",
            hint="write the pointer again with an absolute path",
        )
    if found.resolve() == path.resolve():
        raise FileFormatError(f"{path} points to itself")
    return found


def offset_files_of(path: str | PathLike[str]) -> tuple[str, tuple[Path, Path]] | None:
    """pyFAI's name of the detector, and its files of offsets along x and y, that a PONI file or a JSON configuration
    names; None where it names none.
    """
    path = Path(path)
    pointed = _pointed(path)
    if len(pointed.files) != 2:
        return None
    x, y = (existing(path.parent / name) for name in pointed.files)
    return pointed.detector, (x, y)


def told_orientation(path: str | PathLike[str]) -> int | None:
    """pyFAI's orientation that a PONI file or a JSON configuration asks for; None where it leaves it to the detector.

    As in pyFAI, one beside the path of the detector does not count, only one beside its ``filename``.
    """
    return _pointed(Path(path)).orientation


def sensor_of(path: str | PathLike[str]) -> Sensor | None:
    """The sensor that a PONI file or a JSON configuration tells beside the detector; None where it leaves it to that."""
    return _pointed(Path(path)).sensor


@dataclass(frozen=True)
class _Pointed:
    """What a pointer names: the file of a detector, or the offsets along x and y of one that pyFAI knows by name."""

    files: tuple[str, ...] = ()
    orientation: int | None = None
    detector: str = ""
    sensor: Sensor | None = None


def _pointed(path: Path) -> _Pointed:
    text = read_text(path, MAX_BYTES)
    return _named_in_json(text, path) if text.lstrip().startswith("{") else _named_in_poni(text)


def _named_in_poni(text: str) -> _Pointed:
    """What the last detector of a PONI file names: later entries replace earlier ones, as in pyFAI."""
    named, detector = _Pointed(), ""
    for line in text.splitlines():
        match = re.match(r"\s*(\w+)\s*:\s*(.*?)\s*$", line)
        if not match or line.lstrip().startswith("#"):
            continue
        key, value = match[1].lower(), match[2]
        if (key == "detector" and (os.path.sep in value or re.search(r"\.(h5|hdf5?|nxs|spline)$", value))) or (
            key == "splinefile" and value not in ("", "None")
        ):
            named = _Pointed((value,))
        elif key == "detector":
            detector = value
        elif key == "detector_config":
            named = _named_in_config(value, detector) or named
    return named


def _named_in_json(text: str, path: Path) -> _Pointed:
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise FileFormatError(f"{path} is no readable JSON: {error}") from error
    parts = [content, content.get("poni")] if isinstance(content, dict) else []
    for part in parts:
        if isinstance(part, dict):
            detector = part.get("detector")
            named = _named_in_config(part.get("detector_config"), str(detector))
            if named:
                return named
            if isinstance(detector, str) and os.path.sep in detector:
                return _Pointed((detector,))
    return _Pointed()


def _named_in_config(config: object, detector: str) -> _Pointed | None:
    """What the configuration of a detector names, a record or its text."""
    with suppress(json.JSONDecodeError, RecursionError):  # what is no record names nothing
        config = json.loads(config) if isinstance(config, str) else config
    if isinstance(config, dict):
        for keys in (("filename",), ("splineFile",), ("splinefile",), ("x_offset_file", "y_offset_file")):
            files = tuple(config.get(key) for key in keys)
            if all(isinstance(one, str) and one for one in files):
                orientation = config.get("orientation")
                told = orientation if isinstance(orientation, int) and orientation else None
                return _Pointed(tuple(map(str, files)), told, detector, _sensor(config.get("sensor")))
    return None


def _sensor(told: object) -> Sensor | None:
    """A sensor as pyFAI writes it in the configuration of a detector."""
    if not isinstance(told, dict) or not isinstance(told.get("material"), str):
        return None
    thickness = told.get("thickness")
    return Sensor(told["material"], float(thickness) if isinstance(thickness, int | float) and thickness else None)
