"""Lengths with a unit, from people and for people: ``"5mm"`` <-> 0.005 (metres).

A text without a unit is refused, because a pitch in millimetres taken for metres is a calibration that looks right.
Numbers are metres: :func:`as_length`, :func:`as_lengths` and :func:`as_positions` take both, at the doors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import SupportsFloat

from .errors import UsageError

__all__ = [
    "UNITS",
    "Length",
    "Lengths",
    "as_length",
    "as_lengths",
    "as_positions",
    "as_region",
    "format_length",
    "parse_length",
    "parse_lengths",
    "parse_positions",
    "parse_positive",
    "parse_shape",
]

#: One length: metres, or a text with its unit.
Length = float | str
#: One length for both axes or one for each, in one text too: ``"3mm,2mm"``.
Lengths = Length | tuple[Length, Length]

#: Rows y0 to y1 - 1 and columns x0 to x1 - 1 of an image: (y0, y1, x0, x1).
Region = tuple[int, int, int, int]

#: Metres per unit. Both micro signs (U+00B5 and U+03BC) are accepted.
UNITS = {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "nm": 1e-9, **dict.fromkeys(("um", "µm", "μm", "micron", "microns"), 1e-6)}

_LENGTH = re.compile(
    r"\s*(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?(?:nan|inf(?:inity)?))\s*(?P<unit>[^\W\d_]*)\s*",
    re.IGNORECASE,
)
#: Powers of ten for people: the unit whose number lies between 1 and 1000.
_SHOWN = (("m", 0), ("mm", -3), ("µm", -6), ("nm", -9))


def parse_length(text: str, *, name: str = "length") -> float:
    """Return the metres of a positive length with a unit.

    Parameters
    ----------
    text : a number and a unit, such as ``5mm``, ``500 um``, ``0.005m``, ``2.5µm``
    name : what it is, for the error message

    Raises
    ------
    UsageError
        There is no unit, an unknown one, no number, or one that is not positive and finite.
    """
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise UsageError(f"{name} {text!r}", expected="a number with a unit", hint="such as 5mm or 500um")
    number, unit = match["number"], match["unit"]
    if not unit:
        hint = f"write {number}um" if "pixel" in name else f"write {number}mm, or {number}um"
        raise UsageError(f"{name} {text!r}: {number} what?", expected="a unit", hint=hint)
    factor = UNITS.get(unit)
    if factor is None:
        raise UsageError(f"{name} {text!r}: unknown unit {unit!r}", expected="m, cm, mm, um or nm")
    # Division by a power of ten is exact where the product would not be: 5 / 1e3 is 0.005 as it is written.
    metres = float(number) / round(1 / factor)
    if not (math.isfinite(metres) and metres > 0):
        raise UsageError(f"{name} {text!r}", expected="a positive length")
    return metres


def parse_lengths(text: str, *, name: str = "length") -> tuple[float, float]:
    """Return (along slow, along fast) in metres: ``"5mm"`` means the same twice, ``"3mm,2mm"`` a rectangle.

    Both carry their unit, so that a decimal comma cannot be taken for two values.

    Raises
    ------
    UsageError
        As :func:`parse_length`, or more than two values.
    """
    parts = re.split(r"[,;x×]", text)
    if len(parts) not in (1, 2) or not all(part.strip() for part in parts):
        raise UsageError(f"{name} {text!r}", expected="one or two lengths", hint="such as 5mm or 3mm,2mm")
    if len(parts) == 2 and (first := _LENGTH.fullmatch(parts[0])) and not first["unit"]:
        raise UsageError(
            f"{name} {text!r}: {first['number']} what?",
            expected="a unit at each of two lengths",
            hint="write 3mm,2mm for a rectangle, and decimals with a point: 2.5mm",
        )
    lengths = [parse_length(part, name=name) for part in parts]
    return lengths[0], lengths[-1]


def as_length(value: object, *, name: str = "length") -> float:
    """Return the metres of a positive length that is a number of metres, or a text with its unit.

    Raises
    ------
    UsageError
        Anything else.
    """
    if isinstance(value, str):
        return parse_length(value, name=name)
    try:
        # bytes have a number too, and so has the truth
        metres = math.nan if isinstance(value, bytes | bytearray | bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        metres = math.nan
    if not (math.isfinite(metres) and metres > 0):
        raise UsageError(
            f"{name}={value!r}", expected="a positive length: metres, or a text with its unit", hint='such as "5mm"'
        )
    return metres


def as_lengths(value: object, *, name: str = "length") -> float | tuple[float, float]:
    """Return metres of one length, or of two: of numbers, of texts with their unit, or of one text for both.

    One stays one: a plate of one pitch is not the same as one that is said to have two.

    Raises
    ------
    UsageError
        Not one or two positive lengths.
    """
    if isinstance(value, str):
        both = parse_lengths(value, name=name)
        return both if re.search(r"[,;x×]", value) else both[0]
    parts = _parts(value)
    if parts is None:
        return as_length(value, name=name)
    if len(parts) not in (1, 2):
        raise UsageError(
            f"{name}={value!r}", expected="one or two positive lengths in metres", hint='such as "3mm,2mm"'
        )
    metres = [as_length(part, name=name) for part in parts]
    return metres[0] if len(metres) == 1 else (metres[0], metres[1])


def as_positions(value: object, *, name: str = "positions") -> tuple[tuple[float, float], ...]:
    """Return pairs (along slow, along fast) in metres: of pairs of numbers or texts, or as :func:`parse_positions`.

    Raises
    ------
    UsageError
        No such pairs.
    """
    if isinstance(value, str):
        return parse_positions(value, name=name)
    out = []
    for one in _parts(value) or ():
        pair = one.split(",") if isinstance(one, str) else _parts(one)
        if pair is None or len(pair) != 2:
            raise UsageError(f"{name}: {one!r}", expected="two lengths, along slow and along fast", hint='"2mm,-1mm"')
        try:
            slow, fast = (_signed(part, name) if isinstance(part, str) else float(part) for part in pair)
        except (TypeError, ValueError, OverflowError) as error:
            raise (
                error if isinstance(error, UsageError) else UsageError(f"{name}: {one!r}", expected="lengths")
            ) from None
        if not (math.isfinite(slow) and math.isfinite(fast)):
            raise UsageError(f"{name}: {one!r}", expected="lengths")
        out.append((slow, fast))
    if not out:
        raise UsageError(f"{name}={value!r}", expected='pairs of lengths, such as "0mm,0mm; 2mm,-1mm"')
    return tuple(out)


def _parts(value: object) -> list[SupportsFloat | str] | None:
    """The members of a tuple, a list or an array; None for one value, and for what has no order."""
    if isinstance(value, bytes | bytearray | Mapping | Set):
        return None
    try:
        return list(value)  # type: ignore[call-overload]
    except TypeError:
        return None


def parse_positions(text: str, *, name: str = "positions") -> tuple[tuple[float, float], ...]:
    """Return pairs (along slow, along fast) in metres of ``"0mm,0mm; 2.5mm,-1mm"``, or of a file with one pair a line.

    In a file, what follows a # is a remark.

    Raises
    ------
    UsageError
        No pairs of lengths with their units, or a file that cannot be read.
    """
    path = Path(text)
    lines = re.split(r";", text)
    if not re.search(r"\d\s*[a-zµμ]+\s*,", text):
        try:
            lines = [line.partition("#")[0] for line in path.read_text(encoding="utf-8-sig").splitlines()]
        except (OSError, ValueError) as error:  # no such file, no text, no name of a file
            raise UsageError(
                f"{name} {text!r}: {error}", expected="a file, or pairs such as 0mm,0mm;2mm,-1mm"
            ) from None
    out = []
    for line in filter(str.strip, lines):
        pair = [_signed(part, name) for part in re.split(r"[,\t]|(?<=[a-zµμ])\s+(?=[-+.\d])", line.strip())]
        if len(pair) != 2:
            raise UsageError(
                f"{name} {line.strip()!r}", expected="two lengths, along slow and along fast", hint="2mm,-1mm"
            )
        out.append((pair[0], pair[1]))
    return tuple(out)


def _signed(text: str, name: str) -> float:
    """Metres of a length that may be negative or zero."""
    text = text.strip()
    sign, size = (-1.0, text[1:]) if text.startswith("-") else (1.0, text.removeprefix("+"))
    match = _LENGTH.fullmatch(size)
    if match and match["unit"] in UNITS and float(match["number"]) == 0:
        return 0.0
    return sign * parse_length(size, name=name)


def parse_shape(text: str, *, name: str = "shape") -> tuple[int, int]:
    """Return (slow, fast) pixels of ``"2048"`` (square), ``"2160,2560"`` or ``"2160x2560"``.

    Raises
    ------
    UsageError
        Not one or two positive whole numbers.
    """
    parts = [part.strip() for part in re.split(r"[,;x×]", text)]
    if len(parts) not in (1, 2) or not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise UsageError(f"{name} {text!r}", expected="one or two whole numbers of pixels", hint="such as 2160,2560")
    numbers = [int(part) for part in parts]
    return numbers[0], numbers[-1]


def as_region(value: object, *, name: str = "roi") -> Region:
    """Return (y0, y1, x0, x1), rows y0 to y1 - 1 and columns x0 to x1 - 1, of four numbers or of ``"100:400,150:550"``.

    Raises
    ------
    UsageError
        Not two ranges of pixels.
    """
    parts = re.split("[:,]", value) if isinstance(value, str) else _parts(value)
    try:
        y0, y1, x0, x1 = (int(one) for one in parts or ())  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        y0 = y1 = x0 = x1 = 0
    if not (0 <= y0 < y1 and 0 <= x0 < x1):
        raise UsageError(f"{name} {value!r}", expected="rows and columns Y0:Y1,X0:X1", hint="such as 100:400,150:550")
    return y0, y1, x0, x1


def parse_positive(text: str, *, name: str = "number") -> float:
    """Return a positive number without a unit.

    Raises
    ------
    UsageError
        It is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise UsageError(f"{name} {text!r}", expected="a positive number")
    return value


