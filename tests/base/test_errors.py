"""Errors say what was given, what was expected, what to do; and can be told apart."""

from __future__ import annotations

import pickle

import pytest

from pyfai_gridcal.base import errors
from pyfai_gridcal.base.errors import CalibrationError, GridcalError, UsageError


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "3 spots"),
        ({"expected": "9"}, "3 spots; expected 9"),
        ({"hint": "look closer"}, "3 spots; look closer"),
        ({"expected": "9", "hint": "look closer"}, "3 spots; expected 9; look closer"),
    ],
)
def test_text(more: dict[str, str], text: str) -> None:
    error = GridcalError("3 spots", **more)
    assert str(error) == text
    assert (error.what, error.expected, error.hint) == ("3 spots", more.get("expected"), more.get("hint"))


def test_one_root_for_all() -> None:
    kinds = [getattr(errors, name) for name in errors.__all__]
    assert all(issubclass(kind, GridcalError) for kind in kinds)
    own = {n for n, v in vars(errors).items() if isinstance(v, type) and issubclass(v, Exception)}
    assert own == set(errors.__all__)


def test_a_wrong_argument_is_a_value_error_and_no_failed_calibration() -> None:
    assert issubclass(UsageError, ValueError)
    assert not issubclass(UsageError, CalibrationError)
    for kind in (errors.PickingError, errors.IndexingError, errors.FittingError):
        assert issubclass(kind, CalibrationError)


@pytest.mark.parametrize("name", errors.__all__)
def test_they_travel_between_processes(name: str) -> None:
    error = getattr(errors, name)("3 spots", expected="9", hint="look closer")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert (str(back), back.what, back.expected, back.hint) == (str(error), "3 spots", "9", "look closer")
