"""Which way the axes point, and pieces of lattice that a gap keeps apart."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.indexing.growth import Cloud, Patch, grow, local_lattices
from pyfai_gridcal.indexing.islands import oriented, seeds_of, with_islands

BASIS = np.array([[19.0, 2.0], [-2.0, 16.0]])


@pytest.mark.parametrize("signs", [(1, 1), (-1, 1), (1, -1), (-1, -1)])
@pytest.mark.parametrize("swapped", [False, True])
def test_of_equivalent_bases_j_is_nearest_to_fast(signs: tuple[int, int], swapped: bool) -> None:
    given = BASIS * np.array(signs)[:, None]
    given = given[::-1] if swapped else given
    np.testing.assert_array_equal(oriented(given, False), BASIS)


def test_a_reference_decides_where_there_is_one() -> None:
    quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])
    np.testing.assert_array_equal(oriented(BASIS, False, BASIS @ quarter), np.array([BASIS[1], -BASIS[0]]))


@pytest.mark.parametrize("turn", [0, 1, 2, 3, 4, 5])
def test_hexagonal_axes_enclose_sixty_degrees(turn: int) -> None:
    """Whichever two of the six neighbours are given."""
    angle = np.deg2rad(4.0 + 60 * np.arange(6))
    around = 17.0 * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    found = oriented(np.array([around[turn], around[(turn + 2) % 6]]), True)
    i, j = found
    np.testing.assert_allclose(j, around[0], atol=1e-9)
    np.testing.assert_allclose(i, around[1], atol=1e-9)


@pytest.fixture
def torn() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and places of two pieces of one lattice, four columns apart, the right one larger."""
    ij = np.stack(np.meshgrid(np.arange(10), np.arange(22), indexing="ij"), axis=-1).reshape(-1, 2)
    ij = ij[(ij[:, 1] < 7) | (ij[:, 1] > 10)]
    yx = ij @ BASIS
    return ij, yx + np.random.default_rng(2).normal(0, 0.1, yx.shape)


def test_pieces_across_a_gap_are_counted_through(torn: tuple[np.ndarray, np.ndarray]) -> None:
    ij, yx = torn
    cloud = Cloud(yx)
    local = local_lattices(cloud, np.arange(len(yx)))
    seed = int(np.flatnonzero((ij == (5, 15)).all(axis=1))[0])
    patch = grow(cloud, seed, BASIS)
    assert len(patch) < len(yx), "the growth cannot pass the gap"
    whole, doubt = with_islands(cloud, local, patch)
    assert len(whole) == len(yx)
    offset = whole.ij - ij[whole.rows]
    assert (offset == offset[0]).all()
    assert doubt < 0.1


def test_a_piece_between_the_nodes_is_doubted(torn: tuple[np.ndarray, np.ndarray]) -> None:
    """Moved by nearly half a pitch, it could as well belong to the next node."""
    ij, yx = torn
    yx = yx + np.where(ij[:, 1:] < 7, 0.42 * BASIS[1], 0.0)
    cloud = Cloud(yx)
    local = local_lattices(cloud, np.arange(len(yx)))
    seed = int(np.flatnonzero((ij == (5, 15)).all(axis=1))[0])
    _, doubt = with_islands(cloud, local, grow(cloud, seed, BASIS))
    assert doubt > 0.3


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
    cloud = Cloud(ij @ BASIS)
    patch = grow(cloud, 20, BASIS)
    whole, doubt = with_islands(cloud, local_lattices(cloud, np.arange(len(ij))), patch)
    assert isinstance(whole, Patch)
    np.testing.assert_array_equal(whole.rows, patch.rows)
    assert doubt == 0.0
