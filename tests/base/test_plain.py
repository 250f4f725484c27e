"""Plain data say the same, and JSON can say them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum, IntFlag
from pathlib import Path

import numpy as np
import pytest

from pyfai_gridcal.base.plain import fields_of, plain


class Colour(Enum):
    RED = "red"


class Flag(IntFlag):
    A = 1
    B = 4


@dataclass(frozen=True)
class Inner:
    size: tuple[float, float]


@dataclass(frozen=True)
class Outer:
    inner: Inner
    table: np.ndarray
    where: Path


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, None),
        (True, True),
        (np.bool_(False), False),
        (np.float32(0.5), 0.5),
        (np.int16(-3), -3),
        ("text", "text"),
        (Colour.RED, "red"),
        (Flag.A | Flag.B, 5),
        (Path("a") / "b", str(Path("a") / "b")),
        ((1, [2.5, (3,)]), [1, [2.5, [3]]]),
        (range(3), [0, 1, 2]),
        (frozenset({7}), [7]),
        ({2: np.arange(3), "x": {Colour.RED}}, {"2": [0, 1, 2], "x": ["red"]}),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array("word"), "word"),
        (complex(1, 2), "(1+2j)"),
    ],
)
def test_what_becomes_of_it(value, told):
    got = plain(value)
    assert got == told
    assert type(got) is type(told)
    assert json.loads(json.dumps(got)) == told


def test_records_are_told_by_their_fields_or_otherwise():
    one = Outer(Inner((1.0, 2.0)), np.zeros(2), Path("x"))
    assert plain(one) == {"inner": {"size": [1.0, 2.0]}, "table": [0.0, 0.0], "where": "x"}
    assert list(fields_of(one)) == ["inner", "table", "where"]
    assert plain([one], record=lambda it: type(it).__name__) == ["Outer"]
    assert plain(Outer) == str(Outer)


def test_what_json_does_not_know():
    value = {"a": [1.0, float("nan")], "b": np.array([np.inf, 2.0]), "c": np.float64("nan")}
    assert plain(value, finite=True) == {"a": [1.0, None], "b": [None, 2.0], "c": None}
    assert np.isnan(plain(value)["c"])


def test_large_arrays_are_told_by_their_shape():
    value = [np.zeros((3, 4)), np.zeros(2)]
    assert plain(value, largest=11) == ["array of shape (3, 4)", [0.0, 0.0]]
    assert plain(value, largest=12)[0] == [[0.0] * 4] * 3
