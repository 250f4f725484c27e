"""PONI files and JSON snippets that point to a detector file by its absolute path.

pyFAI opens the path that they name as it is written, so that a relative one works only from one folder.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from os import PathLike
from pathlib import Path

from ...base.atomic import existing, read_text, replacing
from ...base.errors import FileFormatError, UsageError

__all__ = ["GEOMETRY", "detector_of", "format_json", "format_poni", "offset_files_of", "save_pointer"]

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
    text = read_text(path, MAX_BYTES)
    named = _named_in_json(text, path) if text.lstrip().startswith("{") else _named_in_poni(text)
    if not named:
        raise FileFormatError(
            f"{path} names no detector file", expected="a NexusDetector with its filename, or a spline"
        )
    found = Path(named)
    if not found.is_absolute():
        found = path.parent / found
    # Path.is_file() raises for names that no file can have.
    if not os.path.isfile(found):
        raise FileFormatError(
            f"{path} points to {named[:300]}, which does not exist",
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
    text = read_text(path, MAX_BYTES)
    poni = {k.lower(): v for k, v in re.findall(r"(?im)^[ \t]*(detector\w*)[ \t]*:[ \t]*(.*?)[ \t]*$", text)}
    with suppress(json.JSONDecodeError, RecursionError, AttributeError):  # what is no record names nothing
        content = json.loads(text) if text.lstrip().startswith("{") else poni
        for part in filter(None, (content, content.get("poni"))):
            config = part.get("detector_config") or {}
            config = json.loads(config) if isinstance(config, str) else config
            x, y = config.get("x_offset_file"), config.get("y_offset_file")
            if isinstance(x, str) and isinstance(y, str):
                return str(part.get("detector")), (existing(path.parent / x), existing(path.parent / y))
    return None


def _named_in_poni(text: str) -> str | None:
    """What the last detector of a PONI file names: later entries replace earlier ones, as in pyFAI."""
    named = None
    for line in text.splitlines():
        match = re.match(r"\s*(\w+)\s*:\s*(.*?)\s*$", line)
        if not match or line.lstrip().startswith("#"):
            continue
        key, value = match[1].lower(), match[2]
        if (key == "detector" and (os.path.sep in value or re.search(r"\.(h5|hdf5?|nxs|spline)$", value))) or (
            key == "splinefile" and value not in ("", "None")
        ):
            named = value
        elif key == "detector_config":
            try:
                named = _filename_of(json.loads(value)) or named
            except (json.JSONDecodeError, RecursionError):
                continue
    return named


def _named_in_json(text: str, path: Path) -> str | None:
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise FileFormatError(f"{path} is no readable JSON: {error}") from error
    parts = [content, content.get("poni")] if isinstance(content, dict) else []
    for part in parts:
        if isinstance(part, dict):
            named = _filename_of(part.get("detector_config"))
            if named:
                return named
            detector = part.get("detector")
            if isinstance(detector, str) and os.path.sep in detector:
                return detector
    return None


def _filename_of(config: object) -> str | None:
    if isinstance(config, dict):
        for key in ("filename", "splineFile", "splinefile"):
            if isinstance(config.get(key), str) and config[key]:
                return str(config[key])
    return None
