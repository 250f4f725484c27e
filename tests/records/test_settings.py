"""What a calibration may be told, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.records.settings import Settings


def test_one_pitch_or_two() -> None:
    assert Settings(2e-3).pitches == (2e-3, 2e-3)
    assert Settings((2e-3, 3e-3)).pitches == (2e-3, 3e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pitch": 0.0}, "pitch"),
        ({"pitch": (1e-3, float("inf"))}, "pitch"),
        ({"pitch": 5.0}, "below a metre"),
        ({"pitch": 1e-3, "polarity": "grey"}, "polarity"),
        ({"pitch": 1e-3, "lattice": "round"}, "lattice"),
        ({"pitch": 1e-3, "lattice": "oblique"}, "angle"),
        ({"pitch": (1e-3, 2e-3), "lattice": "hexagonal"}, "one pitch"),
    ],
)
def test_what_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Settings(**options)  # type: ignore[arg-type]


def test_two_equal_pitches_are_one() -> None:
    assert np.ptp(Settings((1e-3, 1e-3), lattice="square").pitches) == 0
