"""``pyFAI-gridcal view``: look at a result."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..base.errors import FileFormatError

DESCRIPTION = (
    "Show a result: maps and vectors over the image, control points, the image before and after, the "
    "report, and all that is in the file. Any other file of a distortion (spline, maps, detector) can be shown "
    "too, as far as it goes."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("result", metavar="RESULT", help="file written by pyFAI-gridcal, or another distortion")
    parser.add_argument("--opengl", "--gl", action="store_true", help="draw with OpenGL (else matplotlib)")


def run(options: argparse.Namespace) -> int:
    if not Path(options.result).exists():
        raise FileFormatError(f"no such file: {options.result}")
    from ..gui.view import main

    return main(options.result, backend="opengl" if options.opengl else "matplotlib")
