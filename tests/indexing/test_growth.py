"""A lattice grown over a cloud of points: bent, torn, and among strangers."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.indexing.growth import Cloud, grow, local_lattices

BASIS = np.array([[21.0, 4.0], [-3.0, 17.0]])


def lattice(rows: int = 12, columns: int = 17) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and places of a sheared lattice that bends by more than a pitch."""
    ij = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1).reshape(-1, 2)
    yx = ij @ BASIS
    return ij, yx + np.stack([2e-4 * yx[:, 1] ** 2, 15 * np.sin(yx[:, 0] / 120)], axis=1)


def test_local_vectors_are_those_of_the_lattice() -> None:
    ij, yx = lattice()
    found = local_lattices(Cloud(yx), np.arange(len(yx)))
    inside = ((ij > 0) & (ij < ij.max(axis=0))).all(axis=1)
    assert (found.score[inside] > 4).all()
    # reduced: the shorter one, along j, comes first
    for row in np.flatnonzero(inside)[::7]:
        short, long = found.basis[row]
        assert np.hypot(*short) <= np.hypot(*long)
        j = yx[row + 1] - yx[row]
        assert min(np.hypot(*(short - j)), np.hypot(*(short + j))) < 1.5


def test_only_the_points_asked_for_are_looked_at() -> None:
    _, yx = lattice()
    found = local_lattices(Cloud(yx), np.array([30, 60]))
    assert np.flatnonzero(found.score).tolist() == [30, 60]
    assert np.isnan(found.basis[0]).all()


def test_every_point_gets_its_node_counted_from_the_seed() -> None:
    ij, yx = lattice()
    seed = 100
    patch = grow(Cloud(yx), seed, BASIS)
    assert len(patch) == len(yx)
    np.testing.assert_array_equal(patch.ij, ij[patch.rows] - ij[seed])
    np.testing.assert_array_equal(patch.ij[patch.rows == seed], [[0, 0]])


def test_holes_and_strangers_are_passed() -> None:
    """One hole of twelve is missing, and there are points that belong to no node."""
    ij, yx = lattice()
    rng = np.random.default_rng(4)
    kept = rng.random(len(ij)) > 1 / 12
    kept[100] = True
    strangers = yx[rng.integers(0, len(yx), 15)] + 0.5 * BASIS.sum(axis=0)
    order = rng.permutation(kept.sum() + 15)
    places = np.concatenate([yx[kept], strangers])[order]
    nodes = np.concatenate([ij[kept], np.full((15, 2), -99)])[order]
    seed = int(np.flatnonzero((nodes == ij[100]).all(axis=1))[0])
    patch = grow(Cloud(places), seed, BASIS)
    assert (nodes[patch.rows] != -99).all(), "strangers lie half a pitch off"
    np.testing.assert_array_equal(patch.ij, nodes[patch.rows] - ij[100])
    assert len(patch) > 0.97 * kept.sum()
    assert len({tuple(node) for node in patch.ij}) == len(patch)


def test_what_is_taken_stays_untouched() -> None:
    ij, yx = lattice()
    taken = ij[:, 1] >= 9
    patch = grow(Cloud(yx), 88, BASIS, taken)
    assert not taken[patch.rows].any()
    assert len(patch) == (~taken).sum()


def test_six_neighbours_lead_through_a_hexagonal_lattice() -> None:
    """A chain along (1, -1), which no square step follows."""
    basis = 18.0 * np.array([[np.sin(np.pi / 3), np.cos(np.pi / 3)], [0.0, 1.0]])
    ij = np.stack([np.arange(12), -np.arange(12)], axis=1)
    patch = grow(Cloud(ij @ basis, hexagonal=True), 0, basis)
    np.testing.assert_array_equal(patch.ij[np.argsort(patch.rows)], ij)


@pytest.mark.parametrize("which", [np.array([5, 2]), slice(0, 3)])
def test_some_of_a_patch(which) -> None:
    _, yx = lattice()
    patch = grow(Cloud(yx), 100, BASIS)
    some = patch.select(which)
    for name in ("rows", "ij", "basis"):
        np.testing.assert_array_equal(getattr(some, name), getattr(patch, name)[which])
