"""``pyFAI-gridcal completion``: what a shell needs to complete commands, options and names of files."""

from __future__ import annotations

import argparse

from ._parser import Parser, Subparsers

EPILOG = """Write it once to a file that the shell reads; a new shell then knows it:
  bash: ~/.local/share/bash-completion/completions/pyFAI-gridcal
  zsh: ~/.zfunc/_pyFAI-gridcal, with fpath+=~/.zfunc before compinit in ~/.zshrc"""


def add_parser(subparsers: Subparsers) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(
        "completion",
        help="completion of the command line for bash and zsh",
        description="Print what a shell needs to complete commands, options and names of files (needs shtab: "
        "python3 -m pip install 'pyfai-gridcal[completion]').",
        epilog=EPILOG,
    )
    parser.add_argument("shell", choices=("bash", "zsh"), help="which shell")
    return parser


def run(options: argparse.Namespace) -> int:
    import shtab

    from . import COMMANDS, build_parser

    whole = build_parser(*filter(_is_there, (name for name, _, _ in COMMANDS)))
    commands = next(one for one in whole._actions if isinstance(one, argparse._SubParsersAction))
    for one in commands.choices.values():
        _complete_files(one)
    print(shtab.complete(whole, shell=options.shell))
    return 0


def _is_there(name: str) -> bool:
    """Whether a command is of use: one that borrows its options may miss what it borrows them from."""
    from . import build_parser

    try:
        return bool(build_parser(name))
    except ImportError:
        return False


def _complete_files(parser: Parser) -> None:
    """Let words that are neither chosen from a list nor read as something else be names of files."""
    import shtab

    for action in parser._actions:
        if action.nargs != 0 and action.choices is None and action.type is None:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
