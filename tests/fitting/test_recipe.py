"""Samples, and the held-out error of some of their points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfai_gridcal.base.robust import rms
from pyfai_gridcal.fitting.polynomial import Polynomial
from pyfai_gridcal.fitting.recipe import SURE, FieldFit, Sample, gains, sureness


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


@pytest.fixture
def noisy() -> Sample:
    rng = np.random.default_rng(0)
    yx = rng.uniform(0, (90, 140), (60, 2))
    d = np.stack([0.01 * yx[:, 1] + 1e-4 * yx[:, 0] ** 2, -0.02 * yx[:, 0]], axis=1)
    return Sample(yx, d + rng.normal(0, 0.02, d.shape), np.full((60, 2), 0.02), (90, 140), 12.0, np.ones(60, bool))


def fit_of(held_out: np.ndarray, sigma: np.ndarray | None, used: np.ndarray) -> FieldFit:
    zero = np.zeros_like(held_out)
    return FieldFit("made up", None, zero, held_out, used, zero, zero, sigma=sigma)  # type: ignore[arg-type]


def test_points_known_badly_count_less() -> None:
    held_out = np.array([[0.1, 0.1], [0.1, 0.1], [0.1, 0.1], [9.0, 9.0]])
    sigma = np.array([[0.1, 0.1]] * 3 + [[9.0, 9.0]])
    used = np.ones(4, bool)
    assert fit_of(held_out, None, used).held_out_px > 4
    assert fit_of(held_out, sigma, used).held_out_px < 0.13


def test_every_column_has_the_order_of_the_sample(noisy: Sample) -> None:
    fit = Polynomial().fit(noisy)
    for name in ("residual", "held_out", "z", "leverage"):
        assert getattr(fit, name).shape == (60, 2), name
    np.testing.assert_allclose(fit.residual, fit.field.at(noisy.yx) - noisy.d, atol=1e-9)
    np.testing.assert_allclose(fit.held_out, fit.residual / (1 - fit.leverage), rtol=1e-6)


def test_what_one_fit_gains_over_another_and_how_surely(sample: Sample) -> None:
    """Where both use a point, in squares of what it is known by; by hand."""
    better, plain = Polynomial(1).fit(sample), Polynomial(0).fit(sample)
    plain = replace(plain, used=plain.used & (np.arange(80) > 4))
    gain = gains(better, plain)
    both = np.flatnonzero(better.used & plain.used)
    assert gain.shape == both.shape
    for row, value in zip(both[::9], gain[::9], strict=True):
        by_hand = (plain.held_out[row] ** 2 - better.held_out[row] ** 2) / sample.sigma[row] ** 2
        assert value == pytest.approx(by_hand.mean())
    assert sureness(gain) == pytest.approx(gain.mean() / (gain.std() / np.sqrt(len(gain))))
    assert sureness(gain) > SURE
    assert sureness(-gain) == -sureness(gain)
    assert sureness(np.array([3.0, 4.0])) == 0, "two points are sure of nothing"
