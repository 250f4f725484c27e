"""Islands of lattice: how they are turned, and how they are joined."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.indexing.growth import Cloud, Patch, grow, local_lattices
from pyfai_gridcal.indexing.islands import oriented, seeds_of, with_islands

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


STEPS = np.array([[19.0, 2.0], [-2.0, 16.0]])


@pytest.fixture
def torn() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and places of two pieces of one lattice, four columns apart, the right one larger."""
    ij = np.stack(np.meshgrid(np.arange(10), np.arange(22), indexing="ij"), axis=-1).reshape(-1, 2)
    ij = ij[(ij[:, 1] < 7) | (ij[:, 1] > 10)]
    yx = ij @ STEPS
    return ij, yx + np.random.default_rng(2).normal(0, 0.1, yx.shape)


def test_a_piece_between_the_nodes_is_doubted(torn: tuple[np.ndarray, np.ndarray]) -> None:
    """Moved by nearly half a pitch, it could as well belong to the next node."""
    ij, yx = torn
    yx = yx + np.where(ij[:, 1:] < 7, 0.42 * STEPS[1], 0.0)
    cloud = Cloud(yx)
    local = local_lattices(cloud, np.arange(len(yx)))
    seed = int(np.flatnonzero((ij == (5, 15)).all(axis=1))[0])
    _, doubt = with_islands(cloud, local, grow(cloud, seed, STEPS))
    assert doubt > 0.3


def test_pieces_that_never_join_the_lattice_leave_no_doubt_of_it(torn: tuple[np.ndarray, np.ndarray]) -> None:
    """Two patches of dirt that are joined between their nodes, far from the plate, say nothing of the plate."""
    ij, yx = torn
    dirt = np.stack(np.meshgrid(np.arange(4), np.arange(12), indexing="ij"), axis=-1).reshape(-1, 2)
    dirt = dirt[(dirt[:, 1] < 4) | (dirt[:, 1] > 7)]
    own = dirt @ STEPS + (0.0, 1200.0) + np.where(dirt[:, 1:] < 4, 0.42 * STEPS[1], 0.0)
    # the dirt alone is a lattice in doubt
    far = Cloud(own)
    apart = local_lattices(far, np.arange(len(own)))
    joined, doubt = with_islands(far, apart, grow(far, int(seeds_of(own, apart, np.ones(len(own), bool))[0]), STEPS))
    assert len(joined) == len(own)
    assert doubt > 0.3
    # beside the plate it is none of it
    cloud = Cloud(np.concatenate([yx, own]))
    local = local_lattices(cloud, np.arange(len(cloud.yx)))
    seed = int(np.flatnonzero((ij == (5, 15)).all(axis=1))[0])
    patch, doubt = with_islands(cloud, local, grow(cloud, seed, STEPS))
    assert sorted(patch.rows.tolist()) == list(range(len(yx)))
    assert doubt < 0.1


def test_seeds_have_a_lattice_around_them(torn: tuple[np.ndarray, np.ndarray]) -> None:
    ij, yx = torn
    alone = np.concatenate([yx, [[-500.0, 900.0]]])
    cloud = Cloud(alone)
    local = local_lattices(cloud, np.arange(len(alone)))
    free = np.ones(len(alone), bool)
    free[3] = False
    seeds = seeds_of(alone, local, free)
    assert not {3, len(alone) - 1} & set(seeds.tolist())
    best = ij[seeds[0]]
    assert 0 < best[0] < 9, "not one of the border"
    assert len(seeds_of(alone, local, np.zeros(len(alone), bool))) == 0


def test_a_patch_without_islands_stays_what_it_is() -> None:
    ij = np.stack(np.meshgrid(np.arange(6), np.arange(9), indexing="ij"), axis=-1).reshape(-1, 2)
    cloud = Cloud(ij @ STEPS)
    patch = grow(cloud, 20, STEPS)
    whole, doubt = with_islands(cloud, local_lattices(cloud, np.arange(len(ij))), patch)
    assert isinstance(whole, Patch)
    np.testing.assert_array_equal(whole.rows, patch.rows)
    assert doubt == 0.0
