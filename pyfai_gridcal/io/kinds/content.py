"""Which kind a file is, told from its content; names decide only between dialects of maps."""

from __future__ import annotations

import json
import zipfile
from codecs import BOM_UTF8
from contextlib import suppress
from pathlib import Path

from ...base.errors import FileFormatError
from ...base.opening import HDF5_MAGIC, reading_hdf5
from ...records.jobs import Reading
from . import pairs
from .fit2d import INVERSE_TITLE, TITLE
from .neighbours import FLEX, MIDAS_SUFFIXES, NABU

#: What files of numbers begin with -> the name of their kind.
_MAGIC = {HDF5_MAGIC: "nexus", b"\x93NUMPY": "npy", b"###CBF": "xds", b"II*\0": "tiff", b"MM\0*": "tiff"}


def kind_of_content(path: Path, reading: Reading) -> str | None:
    """Name of the kind of a file that exists, None for none of them."""
    with path.open("rb") as stream:
        start = stream.read(4096)
    if start.startswith(HDF5_MAGIC) and _holds_nabu(path):
        return "nabu"
    for magic, name in _MAGIC.items():
        if start.startswith(magic):
            return name
    if zipfile.is_zipfile(path):
        return "npz"
    if FLEX.encode() in start:
        return "dials"
    if path.name.lower().endswith(MIDAS_SUFFIXES):
        return "midas"
    return _kind_of_text(start.removeprefix(BOM_UTF8).decode("latin-1"), path, reading)


def _holds_nabu(path: Path) -> bool:
    with suppress(FileFormatError), reading_hdf5(path) as file:
        return all(name in file for name in NABU)
    return False


def _kind_of_text(text: str, path: Path, reading: Reading) -> str | None:
    head = text.lstrip()
    upper = head.upper()
    if upper.startswith(INVERSE_TITLE[:40]):
        return "spline-inverse"
    if upper.startswith(TITLE):
        return "spline"
    if head.startswith("# pyFAI-gridcal module table"):
        return "modules"
    if head.startswith("{") and ("Dim_1" in text or "HeaderID" in text or "EDF_" in text):
        return pairs.edf_dialect(path, reading.shape)
    if head.startswith("{"):
        try:
            json.loads(path.read_text(encoding="utf-8-sig", errors="replace")) if path.stat().st_size < 2**20 else None
        except (json.JSONDecodeError, RecursionError):
            pass
        else:
            return "json"
    if any(word in text for word in ("poni_version", "Detector:", "Distance:", "PixelSize1:")):
        return "poni"
    return None
