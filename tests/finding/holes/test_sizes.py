"""Size and blur of the holes by place."""

from __future__ import annotations

from dataclasses import replace

import looking
import numpy as np
import pytest

from pyfai_gridcal.finding.holes import sizes as module
from pyfai_gridcal.finding.holes.sizes import learn_sizes, sized


def test_equal_holes_are_equal() -> None:
    _, _, look = looking.search()
    assert learn_sizes(look.tools, look.fitted.after(look.state, look.tools.dark), look.good) is None


def test_what_was_taken_off_is_found_again() -> None:
    """Templates that are a tenth too small and a fifth too sharp on one side of the image."""
    _, _, look = looking.search()
    state = look.fitted.after(look.state, look.tools.dark)
    share = state.yx[:, 1] / looking.SHAPE[1]
    wrong = np.stack([1 - 0.1 * share, 1 - 0.3 * share], axis=1)
    sizes = learn_sizes(look.tools, sized(state, wrong), look.good)
    assert sizes is not None
    value = sizes.value(state.yx)
    inside = look.good & (np.abs(share - 0.5) < 0.35)
    np.testing.assert_allclose((value * wrong)[inside, 0], 1.0, atol=0.02)
    assert np.median((value * wrong)[inside, 1]) == pytest.approx(1.0, abs=0.15)


def test_few_holes_tell_nothing() -> None:
    _, _, look = looking.search()
    few = np.arange(len(look.good)) < 12
    assert learn_sizes(look.tools, look.state, few) is None


def test_sizes_are_relative_to_what_was_known() -> None:
    _, _, look = looking.search()
    state = replace(look.state, stretch=None)
    out = sized(state, np.tile([1.1, 0.81], (len(state), 1)))
    np.testing.assert_allclose(out.stretch, np.tile(1.1 * np.eye(2), (len(state), 1, 1)))
    np.testing.assert_allclose(out.wider, 0.9)


def test_a_sample_is_smoothed_over_its_own_spacing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each hole of it keeps its noise."""
    _, _, look = looking.search()
    state = look.fitted.after(look.state, look.tools.dark)
    wrong = np.stack([1 - 0.1 * state.yx[:, 1] / looking.SHAPE[1], np.ones(len(state))], axis=1)
    monkeypatch.setattr(module, "_MOST", 25)
    sizes = learn_sizes(look.tools, sized(state, wrong), look.good)
    assert sizes is not None
    assert len(sizes.yx) < 30
    left = (sizes.value(sizes.yx) - sizes.own).std(axis=0)
    assert left[1] > 0.4 * sizes.own[:, 1].std()
    assert left[0] > 4e-4
