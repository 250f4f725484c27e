"""Islands of lattice: how they are turned, and how they are joined."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.indexing.growth import Cloud, grow, local_lattices
from pyfai_gridcal.indexing.islands import oriented, with_islands

BASIS = np.array([[20.0, 2.0], [-3.0, 26.0]])


@pytest.mark.parametrize("turned", [[[0, 1], [-1, 0]], [[-1, 0], [0, -1]], [[0, -1], [1, 0]]])
def test_square_bases_are_turned_back(turned: list[list[int]]) -> None:
    assert np.allclose(oriented(np.array(turned) @ BASIS, False), BASIS)


def test_hexagonal_bases_have_sixty_degrees() -> None:
    i, j = np.array([17.32, 10.0]), np.array([0.0, 20.0])
    for basis in ([i, j], [-j, i], [j - i, j], [i, i - j]):
        found = oriented(np.array(basis), True)
        assert np.allclose(found, [i, j])


def test_nearest_to_a_reference() -> None:
    reference = np.array([[0, 1], [-1, 0]]) @ BASIS
    assert np.allclose(oriented(BASIS, False, reference), reference)


@pytest.mark.parametrize("gap", [4, 6])
def test_an_island_beyond_a_gap_gets_the_numbers_that_fit(gap: int) -> None:
    ij = np.stack(np.meshgrid(np.arange(9), np.arange(20), indexing="ij"), axis=-1).reshape(-1, 2)
    ij = ij[(ij[:, 1] < 8) | (ij[:, 1] >= 8 + gap)]
    yx = ij @ BASIS + np.random.default_rng(1).normal(0, 0.1, ij.shape)
    cloud = Cloud(yx)
    main = grow(cloud, 0, BASIS)
    assert len(main) == (ij[:, 1] < 8).sum()
    left = np.setdiff1d(np.arange(len(yx)), main.rows)
    patch, doubt = with_islands(cloud, local_lattices(cloud, left), main)
    assert len(patch) == len(yx)
    assert len(np.unique(patch.ij - ij[patch.rows], axis=0)) == 1
    assert doubt < 0.1
