"""Frames and predictions of a lattice from its nodes, where the truth is a polynomial."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.indexing.prediction import local_frames, missing_nodes, predicted

BASIS = np.array([[30.0, 2.0], [-1.0, 33.0]])


def lattice(missing: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Nodes in disorder and their places on a quadratic field."""
    rng = np.random.default_rng(0)
    ij = np.stack(np.meshgrid(np.arange(-9, 14), np.arange(3, 40), indexing="ij"), axis=-1).reshape(-1, 2)
    ij = rng.permutation(ij[rng.random(len(ij)) >= missing])
    return ij, place(ij)


def place(ij: np.ndarray) -> np.ndarray:
    i, j = np.asarray(ij, float).T
    return np.stack([i, j], axis=1) @ BASIS + np.stack(
        [0.05 * i * i - 0.02 * i * j, 0.03 * j * j + 0.01 * i * j], axis=1
    )


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_frames_of_a_quadratic_field(missing: float) -> None:
    ij, yx = lattice(missing)
    at = ij[::7]
    vectors, bend = local_frames(ij, yx, at)
    i, j = at.astype(float).T
    true = np.broadcast_to(BASIS, vectors.shape).copy()
    true[:, 0] += np.stack([0.1 * i - 0.02 * j, 0.01 * j], axis=1)
    true[:, 1] += np.stack([-0.02 * i, 0.06 * j + 0.01 * i], axis=1)
    np.testing.assert_allclose(vectors, true, atol=2e-2)
    # an offset of a step of i and half a step of j is bent by the field's second order
    step = np.array([1.0, 0.5])
    dy, dx = (step @ true).transpose()
    bent = (dy * dy)[:, None] * bend[:, 0] + (dy * dx)[:, None] * bend[:, 1] + (dx * dx)[:, None] * bend[:, 2]
    np.testing.assert_allclose(bent, np.broadcast_to([0.05 - 0.01, 0.03 / 4 + 0.005], bent.shape), atol=3e-3)


def test_missing_nodes_are_predicted_where_they_are() -> None:
    ij, yx = lattice(0.1)
    nodes = missing_nodes(ij)
    inside = (nodes > ij.min(axis=0)).all(axis=1) & (nodes < ij.max(axis=0)).all(axis=1)
    assert 40 < inside.sum() < 150
    np.testing.assert_allclose(predicted(ij, yx, nodes[inside]), place(nodes[inside]), atol=0.02)


def test_pieces_far_apart_need_no_memory() -> None:
    ij, yx = lattice()
    far = np.concatenate([ij, ij + 10**7])
    vectors, _ = local_frames(far, np.concatenate([yx, yx]), ij[:20])
    np.testing.assert_allclose(vectors, local_frames(ij, yx, ij[:20])[0], atol=1e-2)
