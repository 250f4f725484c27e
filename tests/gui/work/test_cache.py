"""Results are found again by what they depend on, and stages fill the progress bar."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.gui.work.cache import Cache, Steps, as_key
from pyfai_gridcal.gui.work.edits import Edit
from pyfai_gridcal.gui.work.state import STAGES


def test_the_least_recently_used_is_dropped() -> None:
    cache = Cache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)


def test_keys_of_arrays_are_the_arrays() -> None:
    a = np.zeros(3)
    assert as_key((a, "x")) == as_key((a, "x"))
    assert as_key(a) != as_key(a.copy())
    assert as_key([1, [2]]) == (1, (2,))


def test_keys_of_records_are_their_fields() -> None:
    assert as_key(Edit.at("add", 1, 2)) == as_key(Edit.at("add", 1.0, 2.0))
    assert as_key(Edit.at("add", 1, 2)) != as_key(Edit.at("remove", 1, 2))


def test_stages_fill_the_bar_in_their_order() -> None:
    told: list[tuple[float, str]] = []
    steps = Steps(lambda fraction, text: told.append((fraction, text)), 2, "calibration")
    for number in "12":
        for stage in STAGES[:-1]:
            assert steps.reach(stage)
            steps.begin(stage, stage + number)(0.5, "half")
    fit = steps.begin("calibration", "fitting")
    fit(0.0, "")
    fit(7.0, "too much")
    steps.done()
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert told[0] == (0.0, "image1")
    assert told[-3][1] == "fitting", "what says nothing is told as its stage"
    assert fractions[-3] == pytest.approx(0.75)
    assert fractions[-2:] == [1.0, 1.0]


def test_a_stage_beyond_the_last_one_is_not_reached() -> None:
    steps = Steps(None, 1, "spots")
    assert [stage for stage in STAGES if steps.reach(stage)] == ["image", "found", "spots"]
