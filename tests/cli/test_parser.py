"""One line for what is wrong, and types that say what they expected."""

from __future__ import annotations

import argparse

import pytest

from pyfai_gridcal.cli._options import TYPES
from pyfai_gridcal.cli._parser import Parser


@pytest.fixture
def parser() -> Parser:
    parser = Parser(prog="tool", description="A paragraph\nthat goes on.\n\n  as it is   written\n")
    parser.add_argument("--pitch", type=TYPES["length"]("pitch"))
    parser.add_argument("--kind", choices=["spline", "polynomial"])
    return parser


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--pitch", "5"], "5 what?"),
        (["--pitch", "-5mm"], "positive"),
        (["--kind", "splin"], "did you mean spline?"),
        (["--pitc", "5mm"], "there is no --pitc, did you mean --pitch?"),
        (["--pitch", "2", "mm"], "write 2mm without a space"),
        (["--kind"], "expected one argument"),
    ],
)
def test_errors_are_one_line_that_says_where_to_read_on(
    parser: Parser, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(words)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.startswith("tool: error: ")
    assert error.endswith("(see tool --help)\n")
    assert error.count("\n") == 1


def test_an_option_that_is_missing_may_be_one_that_is_misspelt(capsys: pytest.CaptureFixture[str]) -> None:
    whole = Parser(prog="tool")
    own = whole.add_subparsers(parser_class=Parser).add_parser("do")
    own.add_argument("--pitch", required=True)
    for words, says in (
        (["--pich=5mm"], "--pitch; there is no --pich, did you"),
        (["--pitch", "1", "--x"], "no --x ("),
    ):
        with pytest.raises(SystemExit):
            whole.parse_args(["do", *words])
        error = capsys.readouterr().err
        assert says in error
        assert error.endswith("(see tool do --help)\n")


def test_examples_keep_their_lines_and_paragraphs_flow(parser: Parser) -> None:
    text = parser.format_help()
    assert "A paragraph that goes on." in text
    assert "\n  as it is   written\n" in text


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("length", "5mm", 0.005),
        ("lengths", "3mm,2mm", (0.003, 0.002)),
        ("shape", "2160,2560", (2160, 2560)),
        ("pair", "1023.5,1000", (1023.5, 1000.0)),
    ],
)
def test_types(kind: str, text: str, value: object) -> None:
    assert TYPES[kind]("what")(text) == value


@pytest.mark.parametrize(("kind", "text"), [("length", "five"), ("lengths", "2,5mm"), ("shape", "-3"), ("pair", "1")])
def test_types_say_what_they_were_given(kind: str, text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"plate.*{text}"):
        TYPES[kind]("plate")(text)
