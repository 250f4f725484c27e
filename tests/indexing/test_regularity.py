"""True lattices and those that come about by chance."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.base.errors import IndexingError
from pyfai_gridcal.indexing.indexing import index_spots
from pyfai_gridcal.indexing.regularity import regularity_of
from pyfai_gridcal.records.spots import Spots


def cloud(seed: int, count: int = 900) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 500, (count, 2))


def lattice(seed: int, *, shake: float, lost: float = 0.1, pitch: float = 17.3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    i, j = (v.ravel() for v in np.mgrid[0:24, 0:29])
    yx = np.stack([pitch * (i + 0.11 * j), pitch * (j - 0.11 * i)], axis=1)
    yx += 0.0004 * (yx - 150) ** 2  # a field
    yx += shake * pitch * rng.standard_normal(yx.shape)
    return yx[rng.random(len(yx)) > lost]


def regularity(yx: np.ndarray):
    try:
        points = index_spots(Spots.from_positions(yx))
    except IndexingError:
        points = None
    return regularity_of(points, len(yx))


@pytest.mark.parametrize("seed", [0, 1, 2, *(pytest.param(k, marks=pytest.mark.slow) for k in (3, 4, 5))])
def test_random_points_have_a_lattice_by_chance_only(seed: int) -> None:
    assert regularity(cloud(seed)).by_chance


@pytest.mark.parametrize("shake", [0, 0.005, 0.02])
@pytest.mark.parametrize("lost", [0, 0.1, 0.4])
def test_lattices_have_theirs_on_purpose(shake: float, lost: float) -> None:
    found = regularity(lattice(3, shake=shake, lost=lost))
    assert not found.by_chance
    assert found.share > 0.9


def test_irregularity_is_that_of_the_points() -> None:
    """A Rayleigh distribution has its median at 1.177 sigma; the middle of two neighbours adds half a variance."""
    found = regularity(lattice(5, shake=0.01, lost=0.0))
    assert found.irregularity == pytest.approx(1.177 * 0.01 * np.sqrt(1.5), rel=0.1)


def test_a_small_true_lattice_beats_a_large_random_one() -> None:
    true, random = regularity(lattice(3, shake=0.005, lost=0.5)), regularity(cloud(1, 2500))
    assert true.merit > 2 * random.merit


def test_nothing() -> None:
    found = regularity_of(None, 40)
    assert (found.points, found.of, found.merit, found.by_chance) == (0, 40, 0.0, True)
