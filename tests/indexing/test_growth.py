"""Growth from one seed: over holes that are missing, not over gaps that are too wide."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyfai_gridcal.indexing import growth
from pyfai_gridcal.indexing.growth import Cloud, grow, grow_on, local_lattices

BASIS = np.array([[19.0, 4.0], [-3.0, 27.0]])


def cloud(rows: int = 9, columns: int = 14, *, noise: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and places of a slanted rectangular lattice."""
    ij = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1).reshape(-1, 2)
    return ij, ij @ BASIS + np.random.default_rng(0).normal(0, noise, ij.shape)


def test_every_point_gets_its_node() -> None:
    ij, yx = cloud()
    seed = 40
    patch = grow(Cloud(yx), seed, BASIS)
    assert len(patch) == len(yx)
    assert np.array_equal(patch.ij, ij[patch.rows] - ij[seed])
    assert np.abs(patch.basis - BASIS).max() < 1.0


def test_missing_holes_are_stepped_over_and_wide_gaps_are_not() -> None:
    ij, yx = cloud()
    one = ij[:, 1] != 5
    assert len(grow(Cloud(yx[one]), 0, BASIS)) == one.sum()
    three = (ij[:, 1] < 5) | (ij[:, 1] > 7)
    assert len(grow(Cloud(yx[three]), 0, BASIS)) == (ij[three, 1] < 5).sum()


def test_taken_points_are_not_touched() -> None:
    ij, yx = cloud()
    taken = ij[:, 0] > 5
    patch = grow(Cloud(yx), 0, BASIS, taken)
    assert not taken[patch.rows].any()
    assert len(patch) == (~taken).sum()


def test_what_lies_off_its_node_stays_out() -> None:
    _, yx = cloud()
    yx[60] += 0.4 * BASIS[0]
    assert 60 not in grow(Cloud(yx), 0, BASIS).rows
    assert 60 in grow(Cloud(yx, tolerance=0.5), 0, BASIS).rows


@pytest.mark.parametrize("turn", [0.0, 0.6])
def test_local_vectors_are_the_shortest(turn: float) -> None:
    _, yx = cloud()
    c, s = np.cos(turn), np.sin(turn)
    yx = yx @ np.array([[c, s], [-s, c]])
    local = local_lattices(Cloud(yx), np.arange(20, 100))
    known = local.score > 4
    assert not known[:20].any()
    assert known[20:100].sum() > 40
    assert np.hypot(*local.basis[known, 0].T) == pytest.approx(np.hypot(*BASIS[0]), rel=0.05)
    assert np.hypot(*local.basis[known, 1].T) == pytest.approx(np.hypot(*BASIS[1]), rel=0.05)


STEPS = np.array([[21.0, 4.0], [-3.0, 17.0]])


def lattice(rows: int = 12, columns: int = 17) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and places of a sheared lattice that bends by more than a pitch."""
    ij = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1).reshape(-1, 2)
    yx = ij @ STEPS
    return ij, yx + np.stack([2e-4 * yx[:, 1] ** 2, 15 * np.sin(yx[:, 0] / 120)], axis=1)


def test_only_the_points_asked_for_are_looked_at() -> None:
    _, yx = lattice()
    found = local_lattices(Cloud(yx), np.array([30, 60]))
    assert np.flatnonzero(found.score).tolist() == [30, 60]
    assert np.isnan(found.basis[0]).all()


def test_six_neighbours_lead_through_a_hexagonal_lattice() -> None:
    """A chain along (1, -1), which no square step follows."""
    basis = 18.0 * np.array([[np.sin(np.pi / 3), np.cos(np.pi / 3)], [0.0, 1.0]])
    ij = np.stack([np.arange(12), -np.arange(12)], axis=1)
    patch = grow(Cloud(ij @ basis, hexagonal=True), 0, basis)
    np.testing.assert_array_equal(patch.ij[np.argsort(patch.rows)], ij)


@pytest.mark.parametrize("which", [np.array([5, 2]), slice(0, 3)])
def test_some_of_a_patch(which) -> None:
    _, yx = lattice()
    patch = grow(Cloud(yx), 100, STEPS)
    some = patch.select(which)
    for name in ("rows", "ij", "basis"):
        np.testing.assert_array_equal(getattr(some, name), getattr(patch, name)[which])


def test_growth_goes_on_from_what_has_grown() -> None:
    _, yx = cloud()
    whole = grow(Cloud(yx), 40, BASIS)
    part = whole.select(np.flatnonzero(whole.ij[:, 1] < 3))
    more = grow_on(Cloud(yx), part)
    assert np.array_equal(more.rows, whole.rows)
    assert np.array_equal(more.ij, whole.ij)
    np.testing.assert_allclose(more.basis, whole.basis)


def test_a_bent_lattice_gets_the_same_nodes_however_far_generations_go_straight_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ij, _ = cloud(160, 190)
    ij = ij[(ij[:, 0] != 101) | (ij[:, 1] < 90)]  # a line of holes is missing half of the way
    u, v = (ij / (160, 190)).T
    bend = np.column_stack([70 * v**2 - 50 * u * v, 90 * u**2 - 40 * v**3])
    yx = ij @ BASIS + bend + np.random.default_rng(1).normal(0, 0.4, ij.shape)
    counts: list[int] = []

    def counted(*args: Any, generation: Any = growth._generation) -> Any:
        counts[-1] += 1
        return generation(*args)

    monkeypatch.setattr(growth, "_generation", counted)
    counts.append(0)
    far = grow(Cloud(yx), 15000, BASIS)
    assert np.array_equal(far.ij, ij[far.rows] - ij[15000])
    assert len(far) == len(yx)
    monkeypatch.setattr(growth, "_LEAP", 1)
    counts.append(0)
    near = grow(Cloud(yx), 15000, BASIS)
    assert np.array_equal(near.rows, far.rows)
    assert np.array_equal(near.ij, far.ij)
    assert counts[0] < counts[1]
