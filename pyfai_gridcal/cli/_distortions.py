"""Options that tell what a distortion file does not tell about itself, shared by the commands that read such files."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from ..io.kinds.kinds import KINDS
from ..records.jobs import Convert, Reading
from ._options import add_fields

#: Fields of a conversion that are a :class:`~pyfai_gridcal.records.jobs.Reading`.
READING = ("from_kind", "shape", "pixel", "binning", "orientation", "roi", "sensor")


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add the options that fill a :class:`~pyfai_gridcal.records.jobs.Reading`."""
    add_fields(parser, Convert, *READING, choices={"from_kind": tuple(KINDS)})


def reading_of(options: argparse.Namespace) -> Reading:
    """What was told on the command line."""
    told = (getattr(options, name) for name in READING)
    return Reading(*told)


def split_pair(text: str) -> str | Sequence[str]:
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
