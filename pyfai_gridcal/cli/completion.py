"""``pyFAI-gridcal completion``: what a shell needs to complete commands, options and names of files."""

from __future__ import annotations

import argparse

DESCRIPTION = (
    "Print what a shell needs to complete commands, options and names of files (needs shtab: "
    "python3 -m pip install 'pyfai-gridcal[completion]')."
)
EPILOG = """Write it once to a file that the shell reads; a new shell then knows it:
  bash: ~/.local/share/bash-completion/completions/pyFAI-gridcal
  zsh: ~/.zfunc/_pyFAI-gridcal, with fpath+=~/.zfunc before compinit in ~/.zshrc"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh"), help="which shell")


def run(options: argparse.Namespace) -> int:
    import shtab

    from . import COMMANDS, build_parser

    # calib2 borrows its options, so that it may miss what it borrows them from
    whole = build_parser(*(name for name in COMMANDS if name != "calib2"))
    commands = next(one for one in whole._actions if isinstance(one, argparse._SubParsersAction))
    for action in (action for one in commands.choices.values() for action in one._actions):
        # words that are neither chosen from a list nor read as something else are names of files
        if action.nargs != 0 and action.choices is None and action.type is None:
            action.complete = shtab.FILE
    print(shtab.complete(whole, shell=options.shell))
    return 0
