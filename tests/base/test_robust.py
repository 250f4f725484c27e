"""Means that a few wild values do not decide."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pyfai_gridcal.base.robust import cauchy_weights, rms, shares, spread


def test_rms_of_plain_values() -> None:
    assert rms(np.array([3.0, -4.0])) == pytest.approx(math.sqrt(12.5))
    assert rms(np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, -1.0]])) == 1.0


def test_nothing_has_no_scatter() -> None:
    assert math.isnan(rms(np.empty((0, 2))))
    assert math.isnan(spread(np.empty(0)))


def test_shares_are_squares_of_how_much_worse() -> None:
    sigma = np.array([0.1, 0.1, 0.1, 0.05, 0.4])
    assert shares(sigma) == pytest.approx([1, 1, 1, 1, 1 / 16])
    assert shares(7 * sigma) == pytest.approx(shares(sigma)), "only ratios count"


def test_a_badly_known_value_hardly_counts() -> None:
    values, sigma = np.array([1.0, -1.0, 1.0, 50.0]), np.array([0.1, 0.1, 0.1, 10.0])
    by_hand = math.sqrt((3 + 1e-4 * 2500) / (3 + 1e-4))
    assert rms(values, sigma) == pytest.approx(by_hand)
    assert rms(values) > 20


def test_equal_sigmas_change_nothing() -> None:
    values = np.random.default_rng(3).normal(0, 2, (40, 2))
    assert rms(values, np.full_like(values, 0.3)) == pytest.approx(rms(values), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_spread_is_the_standard_deviation_of_normal_values(dtype: type) -> None:
    values = np.random.default_rng(5).normal(7, 3, 40001).astype(dtype)
    assert spread(values) == pytest.approx(3, rel=0.02)
    from scipy import stats  # takes a second

    assert spread(values) == pytest.approx(stats.median_abs_deviation(values, scale="normal"), rel=1e-4)


def test_spread_does_not_see_a_few_wild_values() -> None:
    values = np.random.default_rng(6).normal(0, 1, 1001)
    wild = values.copy()
    wild[:50] = 1e9
    assert spread(wild) == pytest.approx(spread(values), rel=0.1)


def test_spread_about_a_given_place() -> None:
    values = np.array([1.0, 2.0, 4.0])
    assert spread(values) == pytest.approx(1.4826)  # |1-2|, 0, |4-2|
    assert spread(values, about=0.0) == pytest.approx(1.4826 * 2)
    assert spread(-values, about=0.0) == spread(values, about=0.0)


def test_weights_fall_off_by_three_times_the_spread() -> None:
    off = np.abs(np.random.default_rng(2).normal(0, 0.7, 4001))
    usual = spread(off, about=0.0)
    weight = cauchy_weights(np.append(off, [3 * usual, 30 * usual]))
    assert weight[-2] == pytest.approx(0.5, abs=1e-3)
    assert weight[-1] == pytest.approx(1 / 101, rel=1e-2)
    assert (np.diff(weight[:-2][np.argsort(off)]) <= 0).all()
    np.testing.assert_allclose(cauchy_weights(np.zeros(5)), 1.0)
