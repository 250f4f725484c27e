"""Lengths with units."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.base.units import (
    UNITS,
    as_lengths,
    as_positions,
    as_region,
    format_length,
    parse_length,
    parse_lengths,
    parse_shape,
)


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        ("5mm", 0.005),
        ("500um", 0.0005),
        ("0.005m", 0.005),
        ("2.5µm", 2.5e-6),
        ("2.5μm", 2.5e-6),
        (" 10 nm ", 1e-8),
        ("1cm", 0.01),
        ("1e-3 m", 0.001),
        (".5mm", 0.0005),
        ("+47.2microns", 47.2e-6),
    ],
)
def test_parse(text: str, metres: float) -> None:
    assert parse_length(text) == pytest.approx(metres, rel=1e-15)


def test_parse_is_exact_for_plain_numbers() -> None:
    assert parse_length("5mm") == 0.005
    assert parse_length("47.2um") == 47.2e-6


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("5", "5 what?"),
        ("0.5", "write 0.5mm"),
        ("-5mm", "positive"),
        ("0mm", "positive"),
        ("nanmm", "positive"),
        ("nan m", "positive"),
        ("inf m", "positive"),
        ("1e400m", "positive"),
        ("1e-400m", "positive"),
        ("5 Mm", "unknown unit 'Mm'"),
        ("5 furlongs", "unknown unit"),
        ("mm", "number with a unit"),
        ("five mm", "number with a unit"),
        ("5mm2", "number with a unit"),
        ("", "number with a unit"),
    ],
)
def test_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says.replace("?", r"\?")) as caught:
        parse_length(text, name="pitch")
    assert "pitch" in str(caught.value)


def test_pairs() -> None:
    assert parse_lengths("5mm") == (0.005, 0.005)
    assert parse_lengths("3mm,2mm") == (0.003, 0.002)
    assert parse_lengths("3 mm x 500 um") == (0.003, 0.0005)


@pytest.mark.parametrize("text", ["2,5mm", "5mm,", ",5mm", "1mm,2mm,3mm", "", "3mm,2", "3mm,-2mm"])
def test_bad_pairs(text: str) -> None:
    with pytest.raises(UsageError):
        parse_lengths(text)


def test_decimal_comma_is_told() -> None:
    with pytest.raises(UsageError, match="decimals with a point"):
        parse_lengths("2,5mm")


def test_shapes() -> None:
    assert parse_shape("2160,2560") == (2160, 2560)
    assert parse_shape("2160 x 2560") == (2160, 2560)
    assert parse_shape("2048") == (2048, 2048)
    for text in ("0,5", "-3", "2.5", "1,2,3", "", "a,b"):
        with pytest.raises(UsageError):
            parse_shape(text)


def test_regions() -> None:
    for given_so in ("100:400,150:550", " 100 : 400 , 150:550", (100, 400, 150, 550), [100.0, 400, 150, 550]):
        assert as_region(given_so) == (100, 400, 150, 550)
    for wrong in ("", "5", "1:2", "400:100,150:550", "-1:100,150:550", "a:b,c:d", (1, 2, 3), None, 7, "1:2,3:4,5:6"):
        with pytest.raises(UsageError, match="rows and columns"):
            as_region(wrong)


def test_format() -> None:
    assert format_length(0.005) == "5 mm"
    assert format_length(47.21537e-6) == "47.22 µm"
    assert format_length((0.003, 0.002)) == "3 mm × 2 mm"
    assert format_length((0.005, 0.005)) == "5 mm"
    assert format_length(47.2e-6, 1.3e-9) == "47.2000 ± 0.0013 µm"
    assert format_length((47.2e-6, 50e-6), (1.3e-9, 0.0)) == "47.2000 ± 0.0013 µm × 50 µm"
    assert format_length(1.0) == "1 m"
    assert format_length(1000e-6) == "1 mm"
    assert format_length(0.0) == "0 mm"
    assert format_length(math.nan) == "nan m"


@given(st.floats(1e-8, 9.0), st.sampled_from(sorted(UNITS)))
def test_what_is_written_is_read(number: float, unit: str) -> None:
    metres = parse_length(f"{number!r}{unit}")
    assert metres == pytest.approx(number * UNITS[unit], rel=1e-12)
    assert parse_length(format_length(metres, digits=15)) == pytest.approx(metres, rel=1e-12)


@pytest.mark.parametrize("wrong", [b"5", bytearray(b"5m"), True, {"5mm": 1}, {"5mm"}, 10**400, None, [], [1, 2, 3]])
def test_what_is_no_length_is_refused(wrong: object) -> None:
    with pytest.raises(UsageError, match="pitch"):
        as_lengths(wrong, name="pitch")


@pytest.mark.parametrize("wrong", [[b"12"], [(0, float("nan"))], [(10**400, 1)], "a\0b", {(0, 0)}])
def test_what_are_no_positions_is_refused(wrong: object) -> None:
    with pytest.raises(UsageError, match="positions"):
        as_positions(wrong)
