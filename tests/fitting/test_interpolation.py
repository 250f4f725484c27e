"""Interpolants go through the points, and their held-out error is that of folds."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.fitting.interpolation import GridData, ThinPlate, held_out, scattered_folds
from pyfai_gridcal.fitting.recipe import Recipe, Sample
from pyfai_gridcal.synthetic import fields

SHAPE = (200, 260)


def sample() -> Sample:
    ij = np.stack(np.meshgrid(np.arange(12), np.arange(15), indexing="ij"), -1).reshape(-1, 2)
    yx = 9.0 + ij * 16.5 + np.random.default_rng(0).uniform(-2, 2, (180, 2))
    d = fields.smooth(SHAPE, 5.0, 90.0, np.random.default_rng(1)).at(yx)
    return Sample(yx, d, np.full((180, 2), 0.01), SHAPE, 16.5, np.ones(180, bool))


@pytest.mark.parametrize(("recipe", "most"), [(ThinPlate(), 0.2), (GridData(), 0.5)])
def test_interpolants(recipe: Recipe, most: float) -> None:
    fit = recipe.fit(sample())
    truth = fields.smooth(SHAPE, 5.0, 90.0, np.random.default_rng(1))
    at = np.random.default_rng(2).uniform((20, 20), (170, 230), (200, 2))
    assert (fit.field.at(at) - truth.at(at)).std() < 0.15
    assert 0.01 < fit.held_out_px < 4 * most
    assert np.abs(fit.residual).max() < most


def test_folds() -> None:
    fold = scattered_folds(101, 5)
    assert np.bincount(fold).tolist() == [21, 20, 20, 20, 20]


def test_held_out_does_not_see_its_fold() -> None:
    given = sample()
    fold = scattered_folds(180, 6)

    def predict(train: Sample, yx: np.ndarray) -> np.ndarray:
        assert not (train.yx[:, None] == yx[None]).all(axis=2).any()
        return np.zeros(yx.shape)

    assert np.array_equal(held_out(given, fold, predict), -given.d)
