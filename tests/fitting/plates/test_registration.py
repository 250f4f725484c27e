"""Fingerprints of plates."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.fitting.plates.registration import Fingerprint, match, register, symmetry_turns
from pyfai_gridcal.records.plate import Plate

SQUARE, HEXAGONAL, OBLONG = Plate((1e-3, 1e-3)), Plate((1e-3, 1e-3), 60.0), Plate((1e-3, 2e-3))


def nodes(rows: tuple[int, int] = (-14, 15), columns: tuple[int, int] = (-17, 15)) -> np.ndarray:
    return np.stack(np.meshgrid(np.arange(*rows), np.arange(*columns), indexing="ij"), -1).reshape(-1, 2)


def errors(ij: np.ndarray) -> np.ndarray:
    """The same error for the same hole."""
    table = np.random.default_rng(0).normal(0, 20e-6, (80, 80, 2))
    return table[ij[:, 0] + 40, ij[:, 1] + 40]


def seen(plate: Plate, ij: np.ndarray, turns: int, offset: tuple[int, int], noise: float, seed: int) -> Fingerprint:
    """Those holes in the numbering of an exposure whose axes are turned: undone by turn number `turns`."""
    matrix, turn = symmetry_turns(plate)[turns]
    own = (ij - offset) @ np.rint(np.linalg.inv(matrix)).astype(int)
    error = errors(ij) @ turn  # its own frame: turned back
    error = error + np.random.default_rng(seed).normal(0, noise, error.shape)
    return Fingerprint(own, error, np.ones(len(ij)))


@pytest.mark.parametrize("plate", [SQUARE, HEXAGONAL, OBLONG])
def test_turns_map_the_lattice_onto_itself(plate: Plate) -> None:
    ij = nodes()
    turns = symmetry_turns(plate)
    assert len(turns) == plate.symmetry
    for matrix, turn in turns:
        assert round(float(np.linalg.det(matrix))) == 1
        assert np.allclose(plate.positions(ij @ matrix), plate.positions(ij) @ turn.T)


@pytest.mark.parametrize(("plate", "turns"), [(SQUARE, 0), (SQUARE, 1), (SQUARE, 3), (HEXAGONAL, 5), (OBLONG, 1)])
def test_turn_and_shift_are_found(plate: Plate, turns: int) -> None:
    known = Fingerprint(nodes(), errors(nodes()), np.ones(len(nodes())))
    part = nodes((-8, 15), (-10, 9))
    found = match(known, seen(plate, part, turns, (3, -5), 10e-6, 1), plate)
    assert found is not None
    assert found.certain
    assert found.shared == len(part)
    new = seen(plate, part, turns, (3, -5), 10e-6, 1)
    assert np.array_equal(new.ij @ found.matrix + found.offset, part)
    assert np.corrcoef((new.error @ found.turn.T).ravel(), errors(part).ravel())[0, 1] > 0.8


def test_noise_matches_nothing() -> None:
    known = Fingerprint(nodes(), errors(nodes()), np.ones(len(nodes())))
    noise = Fingerprint(nodes(), np.random.default_rng(3).normal(0, 20e-6, (len(nodes()), 2)), np.ones(len(nodes())))
    found = match(known, noise, SQUARE)
    assert found is None or not found.certain


def test_a_few_wild_holes_do_not_decide() -> None:
    known = Fingerprint(nodes(), errors(nodes()), np.ones(len(nodes())))
    new = seen(SQUARE, nodes(), 0, (1, 1), 30e-6, 2)
    error = new.error.copy()
    error[::40] += 5e-3
    found = match(known, Fingerprint(new.ij, error, new.weight), SQUARE)
    assert found is not None
    assert found.certain
    assert found.offset.tolist() == [1, 1]


def test_exposures_hang_together_in_a_chain() -> None:
    parts = [nodes((-14, 2)), nodes((-4, 12)), nodes((6, 24))]
    prints = [seen(SQUARE, p, k, (k, -2 * k), 8e-6, k) for k, p in enumerate(parts)]
    prints.append(
        Fingerprint(nodes(), np.random.default_rng(9).normal(0, 20e-6, (len(nodes()), 2)), np.ones(len(nodes())))
    )
    found = register(prints, SQUARE)
    assert found[3] is None
    for part, own, m in zip(parts, prints[:3], found[:3], strict=True):
        assert m is not None
        # all in the numbering of the first
        assert np.array_equal(own.ij @ m.matrix + m.offset, part)
