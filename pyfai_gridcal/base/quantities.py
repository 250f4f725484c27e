"""Quantities that are no lengths, from people and for people: ``"0.2deg"``, ``"20ppm"``, ``"20±2"``, ``"parallel"``.

Numbers are degrees, shares of one, degrees Celsius and metres. A text for an angle needs its unit, as lengths do.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from .errors import UsageError
from .units import as_length, format_length

#: Degrees per unit of an angle, and what a share is written in; powers of ten by dividing, which is exact.
_ANGLES = {"deg": 1.0, "degree": 1.0, "degrees": 1.0, "°": 1.0, "mrad": 180e-3 / math.pi, "rad": 180 / math.pi}
_SHARES = {"": 1, "ppm": 1_000_000, "%": 100, "‰": 1000}
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(\D*?)\s*", re.IGNORECASE)
#: What says that a source is so far away that its distance does not matter.
PARALLEL = "parallel"


def _number(value: object, units: Mapping[str, float], divide: bool = False) -> float:
    """The number in the first of the units; NaN where there is none, or another unit."""
    if isinstance(value, str):
        found = _NUMBER.fullmatch(value)
        if not found or found[2] not in units:
            return math.nan
        return float(found[1]) / units[found[2]] if divide else float(found[1]) * units[found[2]]
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def as_angle(value: object, *, name: str = "tilt") -> float:
    """Degrees of a positive angle below 45°: a number of degrees, or a text such as ``0.2deg`` or ``3mrad``.

    Raises
    ------
    UsageError
        Anything else.
    """
    degrees = _number(value, _ANGLES)
    if not 0 < degrees < 45:
        raise UsageError(f"{name}={value!r}", expected="an angle below 45 degrees with its unit", hint="such as 0.2deg")
    return degrees


def as_share(value: object, *, name: str = "tolerance") -> float:
    """A positive share below a tenth: a number, or a text such as ``20ppm``, ``0.1%`` or ``2e-5``.

    Raises
    ------
    UsageError
        Anything else.
    """
    share = _number(value, _SHARES, divide=True)
    if not 0 < share < 0.1:
        raise UsageError(f"{name}={value!r}", expected="a share below 0.1", hint="such as 20ppm or 2e-5")
    return share


def as_temperature(value: object, *, name: str = "temperature") -> tuple[float, float]:
    """(degrees Celsius, their uncertainty) of a number, a pair, or a text such as ``23``, ``20±2`` or ``20+-2``.

    Raises
    ------
    UsageError
        Anything else.
    """
    parts = re.split(r"±|\+-|\+/-|,", value) if isinstance(value, str) else value
    both = [_number(one, {"": 1.0, "°C": 1.0}) for one in (parts if isinstance(parts, list | tuple) else [parts])]
    if len(both) not in (1, 2) or not all(map(math.isfinite, both)) or both[-1] < 0 < len(both) - 1:
        raise UsageError(f"{name}={value!r}", expected="degrees Celsius", hint="such as 20±2")
    return both[0], both[1] if len(both) > 1 else 0.0


def as_source(value: object, *, name: str = "source") -> float | str:
    """Metres to a source, or "parallel".

    Raises
    ------
    UsageError
        Anything else.
    """
    return PARALLEL if isinstance(value, str) and value.strip().lower() == PARALLEL else as_length(value, name=name)


def temperature_text(value: tuple[float, float]) -> str:
    """``20±2``."""
    return f"{value[0]:.12g}±{value[1]:.12g}" if value[1] else f"{value[0]:.12g}"


def source_text(value: float | str) -> str:
    """``parallel``, or a length that is read as the same number again."""
    return value if isinstance(value, str) else format_length(value, digits=15).replace(" ", "")


#: Kind of an option -> how its value is read, and how it is written so that it is read as the same again.
QUANTITIES: dict[str, tuple[Callable[..., Any], Callable[[Any], str]]] = {
    "angle": (as_angle, lambda value: f"{value!r}deg"),
    "share": (as_share, repr),
    "temperature": (as_temperature, temperature_text),
    "source": (as_source, source_text),
}
