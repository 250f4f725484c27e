"""PONI files and JSON snippets that point to a detector file.

pyFAI opens the path that they name as it is written, so that a relative one works only from one folder, that of the
file: it is written on wish only, and read here from everywhere.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from ...base.atomic import existing, read_text, replacing
from ...base.errors import FileFormatError, UsageError
from ...records.traits import Sensor

__all__ = [
    "GEOMETRY",
    "NO_EXPERIMENT",
    "NO_SENSOR",
    "PONI_KEYS",
    "Experiment",
    "Pointed",
    "detector_of",
    "entries_of",
    "format_json",
    "format_poni",
    "numbers_in",
    "offset_files_of",
    "pointed",
    "save_pointer",
    "told_orientation",
    "wants_parallax",
]

MAX_BYTES = 2**20
#: What is wrong with a file that asks for parallax, when its detector has no sensor.
NO_SENSOR = "Parallax: True without a sensor: pyFAI corrects nothing; convert --sensor tells one, such as CdTe,1mm"
#: What a PONI file says about the experiment; metres and radians.
GEOMETRY = ("dist", "poni1", "poni2", "rot1", "rot2", "rot3")
PONI_KEYS = {"dist": "Distance", **{name: name.capitalize() for name in (*GEOMETRY[1:], "wavelength")}}


@dataclass(frozen=True)
class Experiment:
    """What a pointer tells besides the file of the detector; a JSON snippet has room for the sensor only.

    Attributes
    ----------
    geometry : dist, poni1, poni2 (metres), rot1, rot2, rot3 (radians), wavelength (metres), as far as known
    parallax : whether pyFAI is to correct it, None to say nothing of it
    sensor : of the detector, where its file does not tell it, or tells another
    remarks : lines about calibrant and image, each with its #, which pyFAI keeps
    """

    geometry: Mapping[str, float] = field(default_factory=dict)
    parallax: bool | None = None
    sensor: Sensor | None = None
    remarks: tuple[str, ...] = ()


#: Of which nothing is known.
NO_EXPERIMENT = Experiment()
Name = str | PathLike[str]


def format_poni(detector: Name, told: Experiment = NO_EXPERIMENT, beside: Name | None = None) -> str:
    """The text of a PONI file for a NeXus detector file: of version 2.1, or 3 where it tells of parallax.

    Parameters
    ----------
    detector : path of the detector file
    told : what else is known
    beside : folder from which the path of the detector counts; None for the absolute one
    """
    version, geometry = 2.1 if told.parallax is None else 3, {"dist": 0.1, **told.geometry}
    lines = ["# Written by pyFAI-gridcal", *told.remarks, f"poni_version: {version}", "Detector: NexusDetector"]
    lines.append(f"Detector_config: {json.dumps(_config(detector, told, beside))}")
    known = [key for key in PONI_KEYS if key in GEOMETRY or key in geometry]
    lines += [f"{PONI_KEYS[key]}: {float(geometry.get(key, 0.0))!r}" for key in known]
    lines += [] if told.parallax is None else [f"Parallax: {told.parallax}"]
    return "\n".join(lines) + "\n"


def format_json(detector: Name, told: Experiment = NO_EXPERIMENT, beside: Name | None = None) -> str:
    """The part of a pyFAI JSON configuration that names the detector; see :func:`format_poni`."""
    part = {"detector": "NexusDetector", "detector_config": _config(detector, told, beside)}
    return json.dumps(part, indent=2) + "\n"


def _config(detector: Name, told: Experiment, beside: Name | None) -> dict[str, object]:
    path = os.path.abspath(detector) if beside is None else os.path.relpath(detector, beside)
    return {"filename": path, "orientation": 3} | ({} if told.sensor is None else {"sensor": told.sensor.config()})


def save_pointer(path: Name, detector: Name, told: Experiment = NO_EXPERIMENT, *, relative: bool = False) -> Path:
    """Write a ``.poni`` or a ``.json`` that points to a detector file; see :func:`format_poni`."""
    path = Path(path)
    if not Path(detector).is_file():
        raise UsageError(f"no detector file {detector} to point to")
    write = format_json if path.suffix.lower() == ".json" else format_poni
    text = write(detector, told, path.absolute().parent if relative else None)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def wants_parallax(path: Name) -> bool:
    """Whether a PONI file or a JSON configuration asks pyFAI for the correction of the parallax."""
    return re.search(r'(?im)^\s*"?parallax"?\s*:\s*true\b', read_text(path, MAX_BYTES)) is not None


def detector_of(path: str | PathLike[str]) -> Path:
    """The detector file that a PONI file or a JSON configuration points to.

    Raises
    ------
    FileFormatError
        It points to none, or to one that does not exist.
    """
    path = Path(path)
    files = pointed(path).files
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
    path, named = Path(path), pointed(Path(path))
    if len(named.files) != 2:
        return None
    x, y = (existing(path.parent / name) for name in named.files)
    return named.detector, (x, y)


def told_orientation(path: str | PathLike[str]) -> int | None:
    """pyFAI's orientation that a PONI file or a JSON configuration asks for; None where it leaves it to the detector.

    As in pyFAI, one beside the path of the detector does not count, only one beside its ``filename``.
    """
    return pointed(Path(path)).orientation


@dataclass(frozen=True)
class Pointed:
    """What a pointer names: the file of a detector, or the offsets along x and y of one that pyFAI knows by name."""

    files: tuple[str, ...] = ()
    orientation: int | None = None
    detector: str = ""
    sensor: Sensor | None = None

    @property
    def relative(self) -> bool:
        """Whether it names files as they are seen from its own folder."""
        return any(not os.path.isabs(name) for name in self.files)


def pointed(path: Path) -> Pointed:
    """What a PONI file or a JSON configuration names."""
    text = read_text(path, MAX_BYTES)
    return _named_in_json(text, path) if text.lstrip().startswith("{") else _named_in_poni(text)


def entries_of(text: str) -> Iterator[tuple[str, str]]:
    """Keys, in lower case, and values of a PONI file, in its order; remarks are left out."""
    for line in text.splitlines():
        if match := re.match(r"\s*(\w+)\s*:\s*(.*?)\s*$", line):
            yield match[1].lower(), match[2]


def numbers_in(text: str) -> dict[str, float]:
    """Geometry and wavelength of a PONI file, as far as it tells them; ValueError of what is no number."""
    told = dict(entries_of(text))
    given = {name: told.get(key.lower(), "None") for name, key in PONI_KEYS.items()}
    return {name: float(value) for name, value in given.items() if value not in ("", "None")}


def _named_in_poni(text: str) -> Pointed:
    """What the last detector of a PONI file names: later entries replace earlier ones, as in pyFAI."""
    named, detector = Pointed(), ""
    for key, value in entries_of(text):
        if (key == "detector" and (os.path.sep in value or re.search(r"\.(h5|hdf5?|nxs|spline)$", value))) or (
            key == "splinefile" and value not in ("", "None")
        ):
            named = Pointed((value,))
        elif key == "detector":
            detector = value
        elif key == "detector_config":
            named = _named_in_config(value, detector) or named
    return named


def _named_in_json(text: str, path: Path) -> Pointed:
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
                return Pointed((detector,))
    return Pointed()


def _named_in_config(config: object, detector: str) -> Pointed | None:
    """What the configuration of a detector names, a record or its text."""
    with suppress(json.JSONDecodeError, RecursionError):  # what is no record names nothing
        config = json.loads(config) if isinstance(config, str) else config
    if isinstance(config, dict):
        for keys in (("filename",), ("splineFile",), ("splinefile",), ("x_offset_file", "y_offset_file")):
            files = tuple(config.get(key) for key in keys)
            if all(isinstance(one, str) and one for one in files):
                orientation = config.get("orientation")
                told = orientation if isinstance(orientation, int) and orientation else None
                return Pointed(tuple(map(str, files)), told, detector, _sensor(config.get("sensor")))
    return None


def _sensor(told: object) -> Sensor | None:
    """A sensor as pyFAI writes it in the configuration of a detector."""
    if not isinstance(told, dict) or not isinstance(told.get("material"), str):
        return None
    thickness = told.get("thickness")
    return Sensor(told["material"], float(thickness) if isinstance(thickness, int | float) and thickness else None)
