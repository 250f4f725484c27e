"""Outliers and scatter as the neighbours on the lattice see them."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.indexing.nodes import gross_outliers, isolated_outliers, scatter_of_neighbours


@pytest.fixture
def lattice() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of a turned lattice with a smooth displacement and noise of 0.02 px."""
    ij = np.stack(np.meshgrid(np.arange(-9, 12), np.arange(3, 28), indexing="ij"), -1).reshape(-1, 2)
    ij = ij[np.random.default_rng(0).random(len(ij)) > 0.07]
    yx = ij @ np.array([[20.0, 3.0], [-2.0, 17.0]])
    d = np.stack([3e-5 * yx[:, 0] ** 2 + 0.01 * yx[:, 1], np.sin(yx[:, 1] / 90)], axis=1)
    return yx, ij, d + np.random.default_rng(1).normal(0, 0.02, d.shape)


def test_clean_points_are_kept(lattice: tuple[np.ndarray, ...]) -> None:
    yx, ij, d = lattice
    assert not gross_outliers(yx, ij, d, least=0.3).any()


@pytest.mark.parametrize("size", [0.8, 9.0])
def test_wrong_points_are_found_and_their_neighbours_kept(lattice: tuple[np.ndarray, ...], size: float) -> None:
    yx, ij, d = lattice
    wrong = np.zeros(len(d), bool)
    wrong[[40, 137, 139, 300]] = True
    bad = d.copy()
    bad[wrong, 1] += size
    found = gross_outliers(yx, ij, bad, least=0.3)
    assert np.array_equal(found, wrong)


def test_points_along_a_seam_are_no_outliers(lattice: tuple[np.ndarray, ...]) -> None:
    yx, ij, d = lattice
    torn = d + np.where(ij[:, :1] > 0, 5.0, 0.0)
    assert gross_outliers(yx, ij, torn, least=0.3).mean() < 0.01


def test_a_rough_region_is_not_isolated() -> None:
    yx = np.random.default_rng(0).uniform(0, 100, (200, 2))
    score = np.where(yx[:, 0] > 70, 9.0, 0.8)
    assert not isolated_outliers(yx, score, 5.0).any()
    score[7] = 80.0
    assert np.flatnonzero(isolated_outliers(yx, score, 5.0)).tolist() == [7]


def test_not_a_number_is_an_outlier() -> None:
    score = np.ones(30)
    score[3] = np.nan
    assert isolated_outliers(np.random.default_rng(0).uniform(size=(30, 2)), score, 5.0)[3]


def test_scatter_is_the_noise(lattice: tuple[np.ndarray, ...]) -> None:
    _, ij, d = lattice
    assert scatter_of_neighbours(ij, d) == pytest.approx(0.02, rel=0.15)
