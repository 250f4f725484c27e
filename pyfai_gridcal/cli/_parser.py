"""A parser whose errors are one line, and types for its arguments."""

from __future__ import annotations

import argparse
import difflib
import itertools
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TypeVar

from ..base.errors import UsageError
from ..base.units import UNITS

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

        self._given: list[str] = []

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As usual, but what is not known is an error of the command that does not know it."""
        self._given = list(sys.argv[1:] if args is None else args)
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return options, unknown

    def error(self, message: str) -> NoReturn:
        meant = _meant(message) or self._unknown() + _spaced(self._given)
        self.exit(2, f"{self.prog}: error: {message}{meant} (see {self.prog} --help)\n")

    def _unknown(self) -> str:
        """The options among the words that there are not, with what is like them: they may be what is missing."""
        known = self._option_string_actions
        words = [word.partition("=")[0] for word in itertools.takewhile(lambda word: word != "--", self._given)]
        wrong = [w for w in words if w.startswith("--") and w not in known]
        return "".join(f"; there is no {w}{like(w, known, ', ')}" for w in wrong)


def like(word: str, known: Iterable[str], before: str = "") -> str:
    """What may be meant by a word that is none of the known ones, as a question after `before`; nothing if unclear."""
    near = difflib.get_close_matches(word, list(known), 1)
    return f"{before}did you mean {near[0]}?" if near else ""


def _meant(message: str) -> str:
    """What the user may have meant by a wrong choice."""
    wrong = re.match(r".*invalid choice: '([^']*)' \(choose from (.*)\)$", message, re.DOTALL)
    return like(wrong[1], re.findall(r"[\w-]+", wrong[2]), "; ") if wrong else ""


def _spaced(words: Sequence[str]) -> str:
    """What is to be said of ``2 mm``, which the shell makes two words of."""
    apart = [(a, b) for a, b in itertools.pairwise(words) if b in UNITS and re.fullmatch(r"[\d.,]+", a)]
    return "".join(f"; write {a}{b} without a space" for a, b in apart)


def typed(parse: Callable[..., T], what: str) -> Callable[[str], T]:
    """Type of an argument that is read so, and that messages call so."""

    def convert(text: str) -> T:
        try:
            return parse(text, name=what)
        except UsageError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def pair(what: str) -> Callable[[str], tuple[float, float]]:
    """Type of an argument: ``1023.5,1000`` -> two numbers (slow, fast)."""

    def parse(text: str, name: str) -> tuple[float, float]:
        try:
            first, second = (float(part) for part in text.split(","))
        except ValueError:
            raise UsageError(f"{name} {text!r}", expected="two numbers, slow first: such as 1023.5,1000") from None
        return first, second

    return typed(parse, what)
