"""The certificate of a plate: measured places of its holes, as a table of text.

::

    # pitch 2 mm × 2 mm, 90 degrees
    i,j,y_mm,x_mm,sigma_um
    0,0,0.0012,-0.0003,0.05
    0,1,0.0010,2.0004,0.05

i and j count the holes from anywhere, y grows with i and x with j; the axes may be shifted and turned against the
plate, as on a measuring machine. sigma may be missing, or be two columns, sigma_y and sigma_x.
"""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path

import numpy as np

from ...base.arrays import Floats, Ints
from ...base.atomic import read_text
from ...base.errors import FileFormatError
from ...base.geometry import turn_matrix
from ...base.robust import rms
from ...base.units import UNITS, format_length
from ...records.plate import Plate, with_errors

__all__ = ["certificate_text", "read_certificate"]

#: Bytes of a table at most: a million holes have some fifty million.
_LARGEST = 1 << 27
_COLUMN = re.compile(r"(sigma(?:_[yx])?|[ijyx])[\s_\[(]*(\w*)[\])]*", re.IGNORECASE)
#: Fewest holes that tell where a plate lies, and the part of the pitch from which on they lie on no such lattice.
_FEWEST, _LOST = 4, 0.2


def read_certificate(path: str | PathLike[str], plate: Plate) -> Plate:
    """The plate with the errors of its holes that a table tells.

    Shift and turn of the table are no errors: the ideal lattice is laid on its places. A pitch that is longer on the
    whole is one.

    Parameters
    ----------
    path : table with a line of names: i, j, y, x and perhaps sigma, lengths with their unit, such as ``y_mm``
    plate : ideal plate, on whose lattice the holes are

    Raises
    ------
    FileFormatError
        No such table, or of another lattice.
    """
    lines = [line for line in read_text(path, _LARGEST).splitlines() if line.strip() and not line.startswith("#")]
    cut = next((mark for mark in (",", ";", "\t") if lines and mark in lines[0]), None)
    scale = {}
    for name in lines[0].split(cut) if lines else ():
        found = _COLUMN.fullmatch(name.strip().strip('"\ufeff'))
        if found is None:
            raise FileFormatError(f"{path}: column {name.strip()!r}", expected="i, j, y_mm, x_mm, sigma_um")
        column, unit = found[1].lower(), found[2]
        if unit not in UNITS and column not in "ij":
            raise FileFormatError(f"{path}: column {name.strip()!r}: in what?", expected="a unit, such as y_mm")
        scale[column] = UNITS.get(unit, 1.0)
    if not {"i", "j", "y", "x"} <= set(scale):
        raise FileFormatError(f"{path}: columns {', '.join(scale) or 'missing'}", expected="i, j, y_mm, x_mm, sigma_um")
    try:
        table = np.array([[float(cell) for cell in line.split(cut)] for line in lines[1:]]).reshape(-1, len(scale))
    except ValueError as wrong:
        raise FileFormatError(f"{path}: {wrong}", expected=f"{len(scale)} numbers in each line") from None
    values = {name: table[:, k] * factor for k, (name, factor) in enumerate(scale.items())}
    if len(table) < _FEWEST or not np.isfinite(table).all():
        raise FileFormatError(f"{path}: {len(table)} holes", expected=f"numbers of at least {_FEWEST} holes")
    ij = np.rint(np.stack([values["i"], values["j"]], axis=1)).astype(np.int64)
    if np.abs(ij - np.stack([values["i"], values["j"]], axis=1)).max() > 0:
        raise FileFormatError(f"{path}: i and j that are not whole", expected="the number of each hole along both axes")
    if len(np.unique(ij, axis=0)) < len(ij):
        raise FileFormatError(f"{path}: two lines of one hole", expected="one line for each hole")
    error = _errors(path, ij, np.stack([values["y"], values["x"]], axis=1), plate)
    both = [values.get(f"sigma_{axis}", values.get("sigma", np.zeros(len(ij)))) for axis in "yx"]
    return with_errors(plate, ij, error, np.stack(both, axis=1))


def _errors(path: str | PathLike[str], ij: Ints, places: Floats, plate: Plate) -> Floats:
    """(H, 2) places minus ideal ones after the best shift and turn, plate frame, metres."""
    ideal = ij @ plate.basis
    p, q = ideal - ideal.mean(axis=0), places - places.mean(axis=0)
    cross = q.T @ p
    angle = np.arctan2(cross[0, 1] - cross[1, 0], cross[0, 0] + cross[1, 1])
    error: Floats = q @ turn_matrix(angle) - p
    if rms(error) > _LOST * min(plate.pitch_m):
        hint = "lengths in the right unit?"
        if np.linalg.det(cross) < 0:
            hint = "the table is mirrored: y must grow with i, and x with j"
        raise FileFormatError(
            f"{path}: its holes are off a lattice of {format_length(plate.pitch_m)} by {format_length(rms(error))}",
            expected="the pitch of this plate",
            hint=hint,
        )
    return error


def certificate_text(plate: Plate) -> str:
    """The table of a plate with errors of its holes; an empty one of an ideal plate."""
    lines = [f"# pitch {format_length(plate.pitch_m, digits=9)}, {plate.angle_deg:g} degrees", "i,j,y_mm,x_mm,sigma_um"]
    if plate.error_ij is not None and plate.error_yx is not None:
        sigma = plate.error_sigma_yx if plate.error_sigma_yx is not None else np.zeros_like(plate.error_yx)
        rows = zip(
            plate.error_ij, 1e3 * plate.positions(plate.error_ij), 1e6 * np.sqrt((sigma**2).mean(1)), strict=True
        )
        lines += [f"{i},{j},{y:.7f},{x:.7f},{s:.4f}" for (i, j), (y, x), s in rows]
    return "\n".join(lines) + "\n"


def is_certificate(path: str | PathLike[str]) -> bool:
    """Whether the name of a file says that it is such a table."""
    return Path(path).suffix.lower() in (".csv", ".tsv", ".txt")
