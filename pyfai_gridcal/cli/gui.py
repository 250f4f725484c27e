"""``pyFAI-gridcal gui``: calibrate in a window."""

from __future__ import annotations

import argparse

from ..records.settings import Settings
from ._options import add_fields, given_settings

DESCRIPTION = "Find the distortion of a detector from the image of a grid of holes, in a window."


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "image", nargs="*", metavar="IMAGE", help="grid image(s), several are exposures of one plate; or a result file"
    )
    add_fields(parser, Settings, "pitch", only_given=True)
    group = parser.add_argument_group("images")
    for role, text in (("dark", "image without light"), ("flat", "image of uniform light"), ("mask", "not 0: ignored")):
        group.add_argument(f"-{role[0]}", f"--{role}", metavar="FILE", help=text)
    add_fields(parser, Settings, leave=("pitch",), only_given=True)
    parser.add_argument("--opengl", "--gl", action="store_true", help="draw with OpenGL (else matplotlib)")


def run(options: argparse.Namespace) -> int:
    from ..gui.window import main

    files = {role: getattr(options, role) for role in ("dark", "flat", "mask")}
    backend = "opengl" if options.opengl else "matplotlib"
    return main(options.image, backend=backend, given=given_settings(options), files=files)
