"""Every rule judges at its limits, on the right side, in words that can be read."""

from __future__ import annotations

import pytest

from pyfai_gridcal.judging.limits import RULES, Rule, Scale

SCALE = Scale(pitch=23.1, sigma=0.02)


def test_names_are_given_once() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_limits_judge_on_their_own_side(rule: Rule) -> None:
    inner = rule.check(0.0, SCALE, "")
    limits = [limit for limit in (inner.doubtful, inner.failed) if limit is not None]
    assert limits == sorted(limits, reverse=rule.below)
    step = -1e-9 if rule.below else 1e-9
    for limit, level in ((inner.doubtful, "doubtful"), (inner.failed, "failed")):
        if limit is not None:
            assert rule.check(limit, SCALE, "").level != level
            assert rule.check(limit + step, SCALE, "").level == level
    assert rule.check(float("nan"), SCALE, "").level == ("doubtful" if inner.failed is None else "failed")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_words_hold_their_figures(rule: Rule) -> None:
    text = rule.check(0.1234, SCALE, "BECAUSE").text
    assert "{" not in text
    assert ("BECAUSE" in text) == ("{cause}" in rule.words)
    if "{percent:.0f}" in rule.words:
        assert "12 %" in text
    if "{rest:.0f}" in rule.words:
        assert "88 %" in text


def test_limits_follow_the_scale() -> None:
    rule = next(rule for rule in RULES if rule.name.startswith("extra scatter"))
    assert rule.check(0.0, Scale(10.0, 0.02), "").doubtful == 0.3
    assert rule.check(0.0, Scale(100.0, 0.02), "").doubtful == 1.5
    assert rule.check(0.0, Scale(10.0, 0.5), "").doubtful == 2.5
