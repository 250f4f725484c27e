"""What neighbouring points share of what a field leaves over."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.base.arrays import Floats
from pyfai_gridcal.base.geometry import tree_of
from pyfai_gridcal.fitting.neighbours import common_motion, surely_common

RNG_SEED = 7


def places(ny: int = 30, nx: int = 34) -> Floats:
    """(N, 2) an oblique lattice, px."""
    ij = np.indices((ny, nx)).reshape(2, -1).T
    return np.array([9.0, 14.0]) + ij @ np.array([[21.0, 2.5], [-3.0, 26.0]])


def test_noise_has_nothing_in_common() -> None:
    yx = places()
    noise = 0.1 * np.random.default_rng(RNG_SEED).standard_normal((len(yx), 2))
    square, error = common_motion(tree_of(yx), noise)
    assert square < 1.5 * error
    assert surely_common(tree_of(yx), noise) == 0


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.2])
def test_a_wave_is_common(noise: float) -> None:
    yx, rng = places(), np.random.default_rng(RNG_SEED)
    yx = yx[rng.random(len(yx)) > 0.1]
    wave = 0.1 * np.sin(yx / (70, 95))
    found = surely_common(tree_of(yx), wave + noise * rng.standard_normal((len(yx), 2)))
    assert found == pytest.approx(np.sqrt((wave**2).sum(axis=1).mean()), rel=0.25)


def test_chance_is_seldom_taken_for_more() -> None:
    tree, rng = tree_of(places()), np.random.default_rng(RNG_SEED)
    taken = [surely_common(tree, rng.standard_normal((tree.n, 2))) > 0 for _ in range(200)]
    assert np.mean(taken) < 0.01


def test_too_few_neighbours_say_nothing() -> None:
    assert common_motion(tree_of(places(2, 3)), np.ones((6, 2))) == (0.0, 0.0)
