"""The way back, by Newton's method."""

from __future__ import annotations

import numpy as np
import pytest
from hub import SHAPE, Wave, modules, wave

from pyfai_gridcal.records.field import CornerField, SampledField, corner_values
from pyfai_gridcal.records.inverse import newton, observed_of


def places(n=400, seed=0):
    return np.random.default_rng(seed).uniform((5, 5), (SHAPE[0] - 5, SHAPE[1] - 5), (n, 2))


class Counted(Wave):
    """Counts the places that it is asked about."""

    asked = 0

    def at(self, yx):
        type(self).asked += len(yx)
        return super().at(yx)


def test_few_questions_for_each_point():
    """Two or three steps; slopes only where another one is needed."""
    true = places()
    found = newton(Counted(), true + Wave().at(true), true + 3.0, tolerance=1e-6, iterations=60)
    assert np.abs(found - true).max() < 2e-6
    assert Counted.asked <= 12 * len(true)


def test_a_start_that_is_the_answer_is_looked_at_all_the_same():
    """No step was taken, and still a fold is no answer."""
    nodes = np.array([0.0, 99.0]), np.array([0.0, 129.0])
    y, x = np.meshgrid(*nodes, indexing="ij")
    fold = SampledField(*nodes, np.stack([-2.0 * (y - 50), 0 * x], axis=-1))
    at = np.array([[50.0, 60.0], [20.0, 30.0]])
    assert np.isnan(newton(fold, at + fold.at(at), at, tolerance=1e-6, iterations=20)).all()


def test_limits_end_it():
    target = places()
    far = np.full_like(target, 100.0)
    assert np.isnan(newton(Wave(), target, far, tolerance=1e-6, iterations=1)).all()
    short = newton(Wave(), target, far, tolerance=1e-6, iterations=3, longest=1.0)
    assert np.isnan(short).any(axis=1).mean() > 0.9
    nowhere = np.array([[np.nan, 3.0], [np.inf, 2.0]])
    assert np.isnan(newton(Wave(), nowhere, nowhere, tolerance=1e-6, iterations=9)).all()


@pytest.mark.parametrize("corners", [False, True])
def test_among_tiles_each_point_is_looked_for_in_its_own(corners):
    truth = modules()
    field = CornerField(corner_values(truth.field, truth.shape)) if corners else truth.field
    inside = np.argwhere(~truth.mask)[::37] + [0.2, -0.3]
    back = observed_of(field, truth.shape, inside + field.at(inside), tolerance=1e-6, iterations=60)
    found = np.isfinite(back).all(axis=1)
    assert found.mean() > 0.99
    np.testing.assert_allclose(back[found] + field.at(back[found]), (inside + field.at(inside))[found], atol=1e-6)


def test_smooth_and_sampled_agree():
    there = places() + 1.0
    sampled = wave()
    np.testing.assert_allclose(
        observed_of(sampled.field, SHAPE, there, tolerance=1e-9, iterations=60), sampled.distort(there), atol=2e-6
    )
