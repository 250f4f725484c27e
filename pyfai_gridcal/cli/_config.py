"""Settings from a file: TOML written by hand, or the settings of an earlier calibration."""

from __future__ import annotations

import argparse
import json
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..base.atomic import read_text
from ..base.errors import FileFormatError, UsageError
from ..records.settings import Settings
from ._parser import like

_LARGEST = 1 << 26  # bytes of a text; a report of a thousand exposures has some ten million

#: What such a file may say: every setting, and how images are corrected.
KEYS = (*(f.name for f in fields(Settings)), "mask", "dark", "flat", "combine", "name")


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the option that names such a file."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        help='settings: a TOML file (pitch = "5mm"), or those of a result (.h5) or of its --json; options that are '
        "given count more. `pyFAI-gridcal report RESULT.h5 -o settings.toml` writes one",
    )


def with_config(options: argparse.Namespace) -> argparse.Namespace:
    """The options, with those of the file where they are not given."""
    if options.config:
        for name, value in read_config(options.config).items():
            if not hasattr(options, name):
                setattr(options, name, value)
    return options


def read_config(path: str) -> dict[str, Any]:
    """Settings that a file tells, as they are written there.

    Raises
    ------
    FileFormatError
        There is no such file, or it is of another kind.
    UsageError
        It names a setting that there is not.
    """
    kind = Path(path).suffix.lower()
    if kind not in (".toml", ".json"):
        from ..io.nexus.result import load_result
        from ..report.redo import changed_settings

        settings = getattr(load_result(path), "settings", None)
        if settings is None:
            raise FileFormatError(f"{path} holds no settings", expected="a .toml or .json file, or a result")
        return changed_settings(settings)
    text = read_text(path, _LARGEST)
    try:
        told = tomllib.loads(text) if kind == ".toml" else json.loads(text)["settings"]
        told = {name.replace("-", "_"): value for name, value in told.items() if value is not None}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        expected = 'lines such as pitch = "5mm"' if kind == ".toml" else "what calibrate --json writes"
        raise FileFormatError(f"{path}: {error}", expected=expected) from None
    for name in told:
        if name not in KEYS:
            raise UsageError(f"{path}: unknown setting {name}", expected=", ".join(KEYS), hint=like(name, KEYS) or None)
    return told
