"""Samples, and the held-out error of some of their points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfai_gridcal.base.robust import rms
from pyfai_gridcal.fitting.polynomial import Polynomial
from pyfai_gridcal.fitting.recipe import Sample


@pytest.fixture
def sample() -> Sample:
    rng = np.random.default_rng(0)
    yx = rng.uniform((0, 0), (200, 300), (80, 2))
    return Sample(
        yx, 0.01 * yx[:, ::-1] + rng.normal(0, 0.02, yx.shape), np.full(yx.shape, 0.02), (200, 300), 25.0, yx[:, 0] > 9
    )


def test_selected_points(sample: Sample) -> None:
    part = sample.select(np.array([7, 3]))
    assert len(part) == 2
    assert np.array_equal(part.d, sample.d[[7, 3]])
    assert part.shape == sample.shape


def test_columns_cannot_be_changed(sample: Sample) -> None:
    with pytest.raises(ValueError, match="read-only"):
        sample.d[0] = 0


def test_held_out_error_of_some_points(sample: Sample) -> None:
    fit = Polynomial(1).fit(sample)
    which = np.arange(80) < 30
    assert fit.held_out_of(which) == pytest.approx(rms(fit.held_out[which]))
    assert fit.held_out_px == fit.held_out_of(fit.used)
    # points that are known badly count less
    worse = np.where(np.arange(80)[:, None] == 4, 2.0, sample.sigma)
    spoiled = np.array(fit.held_out)
    spoiled[4] = 1.0
    assert replace(fit, held_out=spoiled, sigma=worse).held_out_of(which) < 0.5 * rms(spoiled[which])
