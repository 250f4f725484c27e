"""Angles, shares, temperatures and sources, from people and for people."""

from __future__ import annotations

import math

import pytest

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.base.quantities import QUANTITIES


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("angle", "0.2deg", 0.2),
        ("angle", "0.2 °", 0.2),
        ("angle", 0.2, 0.2),
        ("angle", "5mrad", math.degrees(5e-3)),
        ("share", "20ppm", 20e-6),
        ("share", "0.1%", 1e-3),
        ("share", "16.5e-6", 16.5e-6),
        ("temperature", "20±2", (20.0, 2.0)),
        ("temperature", "-5 +- 0.5", (-5.0, 0.5)),
        ("temperature", 23, (23.0, 0.0)),
        ("temperature", [23, 1], (23.0, 1.0)),
        ("source", "10m", 10.0),
        ("source", "Parallel", "parallel"),
    ],
)
def test_read_and_written_again(kind: str, text: object, value: object) -> None:
    read, write = QUANTITIES[kind]
    assert read(text) == pytest.approx(value) if not isinstance(value, str) else read(text) == value
    assert read(write(read(text))) == read(text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("angle", "0.2"),
        ("angle", "0.2mm"),
        ("angle", "90deg"),
        ("angle", True),
        ("angle", -1),
        ("share", "20"),
        ("share", "ppm"),
        ("share", -1e-6),
        ("temperature", "20±-1"),
        ("temperature", "warm"),
        ("temperature", (1, 2, 3)),
        ("temperature", None),
        ("source", "10"),
        ("source", "far"),
    ],
)
def test_what_cannot_be_meant_is_refused(kind: str, text: object) -> None:
    with pytest.raises(UsageError, match="expected"):
        QUANTITIES[kind][0](text)
