"""Which part of a detector an image shows, and how many pixels were read out as one: what headers and shapes tell."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...base.units import Region

Shape = tuple[int, ...]


def region_told(header: Mapping[str, str], shape: Shape) -> Region | None:
    """The part of the detector that an image of this shape shows, by its header; None where it tells none that fits.

    Notes
    -----
    Known are ``image_roi = <x,y>-<width x height>`` of Lima, the first and last rows and columns of Frelon cameras
    (``row_beg``, ``row_end``, ``col_beg``, ``col_end``), and ``Offset_1`` (fast), ``Offset_2`` (slow) of the SAXS
    programs.
    """
    told = {key.lower(): value for key, value in header.items()}
    lima = re.fullmatch(r"\s*<(\d+),\s*(\d+)>-<(\d+)\s*x\s*(\d+)>\s*", told.get("image_roi", ""))
    frelon = _whole(told, "row_beg", "row_end", "col_beg", "col_end")
    saxs = _whole(told, "offset_2", "offset_1")
    found: Region
    if lima:
        x, y, width, height = map(int, lima.groups())
        found = y, y + height, x, x + width
    elif frelon:
        found = frelon[0], frelon[1] + 1, frelon[2], frelon[3] + 1
    elif saxs:
        found = saxs[0], saxs[0] + shape[0], saxs[1], saxs[1] + shape[1]
    else:
        return None
    return found if (found[1] - found[0], found[3] - found[2]) == tuple(shape) else None


def binning_told(header: Mapping[str, str]) -> tuple[int, int] | None:
    """Pixels (slow, fast) read out as one, by the header: ``image_bin`` of Lima, ``row_bin`` and ``col_bin`` of Frelon
    cameras, ``BSize_2`` and ``BSize_1`` of the SAXS programs; None where it tells none.
    """
    told = {key.lower(): value for key, value in header.items()}
    lima = re.fullmatch(r"\s*<(\d+)\s*x\s*(\d+)>\s*", told.get("image_bin", ""))
    found = (int(lima[2]), int(lima[1])) if lima else _whole(told, "row_bin", "col_bin")
    found = found or _whole(told, "bsize_2", "bsize_1")
    return (found[0], found[1]) if found and min(found) > 0 else None


def _whole(told: Mapping[str, str], *keys: str) -> tuple[int, ...]:
    """Entries that are whole numbers, none negative; () when one of them is not."""
    texts = [re.fullmatch(r"\s*(\d+)(?:\.0*)?\s*", told.get(key, "")) for key in keys]
    return tuple(int(text[1]) for text in texts if text) if all(texts) else ()


def binning_of(shape: Shape, detector: Shape) -> tuple[int, int] | None:
    """Pixels (slow, fast) of the detector in one of the image, as pyFAI guesses it; None when they do not divide."""
    if len(shape) != 2 or len(detector) != 2 or 0 in shape or any(n % m for n, m in zip(detector, shape, strict=True)):
        return None
    return detector[0] // shape[0], detector[1] // shape[1]


def why_not(shape: Shape, detector: Shape) -> str | None:
    """What may be done about an image of another shape than the detector, in words."""
    if len(shape) != 2:
        return None
    if factor := binning_of(shape, detector):
        return f"is it binned? --binning {factor[0]},{factor[1]}"
    if tuple(shape) == tuple(detector)[::-1]:
        return "the axes are exchanged: was the image turned by a quarter?"
    if all(n <= m for n, m in zip(shape, detector, strict=True)):
        return "is it a part of the detector? --roi Y0:Y1,X0:X1"
    return "is the detector file of binned pixels, of a part (a spline: --shape), or of another detector?"
