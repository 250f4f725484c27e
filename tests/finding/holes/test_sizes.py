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
    sizes, vary = learn_sizes(look.tools, look.fitted.after(look.state, look.tools.dark), look.good)
    assert sizes is not None
    assert not vary
    value, error = sizes.at(look.state.yx)
    assert np.abs(value[:, 0] - 1).max() < 0.02
    assert 0.003 < np.median(error[:, 0]) < 0.02


def test_what_was_taken_off_is_found_again() -> None:
    """Templates that are a tenth too small and a fifth too sharp on one side of the image."""
    _, _, look = looking.search()
    state = look.fitted.after(look.state, look.tools.dark)
    share = state.yx[:, 1] / looking.SHAPE[1]
    wrong = np.stack([1 - 0.1 * share, 1 - 0.3 * share], axis=1)
    sizes, vary = learn_sizes(look.tools, sized(state, wrong), look.good)
    assert vary
    assert sizes is not None
    value = sizes.at(state.yx)[0]
    inside = look.good & (np.abs(share - 0.5) < 0.35)
    np.testing.assert_allclose((value * wrong)[inside, 0], 1.0, atol=0.02)
    assert np.median((value * wrong)[inside, 1]) == pytest.approx(1.0, abs=0.15)


def test_few_holes_tell_nothing() -> None:
    _, _, look = looking.search()
    few = np.arange(len(look.good)) < 12
    assert learn_sizes(look.tools, look.state, few) == (None, False)


def test_sizes_are_relative_to_what_was_known() -> None:
    _, _, look = looking.search()
    state = replace(look.state, stretch=None)
    out = sized(state, np.tile([1.1, 0.81], (len(state), 1)))
    np.testing.assert_allclose(out.stretch, np.tile(1.1 * np.eye(2), (len(state), 1, 1)))
    np.testing.assert_allclose(out.wider, 0.9)


def test_a_sample_is_smoothed_over_its_own_spacing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each hole of it keeps its noise, and equal ones seem to vary."""
    _, _, look = looking.search()
    monkeypatch.setattr(module, "_MOST", 25)
    sizes, _ = learn_sizes(look.tools, look.fitted.after(look.state, look.tools.dark), look.good)
    assert sizes is not None
    assert len(sizes.yx) < 30
    assert (sizes.value(sizes.yx).std(axis=0) < 0.85 * sizes.own.std(axis=0)).all()
