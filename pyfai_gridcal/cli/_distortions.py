"""Options that tell what a distortion file does not tell about itself, shared by the commands that read such files."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ..io.kinds.kinds import KINDS
from ..io.kinds.options import Reading
from ._parser import lengths, shape

__all__ = ["add_reading", "given_reading", "kinds_text", "split_pair"]


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add the options that fill a :class:`~pyfai_gridcal.io.kinds.options.Reading`."""
    group = parser.add_argument_group("what the input does not tell")
    group.add_argument("--from", dest="kind", metavar="KIND", choices=list(KINDS), help="kind of the input")
    group.add_argument("--shape", type=shape("shape"), metavar="SLOW,FAST", help="pixels of the detector")
    group.add_argument(
        "--pixel", type=lengths("pixel size"), metavar="LENGTH", help="pixel size, 50um or 50um,48um (slow, fast)"
    )
    group.add_argument(
        "--binning", type=shape("binning"), metavar="N", help="pixels read out as one in the images to come: 2 or 2,1"
    )
    group.add_argument(
        "--orientation",
        type=int,
        choices=(1, 2, 3, 4),
        default=3,
        help="pyFAI orientation of the images that the file was made for (the result is for orientation 3)",
    )


def given_reading(options: argparse.Namespace) -> Reading:
    """What was told on the command line."""
    return Reading(options.kind, options.shape, options.pixel, options.binning or (1, 1), options.orientation)


def split_pair(text: str) -> str | list[str]:
    """``X.edf,Y.edf`` -> both; a single name (which may hold a comma) stays what it is."""
    if "," in text and not os.path.exists(text):
        parts = text.split(",")
        if len(parts) == 2 and all(Path(p).exists() for p in parts):
            return parts
    return text


def kinds_text() -> str:
    """The kinds and what their files hold, for the help."""
    width = max(map(len, KINDS))
    return "\n".join(f"  {k.name:<{width}}  {k.suffixes[0]:<16} {k.title}" for k in KINDS.values())
