"""Checks and what follows from them."""

from __future__ import annotations

import pytest

from pyfai_gridcal.records.verdict import Check, Verdict, check_above, check_below


@pytest.mark.parametrize(
    ("value", "level"), [(0.5, "good"), (1.0, "good"), (1.5, "doubtful"), (3.0, "doubtful"), (3.1, "failed")]
)
def test_above(value: float, level: str) -> None:
    assert check_above("x", value, "x is large", doubtful=1.0, failed=3.0).level == level


@pytest.mark.parametrize(
    ("value", "level"), [(0.5, "failed"), (1.0, "doubtful"), (1.5, "doubtful"), (3.0, "good"), (3.1, "good")]
)
def test_below(value: float, level: str) -> None:
    assert check_below("x", value, "x is small", doubtful=3.0, failed=1.0).level == level


@pytest.mark.parametrize("check", [check_above, check_below])
def test_what_is_not_a_number_is_never_good(check) -> None:
    nan = float("nan")
    assert check("x", nan, "x", doubtful=1.0, failed=2.0).level == "failed"
    assert check("x", nan, "x", doubtful=1.0, failed=None).level == "doubtful"


@pytest.mark.parametrize("check", [check_above, check_below])
def test_without_limits_all_is_good(check) -> None:
    assert check("x", 1e9, "x", doubtful=None, failed=None).level == "good"


def test_worst_first() -> None:
    checks = (
        Check("a", 1.0, "doubtful", "a is a bit much"),
        Check("b", 2.0, "good", "b"),
        Check("c", 3.0, "failed", "c is too much"),
        Check("d", 4.0, "doubtful", "d is a bit much"),
    )
    verdict = Verdict.of(checks)
    assert verdict.level == "failed"
    assert verdict.reasons == ("c is too much", "a is a bit much", "d is a bit much")
    assert verdict.checks == checks
    assert str(verdict) == "failed: c is too much; a is a bit much; d is a bit much"


def test_nothing_wrong() -> None:
    verdict = Verdict.of((Check("b", 2.0, "good", "b"),))
    assert (verdict.level, verdict.reasons, str(verdict)) == ("good", (), "good")
    assert Verdict.of(()).level == "good"