def format_length(
    metres: float | Sequence[float], sigma: float | Sequence[float] | None = None, *, digits: int = 4
) -> str:
    """Return a length for people: ``5 mm``, ``47.2 µm``, ``47.2000 ± 0.0013 µm``; equal pairs are written once.

    Parameters
    ----------
    metres : one length, or (along slow, along fast)
    sigma : its standard uncertainty in metres, in the same form; 0 and NaN count as none
    digits : significant digits where there is no uncertainty; with one, its size decides
    """
    if not isinstance(metres, int | float):
        values = [float(v) for v in metres]
        sigmas = [None] * len(values) if sigma is None else [float(s) for s in _as_pair(sigma, len(values))]
        texts = [format_length(v, s, digits=digits) for v, s in zip(values, sigmas, strict=True)]
        return texts[0] if len(set(texts)) == 1 else " × ".join(texts)
    value, spread = float(metres), None if sigma is None else float(_as_pair(sigma, 1)[0])
    if not math.isfinite(value):
        return f"{value} m"
    unit, power = _unit_for(value)
    scaled = value * 10.0**-power
    if spread is None or not (math.isfinite(spread) and spread > 0):
        return f"{float(f'{scaled:.{digits}g}'):.15g} {unit}"
    shown = spread * 10.0**-power
    decimals = min(max(0, 1 - math.floor(math.log10(shown))), 12)
    return f"{scaled:.{decimals}f} ± {shown:.{decimals}f} {unit}"


def _as_pair(value: float | Sequence[float], count: int) -> Sequence[float]:
    return [value] * count if isinstance(value, int | float) else value


def _unit_for(metres: float) -> tuple[str, int]:
    if metres == 0:
        return "mm", -3
    for unit, power in _SHOWN:
        if abs(metres) * 10.0**-power >= 0.9999995:
            return unit, power
    return _SHOWN[-1]
