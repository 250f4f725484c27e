"""PONI files and JSON snippets that point to a detector file by its absolute path.

pyFAI opens the path that they name as it is written, so that a relative one works only from one folder.
"""

from __future__ import annotations

import json
import os
import re
from os import PathLike
from pathlib import Path

from ...base.atomic import read_text, replacing
from ...base.errors import FileFormatError, UsageError

__all__ = ["GEOMETRY", "detector_of", "format_json", "format_poni", "save_pointer", "told_orientation"]

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
    named, _ = _named(path)
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


def told_orientation(path: str | PathLike[str]) -> int | None:
    """pyFAI's orientation that a PONI file or a JSON configuration asks for; None where it leaves it to the detector.

    As in pyFAI, one beside the path of the detector does not count, only one beside its ``filename``.
    """
    return _named(Path(path))[1]


def _named(path: Path) -> tuple[str | None, int | None]:
    """What a pointer names, and the orientation that it asks for."""
    text = read_text(path, MAX_BYTES)
    return _named_in_json(text, path) if text.lstrip().startswith("{") else _named_in_poni(text)


def _named_in_poni(text: str) -> tuple[str | None, int | None]:
    """What the last detector of a PONI file names: later entries replace earlier ones, as in pyFAI."""
    named: tuple[str | None, int | None] = None, None
    for line in text.splitlines():
        match = re.match(r"\s*(\w+)\s*:\s*(.*?)\s*$", line)
        if not match or line.lstrip().startswith("#"):
            continue
        key, value = match[1].lower(), match[2]
        if (key == "detector" and (os.path.sep in value or re.search(r"\.(h5|hdf5?|nxs|spline)$", value))) or (
            key == "splinefile" and value not in ("", "None")
        ):
            named = value, None
        elif key == "detector_config":
            try:
                named = _named_in_config(json.loads(value)) or named
            except (json.JSONDecodeError, RecursionError):
                continue
    return named


def _named_in_json(text: str, path: Path) -> tuple[str | None, int | None]:
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise FileFormatError(f"{path} is no readable JSON: {error}") from error
    parts = [content, content.get("poni")] if isinstance(content, dict) else []
    for part in parts:
        if isinstance(part, dict):
            named = _named_in_config(part.get("detector_config"))
            if named:
                return named
            detector = part.get("detector")
            if isinstance(detector, str) and os.path.sep in detector:
                return detector, None
    return None, None


def _named_in_config(config: object) -> tuple[str, int | None] | None:
    if isinstance(config, dict):
        for key in ("filename", "splineFile", "splinefile"):
            if isinstance(config.get(key), str) and config[key]:
                orientation = config.get("orientation")
                return str(config[key]), orientation if isinstance(orientation, int) and orientation else None
    return None
