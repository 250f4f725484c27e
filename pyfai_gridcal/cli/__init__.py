"""The command ``pyFAI-gridcal`` and its sub-commands.

Each sub-command is a module of this package with ``DESCRIPTION``, perhaps ``EPILOG``, ``add_options(parser)`` and
``run(options) -> int``. A module is imported only when its command is run or asked for help, so that starting is quick.

Exit status: 0 done, 1 failed or not to be trusted, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from ._parser import Parser
from ._session import plain_where_needed, session

__all__ = ["COMMANDS", "build_parser", "main"]

#: Name, which is that of its module in this package -> help.
COMMANDS: dict[str, str] = {
    "calibrate": "grid image(s) -> detector file",
    "validate": "correct the grid image and measure what distortion is left",
    "demo": "draw an example with a known distortion, calibrate it, compare with the truth",
    "view": "look at a result",
    "gui": "calibrate in a window",
    "calib2": "pyFAI-calib2 with one more task: Distortion",
    "correct": "correct images by a detector file",
    "convert": "from one kind of distortion file to another",
    "check": "load files with the programs that will use them and compare",
    "compare": "difference of calibrations, in px and in sigma",
    "plan": "predict the uncertainty for a plate and an exposure",
    "report": "write the report of a result again",
    "benchmark": "accuracy, time and memory on this machine",
    "completion": "completion of the command line for bash and zsh",
}

DESCRIPTION = """Distortion of an area detector from the image of a grid of holes.

  pyFAI-gridcal demo
  pyFAI-gridcal calibrate grid.edf --pitch 5mm -o detector.h5"""


def build_parser(*with_options: str) -> Parser:
    """Return the parser of the whole command line, with all options of some commands (the others only by name)."""
    parser = Parser(prog="pyFAI-gridcal", description=DESCRIPTION)
    parser.add_argument("--version", action=_Version, help="show the version and exit")
    _add_common(parser)
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=Parser)
    for name, text in COMMANDS.items():
        if name not in with_options:
            subparsers.add_parser(name, help=text)
            continue
        command = load(name)
        own = subparsers.add_parser(
            name,
            help=text,
            description=command.DESCRIPTION,
            epilog=getattr(command, "EPILOG", None),
            conflict_handler=getattr(command, "CONFLICTS", "error"),
        )
        command.add_options(own)
        with contextlib.suppress(argparse.ArgumentError):  # a command that has borrowed its options may have these
            _add_common(own)
    return parser


def load(name: str) -> ModuleType:
    """Import the module of a command."""
    return importlib.import_module(f".{name}", __package__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (that of the process when omitted) and return the exit status."""
    with plain_where_needed():
        return _main(argv)


def _main(argv: Sequence[str] | None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = next((word for word in arguments if not word.startswith("-")), None)
    if command != "benchmark":  # which leaves other programs what they take
        _one_thread_for_algebra()
    try:
        options = build_parser(command or "").parse_args(arguments)
    except SystemExit as error:
        return _status(error)
    if options.command is None:
        build_parser().print_help()
        return 2
    with session(options) as outcome:
        outcome.status = int(load(options.command).run(options) or 0)
    return outcome.status


def _one_thread_for_algebra() -> None:
    """Let OpenBLAS, which is asked when it is loaded, start no threads, unless somebody has said how many.

    They gain nothing here, and those that wait for work take processors from others while they do: a tenth of the
    processor time of a calibration on two processors, more on more.
    """
    if not {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"} & set(os.environ) and "numpy" not in sys.modules:
        os.environ["OPENBLAS_NUM_THREADS"] = "1"


def _status(error: SystemExit) -> int:
    return error.code if isinstance(error.code, int) else 0 if error.code is None else 1


def _add_common(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("messages")
    group.add_argument(
        "-v", "--verbose", action="count", default=argparse.SUPPRESS, help="tell more (-vv: of other packages too)"
    )
    group.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of unexpected errors"
    )


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None):
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"pyFAI-gridcal {version('pyfai-gridcal')}")
        parser.exit()
