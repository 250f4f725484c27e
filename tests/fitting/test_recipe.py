"""What recipes get, and what all of them can tell about their answer."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.fitting.polynomial import Polynomial
from pyfai_gridcal.fitting.recipe import FieldFit, Sample


@pytest.fixture
def sample() -> Sample:
    rng = np.random.default_rng(0)
    yx = rng.uniform(0, (90, 140), (60, 2))
    d = np.stack([0.01 * yx[:, 1] + 1e-4 * yx[:, 0] ** 2, -0.02 * yx[:, 0]], axis=1)
    return Sample(yx, d + rng.normal(0, 0.02, d.shape), np.full((60, 2), 0.02), (90, 140), 12.0, np.ones(60, bool))


def test_some_points_of_a_sample(sample: Sample) -> None:
    rows = np.array([40, 3, 17])
    some = sample.select(rows)
    assert len(some) == 3
    for name in ("yx", "d", "sigma", "used"):
        np.testing.assert_array_equal(getattr(some, name), getattr(sample, name)[rows])
    assert (some.shape, some.spacing, some.nugget) == (sample.shape, sample.spacing, sample.nugget)


def test_a_sample_cannot_be_changed(sample: Sample) -> None:
    for name in ("yx", "d", "sigma", "used"):
        assert not getattr(sample, name).flags.writeable


def fit_of(held_out: np.ndarray, sigma: np.ndarray | None, used: np.ndarray) -> FieldFit:
    zero = np.zeros_like(held_out)
    return FieldFit("made up", None, zero, held_out, used, zero, zero, sigma=sigma)  # type: ignore[arg-type]


def test_held_out_error_is_that_of_the_points_used() -> None:
    held_out = np.array([[3.0, -4.0], [0.0, 5.0], [100.0, 100.0]])
    used = np.array([True, True, False])
    fit = fit_of(held_out, None, used)
    assert fit.held_out_px == pytest.approx(np.sqrt((9 + 16 + 25) / 4))
    assert fit.held_out_of(np.array([True, False, False])) == pytest.approx(np.sqrt(12.5))


def test_points_known_badly_count_less() -> None:
    held_out = np.array([[0.1, 0.1], [0.1, 0.1], [0.1, 0.1], [9.0, 9.0]])
    sigma = np.array([[0.1, 0.1]] * 3 + [[9.0, 9.0]])
    used = np.ones(4, bool)
    assert fit_of(held_out, None, used).held_out_px > 4
    assert fit_of(held_out, sigma, used).held_out_px < 0.13


def test_every_column_has_the_order_of_the_sample(sample: Sample) -> None:
    fit = Polynomial().fit(sample)
    for name in ("residual", "held_out", "z", "leverage"):
        assert getattr(fit, name).shape == (60, 2), name
    np.testing.assert_allclose(fit.residual, fit.field.at(sample.yx) - sample.d, atol=1e-9)
    np.testing.assert_allclose(fit.held_out, fit.residual / (1 - fit.leverage), rtol=1e-6)
