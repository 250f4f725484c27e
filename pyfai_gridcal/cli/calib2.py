"""``pyFAI-gridcal calib2``: pyFAI-calib2 with one more task, Distortion."""

from __future__ import annotations

import argparse

from ..records.settings import Settings
from ._options import add_fields, given_settings

DESCRIPTION = (
    "pyFAI-calib2 with one more task at the head of its list: the distortion of the detector, from "
    "the image of a grid of holes. All options of pyFAI-calib2 work as there; FILE is opened in the Distortion "
    "task too, unless --grid names another image."
)
#: Ours count where pyFAI has the same.
CONFLICTS = "resolve"


def add_options(parser: argparse.ArgumentParser) -> None:
    from pyFAI.app.calib2 import configure_parser_arguments

    configure_parser_arguments(parser)
    group = parser.add_argument_group("distortion")
    group.add_argument("--grid", metavar="IMAGE", help="image of the grid of holes")
    add_fields(group, Settings, "pitch", only_given=True, short=False)  # -p is one of pyFAI-calib2


def run(options: argparse.Namespace) -> int:
    from ..gui.calib2 import main

    given = {name: value for name, value in given_settings(options).items() if name == "pitch"}
    return main(options, grid=options.grid, given=given)
