"""How to do a calibration again: the command and the lines of Python that it came from."""

from __future__ import annotations

import json
import platform
import shlex
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import MISSING, fields
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ..base.quantities import QUANTITIES
from ..records.distortion import Distortion
from ..records.options import option_of
from ..records.plate import Plate
from ..records.result import Result
from ..records.settings import Settings

#: Settings that are lengths.
_LENGTHS = ("pitch", "pixel", "hole", "gap")
#: What takes part in a calibration.
_PACKAGES = ("pyfai-gridcal", "pyFAI", "numpy", "scipy", "silx", "fabio", "h5py", "matplotlib")


def changed_settings(settings: Settings) -> dict[str, object]:
    """Settings that differ from the defaults, the pitch always among them."""
    out = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.default is MISSING or (value is not field.default and value != field.default):
            out[field.name] = value
    return out


def _length(metres: float) -> str:
    """Exact enough to come back as the same number."""
    for unit, factor in (("mm", 1e3), ("um", 1e6)):
        text = f"{metres * factor:.12g}"
        if metres * factor >= 1:
            return text + unit
    return f"{metres * 1e9:.12g}nm"


def _option(name: str, value: Any) -> str:
    if name in _LENGTHS:
        values = value if isinstance(value, list | tuple) else (value,)
        return ",".join(_length(float(v)) for v in values)
    if (kind := option_of(Settings, name).kind) in QUANTITIES:
        return QUANTITIES[kind][1](value)
    if isinstance(value, Plate | Distortion):
        return "PLATE.h5" if isinstance(value, Plate) else "PRIOR.h5"
    if name == "positions":
        return ";".join(",".join(f"{1e3 * float(v):.12g}mm" for v in pair) for pair in value)
    if isinstance(value, list | tuple):
        return ",".join(f"{float(v):.12g}" for v in value)
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def settings_toml(settings: Settings) -> str:
    """The settings that differ from the defaults as TOML, for ``calibrate --config``; errors of holes are no text."""
    lines = ["# pyFAI-gridcal calibrate IMAGE --config THIS_FILE"]
    for name, value in changed_settings(settings).items():
        if isinstance(value, Plate | Distortion):
            lines.append(f'# {name} = "RESULT.h5"')
        else:
            numbers = isinstance(value, int | float | tuple) and name not in (*_LENGTHS, "positions", "temperature")
            told = list(value) if isinstance(value, tuple) and numbers else value if numbers else _option(name, value)
            lines.append(f"{name} = {json.dumps(told, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def _inputs(calibration: Result, role: str) -> list[str]:
    return [str(getattr(s, "url", s)) or "IMAGE" for s in calibration.sources if getattr(s, "role", "image") == role]


def command_line(calibration: Result) -> str:
    """The command that does it again, for a shell; in capitals what is not known (arrays have no file name)."""
    images = _inputs(calibration, "image") or ["IMAGE"] * len(calibration.fit.points)
    words = ["pyFAI-gridcal", "calibrate", *dict.fromkeys(images)]
    if len(set(images)) > len(calibration.fit.points):
        words += ["--combine", "median"]
    for role in ("dark", "flat"):
        for url in dict.fromkeys(_inputs(calibration, role)):
            words += [f"--{role}", url]
    masked = any(mask is not None for mask in calibration.masks)
    if masked and not calibration.sources and calibration.settings.detector is None:
        words += ["--mask", "MASK"]
    for name, value in changed_settings(calibration.settings).items():
        option = f"--{name.replace('_', '-')}"
        if name == "rings":
            words += [word for one in calibration.settings.rings or () for word in (option, one)]
            continue
        if value is True:
            words.append(option)
            continue
        text = _option(name, value)
        # what begins with a minus would be taken for another option
        words += [f"{option}={text}"] if text.startswith("-") else [option, text]
    return " ".join(shlex.quote(word) for word in words)


def python_lines(calibration: Result) -> str:
    """The same in Python."""
    images = list(dict.fromkeys(_inputs(calibration, "image")))
    what = repr(images[0]) if len(images) == 1 else repr(images) if images else "image"
    given = {k: v for k, v in changed_settings(calibration.settings).items() if not isinstance(v, Plate | Distortion)}
    options = ", ".join(f"{name}={value!r}" for name, value in given.items())
    return f"from pyfai_gridcal import calibrate\n\nc = calibrate({what}, {options})\nc.save('detector.h5')"


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of those packages that are installed."""
    out = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            out[name] = version(name)
    return out


def computed_by() -> dict[str, str]:
    """What computed this report."""
    return {"Python": platform.python_version(), **versions(_PACKAGES)}
