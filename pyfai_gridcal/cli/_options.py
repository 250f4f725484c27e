"""Options that are the fields of the core's ``Settings``, shared by the commands that calibrate."""

from __future__ import annotations

import argparse
from typing import Any

from ._parser import length, lengths, pair, positions, positive

__all__ = ["add_image_options", "add_settings", "given_settings"]

LATTICES = ("auto", "square", "rectangular", "oblique", "hexagonal")
POLARITIES = ("auto", "bright", "dark")


def gauge(text: str) -> str | tuple[float, float]:
    """Type of an argument: what fixes the corrected frame."""
    known = {"least": "least displacement", "least displacement": "least displacement", "centre": "centre"}
    name = " ".join(text.lower().split())
    return known[name] if name in known else pair("gauge")(text)


#: Name of the setting -> options of argparse. What is not given on the command line is left to the core.
SETTINGS: dict[str, dict[str, Any]] = {
    "pixel": {
        "type": lengths("pixel size"),
        "metavar": "LENGTH",
        "help": "nominal pixel size, such as 50um or 50um,48um (slow, fast); by default the one that makes the "
        "displacement smallest, with its uncertainty",
    },
    "detector": {
        "metavar": "NAME",
        "help": "pyFAI's name of the detector, such as Pilatus1M: pixel size, gaps and modules come from it",
    },
    "plate": {"metavar": "FILE", "help": "result in which the errors of the same plate's holes were determined"},
    "lattice": {"choices": LATTICES, "help": "kind of grid (default: what the image tells)"},
    "angle": {
        "type": positive("angle"),
        "metavar": "DEGREES",
        "help": "angle between the axes of an oblique grid",
    },
    "polarity": {"choices": POLARITIES, "help": "whether holes are brighter or darker than the plate"},
    "hole": {"type": length("hole"), "metavar": "LENGTH", "help": "diameter of the holes, with its unit"},
    "origin": {
        "type": pair("origin"),
        "metavar": "Y,X",
        "help": "the hole nearest to this pixel (slow, fast) gets the index (0, 0)",
    },
    "model": {
        "metavar": "NAME",
        "help": "auto, spline, polynomial, thinplate, griddata (reference only), mosaic, tiles, rigid (default: auto, "
        "the one that predicts best what it has not seen)",
    },
    "gauge": {
        "type": gauge,
        "metavar": "WHAT",
        "help": "what fixes the place of the corrected frame: least (displacement, default), centre, or the pixel Y,X "
        "that stays where it is",
    },
    "max_sigma": {
        "type": positive("max-sigma"),
        "metavar": "PX",
        "help": "mask pixels whose position is known less well than this",
    },
    "positions": {
        "type": positions("positions"),
        "metavar": "FILE|Y,X;Y,X...",
        "help": "where motors had the plate in each of several exposures (slow, fast), with units: 0mm,0mm;2mm,-1mm or "
        "a file with one pair a line. A weak hint: the holes decide",
    },
}


def add_image_options(parser: argparse.ArgumentParser) -> None:
    """Add what is done to images before anything is looked for."""
    group = parser.add_argument_group("images")
    group.add_argument(
        "--mask", action="append", metavar="FILE|DETECTOR", help="pixels to ignore: not 0 in a file, or by pyFAI name"
    )
    group.add_argument("--dark", action="append", metavar="FILE", help="image without light, subtracted")
    group.add_argument("--flat", action="append", metavar="FILE", help="image of uniform light, divided by")
    group.add_argument(
        "--combine", choices=("median", "mean"), help="all IMAGEs are frames of one exposure, reduced to one"
    )


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add one option for each setting; those that are not given do not appear in the namespace."""
    group = parser.add_argument_group("refinements (nothing of this is needed)")
    for name, details in SETTINGS.items():
        group.add_argument(f"--{name.replace('_', '-')}", dest=name, default=argparse.SUPPRESS, **details)


def given_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Settings that were given on the command line."""
    return {name: getattr(options, name) for name in SETTINGS if hasattr(options, name)}
