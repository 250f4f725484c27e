"""``pyFAI-gridcal calib2``: pyFAI-calib2 with one more task, Distortion."""

from __future__ import annotations

import argparse
from typing import Any

from ._parser import lengths

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "calib2",
        help="pyFAI-calib2 with one more task: Distortion",
        description="pyFAI-calib2 with one more task at the head of its list: the distortion of the detector, from "
        "the image of a grid of holes. All options of pyFAI-calib2 work as there; FILE is opened in the Distortion "
        "task too, unless --grid names another image.",
        conflict_handler="resolve",
    )
    _add_calib2(parser)
    group = parser.add_argument_group("distortion")
    group.add_argument("--grid", metavar="IMAGE", help="image of the grid of holes")
    group.add_argument(
        "--pitch",
        default=argparse.SUPPRESS,
        type=lengths("pitch"),
        metavar="LENGTH",
        help="distance of neighbouring holes, with its unit (5mm, 500um)",
    )
    return parser


def _add_calib2(parser: argparse.ArgumentParser) -> None:
    from pyFAI.app.calib2 import configure_parser_arguments

    configure_parser_arguments(parser)


def run(options: argparse.Namespace) -> int:
    from ..gui.calib2 import main

    given = {"pitch": options.pitch} if hasattr(options, "pitch") else {}
    return main(options, grid=options.grid, given=given)
