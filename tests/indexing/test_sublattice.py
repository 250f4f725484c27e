"""Lattices that were taken too coarse, and bases that were taken too long."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.indexing.growth import Patch
from pyfai_gridcal.indexing.indexing import index_spots
from pyfai_gridcal.indexing.sublattice import finer, reduced
from pyfai_gridcal.records.spots import Spots

BASIS = np.array([[19.0, 3.0], [-2.5, 21.0]])


def cloud(rng: np.random.Generator, missing: float) -> tuple[np.ndarray, np.ndarray]:
    ij = np.stack(np.meshgrid(np.arange(-13, 14), np.arange(-15, 16), indexing="ij"), axis=-1).reshape(-1, 2)
    ij = ij[rng.random(len(ij)) > missing]
    return ij, ij @ BASIS + rng.normal(0, 0.1, ij.shape)


def patch_on(rows: np.ndarray, ij: np.ndarray, coarse: np.ndarray) -> Patch:
    basis = np.tile(coarse @ BASIS, (len(rows), 1, 1))
    return Patch(rows, np.rint(ij[rows] @ np.linalg.inv(coarse)).astype(int), basis)


@pytest.mark.parametrize(
    "coarse",
    [((1, 1), (-1, 1)), ((2, 0), (0, 1)), ((1, 0), (0, 2)), ((2, 0), (0, 2))],
    ids=["diagonal", "rows", "columns", "both"],
)
def test_a_sublattice_is_seen_and_mended(coarse: tuple[tuple[int, int], ...]) -> None:
    ij, yx = cloud(np.random.default_rng(2), 0.5)
    taken = np.array(coarse)
    node = ij @ np.linalg.inv(taken)
    rows = np.flatnonzero(np.abs(node - np.rint(node)).max(axis=1) < 1e-9)
    matrix = finer(yx, patch_on(rows, ij, taken))
    assert matrix is not None
    assert abs(np.linalg.det(matrix @ taken)) == pytest.approx(1)
    steps = reduced(matrix @ taken @ BASIS) @ np.linalg.inv(BASIS)
    assert np.allclose(steps, np.rint(steps))


def test_a_lattice_with_dirt_between_stays_as_it_is() -> None:
    rng = np.random.default_rng(3)
    ij, yx = cloud(rng, 0.0)
    dirt = rng.uniform(yx.min(axis=0), yx.max(axis=0), (len(yx) // 2, 2))
    patch = patch_on(np.arange(len(yx)), ij, np.eye(2, dtype=int))
    assert finer(yx, patch) is None
    assert finer(np.concatenate([yx, dirt]), patch) is None


def test_a_second_exposure_is_no_finer_lattice() -> None:
    ij, yx = cloud(np.random.default_rng(4), 0.0)
    patch = patch_on(np.arange(len(yx)), ij, np.eye(2, dtype=int))
    assert finer(np.concatenate([yx, yx + 0.3 * BASIS[0] + 0.4 * BASIS[1]]), patch) is None


def test_reduced_basis_is_the_shortest() -> None:
    long = np.array([[3, 1], [2, 1]]) @ BASIS
    got = reduced(long)
    assert abs(np.linalg.det(got)) == pytest.approx(abs(np.linalg.det(BASIS)))
    assert sorted(np.hypot(*got.T)) == pytest.approx(sorted(np.hypot(*BASIS.T)))


@pytest.mark.parametrize("missing", [0.4, 0.5, 0.6])
@pytest.mark.parametrize("seed", range(4))
def test_half_the_holes_may_be_missing(missing: float, seed: int) -> None:
    ij, yx = cloud(np.random.default_rng(seed), missing)
    points = index_spots(Spots.from_positions(yx))
    assert len(points) > 0.8 * len(yx)
    design = np.column_stack([ij[points.spot], np.ones(len(points))])
    matrix, *_ = np.linalg.lstsq(design, points.ij.astype(float), rcond=None)
    assert np.abs(design @ np.rint(matrix) - points.ij).max() < 1e-6
    assert abs(np.linalg.det(np.rint(matrix[:2]))) == pytest.approx(1)
