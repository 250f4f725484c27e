"""Fits of single spots: to their places, at the bound, past hot pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from looking import candidates, picture, prepared, search
from scipy.spatial import cKDTree

from pyfai_gridcal.finding.model import start_from
from pyfai_gridcal.finding.refinement import FittedSpots, fit_spots


def true_of(yx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True place and Cramér-Rao bound of the holes nearest to these places."""
    truth = picture().truth
    rows = cKDTree(truth.yx).query(yx)[1]
    return truth.yx[rows], truth.sigma_yx[rows]


@pytest.fixture(scope="module")
def fitted() -> FittedSpots:
    return search()[2].fitted


def test_places_scatter_by_their_sigma_which_is_the_bound(fitted: FittedSpots) -> None:
    whole = search()[0].image.is_whole(fitted.yx, search()[0].reach)
    yx, bound = true_of(fitted.yx)
    sigma = np.sqrt(np.einsum("nii->ni", fitted.covariance)[:, :2])
    assert fitted.good.all()
    assert whole.sum() > 50
    np.testing.assert_allclose(np.median(sigma[whole] / bound[whole]), 1.0, atol=0.15)
    pull = (fitted.yx - yx)[whole] / sigma[whole]
    assert np.sqrt(np.mean(pull**2)) == pytest.approx(1.0, abs=0.2)


def test_chi_square_is_one(fitted: FittedSpots) -> None:
    assert np.median(fitted.chi2) == pytest.approx(1.0, abs=0.1)


def test_light_is_that_of_the_scene(fitted: FittedSpots) -> None:
    scene = picture().scene
    at = np.rint(fitted.yx).astype(int)
    lamp = scene.light.lamp(scene.shape)[tuple(at.T)]
    np.testing.assert_allclose(fitted.amplitude / (4000 * lamp), 1.0, atol=0.05)
    np.testing.assert_allclose((fitted.background - 100) / (700 * lamp), 1.0, atol=0.15)


def test_order_of_the_spots_and_threads_do_not_matter() -> None:
    tools, state, _ = search()
    rows = np.random.default_rng(0).permutation(len(state))
    one = tools.fit(state, 3)
    other = replace(tools, workers=3).fit(state.select(rows), 3)
    np.testing.assert_allclose(other.yx, one.yx[rows], atol=1e-6)


@pytest.mark.parametrize("excess", [1000, 5000, 60_000])
def test_a_hot_pixel_is_left_out(excess: int) -> None:
    """One that is beyond belief is not even looked at, and marks no spot."""
    tools, state, _ = search()
    image = prepared()
    row = int(np.flatnonzero(image.is_whole(candidates(), tools.reach + 3))[0])
    y, x = np.rint(candidates()[row]).astype(int) + image.pad
    image.data[y + 2, x - 1] += excess
    one = state.select(np.array([row]))
    bank = tools.maker.bank(one.stretch, 1)
    hot = fit_spots(image, one, bank, tools.learned.noise, iterations=5, limit=tools.limit)
    clean = fit_spots(prepared(), one, bank, tools.learned.noise, iterations=5, limit=tools.limit)
    assert hot.clipped[0] == (excess < 50_000)
    assert not clean.clipped[0]
    assert np.abs(hot.yx - clean.yx).max() < 1e-3


def test_what_runs_away_is_not_good() -> None:
    """Between the holes there is nothing that a fit could stay at."""
    tools, _, _ = search()
    image = prepared()
    between = candidates()[:40] + np.array([13.0, 0.0])
    between = between[image.is_whole(between, tools.reach)]
    state = start_from(image, between, tools.reach, tools.radius)
    fitted = tools.fit(state, 5)
    strength = fitted.amplitude / np.sqrt(fitted.covariance[:, 2, 2])
    assert not (fitted.good & (strength > 5) & (fitted.chi2 < 3)).any()
