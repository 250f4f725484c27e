"""What a calibration may be told, and what it refuses."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

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


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"pitch": 0.0}, "positive"),
        ({"pitch": -1e-3}, "positive"),
        ({"pitch": float("nan")}, "positive"),
        ({"pitch": (1e-3, 2e-3, 3e-3)}, "one or two"),
        ({"pitch": 5.0}, "lengths are in metres"),
        ({"pitch": 2e-3, "polarity": "black"}, "polarity='black'"),
        ({"pitch": 2e-3, "lattice": "cubic"}, "lattice='cubic'"),
        ({"pitch": 2e-3, "model": "magic"}, "model 'magic'"),
        ({"pitch": 2e-3, "lattice": "oblique"}, "give angle="),
        ({"pitch": (3e-3, 2e-3), "lattice": "square"}, "two pitches"),
        ({"pitch": (3e-3, 2e-3), "lattice": "hexagonal"}, "two pitches"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(wrong: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Settings(**wrong)


def test_changed_settings_are_looked_at_again() -> None:
    settings = Settings((3e-3, 2e-3), lattice="rectangular")
    with pytest.raises(UsageError, match="two pitches"):
        replace(settings, lattice="square")
    with pytest.raises(FrozenInstanceError):
        settings.model = "spline"  # type: ignore[misc]


def test_equal_settings_are_equal() -> None:
    """They are the key under which results are remembered."""
    assert Settings(2e-3, model="auto") == Settings(2e-3)
    assert hash(Settings((3e-3, 2e-3))) == hash(Settings((3e-3, 2e-3)))
    assert Settings(2e-3) != Settings(2e-3, origin=(3.0, 4.0))


@pytest.mark.parametrize(
    "wrong",
    [
        *({"hole": "5m"}, {"hole": 1e-3}, {"angle": "60"}, {"angle": -3}, {"origin": "100,100"}, {"origin": 5}),
        *({"origin": (float("nan"), 1)}, {"gauge": None}, {"gauge": ("a", "b")}, {"max_sigma": "a"}, {"max_sigma": 0}),
    ],
)
def test_settings_of_a_wrong_kind(wrong: dict) -> None:
    with pytest.raises(UsageError, match="holes of" if "hole" in wrong else next(iter(wrong))):
        Settings(1e-3, **wrong)


def test_a_pixel_may_be_an_array() -> None:
    settings = Settings(1e-3, origin=np.array([3, 4]), gauge=[np.float32(5), 6])
    assert (settings.origin, settings.gauge) == ((3.0, 4.0), (5.0, 6.0))
