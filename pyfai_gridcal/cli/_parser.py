"""A parser whose errors are one line, and types for its arguments."""

from __future__ import annotations

import argparse
import difflib
import itertools
import re
import textwrap
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias, TypeVar

from ..base.errors import UsageError
from ..base.units import parse_length, parse_lengths, parse_positions, parse_positive, parse_shape

T = TypeVar("T")


class HelpFormatter(argparse.HelpFormatter):
    """Wraps plain paragraphs of descriptions and leaves indented lines (examples) as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        out: list[str] = []
        for indented, lines in itertools.groupby(text.splitlines(), key=lambda line: not line or line.startswith("  ")):
            block = list(lines)
            out += (
                [indent + line for line in block]
                if indented
                else textwrap.wrap(" ".join(block), width, initial_indent=indent, subsequent_indent=indent)
            )
        return "\n".join(out)


class Parser(argparse.ArgumentParser):
    """An :class:`argparse.ArgumentParser` that says what is wrong in one line and where to read on."""

    def __init__(self, **options: Any):
        options.setdefault("formatter_class", HelpFormatter)
        options.setdefault("allow_abbrev", False)
        super().__init__(**options)
        # So that "--pitch -5mm" is told to be negative, instead of "expected one argument".
        self._negative_number_matcher = re.compile(r"-\.?\d.*")

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}{_meant(message)} (see {self.prog} --help)\n")


#: What a command adds its parser to.
Subparsers: TypeAlias = "argparse._SubParsersAction[Parser]"


def _meant(message: str) -> str:
    """What the user may have meant by a wrong choice."""
    wrong = re.match(r".*invalid choice: '([^']*)' \(choose from (.*)\)$", message, re.DOTALL)
    near = difflib.get_close_matches(wrong[1], re.findall(r"[\w-]+", wrong[2]), 1) if wrong else []
    return f"; did you mean {near[0]}?" if near else ""


def _typed(parse: Callable[..., T], what: str) -> Callable[[str], T]:
    def convert(text: str) -> T:
        try:
            return parse(text, name=what)
        except UsageError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def length(what: str) -> Callable[[str], float]:
    """Type of an argument: a length with a unit -> metres."""
    return _typed(parse_length, what)


def lengths(what: str) -> Callable[[str], tuple[float, float]]:
    """Type of an argument: one or two lengths with units -> (slow, fast) in metres."""
    return _typed(parse_lengths, what)


def positions(what: str) -> Callable[[str], tuple[tuple[float, float], ...]]:
    """Type of an argument: pairs of lengths with units, or a file of them -> metres."""
    return _typed(parse_positions, what)


def shape(what: str) -> Callable[[str], tuple[int, int]]:
    """Type of an argument: ``2160,2560`` -> (slow, fast) pixels."""
    return _typed(parse_shape, what)


def positive(what: str) -> Callable[[str], float]:
    """Type of an argument: a positive number."""

    return _typed(parse_positive, what)


def pair(what: str) -> Callable[[str], tuple[float, float]]:
    """Type of an argument: ``1023.5,1000`` -> two numbers (slow, fast)."""

    def parse(text: str, name: str) -> tuple[float, float]:
        try:
            first, second = (float(part) for part in text.split(","))
        except ValueError:
            raise UsageError(f"{name} {text!r}", expected="two numbers, slow first: such as 1023.5,1000") from None
        return first, second

    return _typed(parse, what)
