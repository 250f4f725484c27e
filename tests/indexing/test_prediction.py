"""Frames and predictions of a lattice from its nodes, where the truth is a polynomial."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.base.robust import rms
from pyfai_gridcal.indexing import prediction
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


def test_short_waves_are_bent_as_they_are() -> None:
    """A wave of seven steps bends neighbours differently: a quadratic through them took it for a quarter straighter."""
    ij, flat = np.argwhere(np.ones((20, 23))), 2 * np.pi / 7
    yx = ij * (31.0, 37.0) + 0.4 * np.sin(flat * ij[:, 1:]) * (1.0, -0.5)
    inner = ij[((ij > 1) & (ij < (18, 21))).all(axis=1)]
    _, bend = local_frames(ij, yx, inner)
    true = -0.5 * (flat / 37) ** 2 * 0.4 * np.sin(flat * inner[:, 1:]) * (1.0, -0.5)
    np.testing.assert_allclose(bend[:, 2], true, atol=0.03 * np.abs(true).max())
    np.testing.assert_allclose(bend[:, :2], 0, atol=1e-3 * np.abs(true).max())


@pytest.mark.parametrize(("node", "off"), [((0, 11), 0.15), ((9, 1), 0.1), ((9, 0), 0.6), ((9, 9), 0.1)])
def test_waves_are_bent_at_the_rim_and_at_a_gap(node: tuple[int, int], off: float) -> None:
    """Along the rim, beside it, across it, and next to a hole that is missing: a quadratic was off by 0.26, 0.34, 0.84
    and 0.25."""
    ij, flat = np.argwhere(np.ones((20, 23))), 2 * np.pi / 7
    ij = ij[(ij != (9, 10)).any(axis=1)]
    missed = []
    for phase in np.linspace(0, np.pi, 8, endpoint=False):
        yx = ij * (31.0, 37.0) + 0.4 * np.sin(flat * ij[:, 1:] + phase) * (1.0, 0.0)
        true = -0.5 * (flat / 37) ** 2 * 0.4
        bend = local_frames(ij, yx, np.array([node]))[1][0, 2, 0]
        missed.append(bend / true - np.sin(flat * node[1] + phase))
    assert rms(np.array(missed)) < off / 2**0.5


@pytest.mark.parametrize("axis", [0, 1])
def test_jumps_bend_nothing(axis: int) -> None:
    """A quartic goes through both sides of a jump: of modules of five holes, three quarters seemed bent."""
    ij = np.argwhere(np.ones((20, 23)))
    aside = np.floor(ij[:, axis, None] / 5) % 2 * (0.5, -0.3)
    flat = 2 * np.pi / 9
    _, bend = local_frames(ij, ij * (31.0, 37.0) + aside, ij)
    assert (np.abs(bend).max(axis=(1, 2)) > 1e-5).mean() < 0.1
    # a wave does, but where it goes straight through zero
    wave = 0.4 * np.sin(flat * ij[:, axis, None] + 0.3) * (1.0, -0.5)
    _, bend = local_frames(ij, ij * (31.0, 37.0) + wave, ij)
    assert (np.abs(bend).max(axis=(1, 2)) > 1e-5).mean() > 0.8


def barrel(ij: np.ndarray) -> np.ndarray:
    """Places on a lattice that a lens pulls together in the corners, by up to 400 px."""
    flat = 2 * (np.asarray(ij, float) - (2.3, 21.7)) @ BASIS
    r2 = (flat**2).sum(axis=1)[:, None] / 1400**2
    return flat * (1 - 0.33 * r2 + 0.07 * r2**2)


def test_frames_at_the_rim_of_a_barrel() -> None:
    """Neighbours on one side see what bends more and more too straight, by up to four per cent of the step."""
    rng = np.random.default_rng(3)
    ij, _ = lattice(0.02)
    vectors, bend = local_frames(ij, barrel(ij) + 0.002 * rng.standard_normal(ij.shape), ij)
    true = np.stack([(barrel(ij + 0.01 * e) - barrel(ij - 0.01 * e)) / 0.02 for e in np.eye(2)], axis=1)
    off = np.linalg.norm(vectors - true, axis=(1, 2)) / np.linalg.norm(true, axis=(1, 2))
    assert np.median(off) < 5e-4
    assert np.quantile(off, 0.99) < 4e-3
    # along a step of j the second difference of the places is twice the bend
    step = true[:, 1]
    y, x = step.T
    bent = (y * y)[:, None] * bend[:, 0] + (y * x)[:, None] * bend[:, 1] + (x * x)[:, None] * bend[:, 2]
    second = (barrel(ij + [0, 0.1]) - 2 * barrel(ij) + barrel(ij - [0, 0.1])) / 0.01 / 2
    rim = (ij[:, 1] < 5) | (ij[:, 1] > 37)
    slope = float((bent[rim] * second[rim]).sum() / (second[rim] ** 2).sum())
    assert slope == pytest.approx(1.0, abs=0.05)


def test_a_jump_is_no_trend(monkeypatch: pytest.MonkeyPatch) -> None:
    """A polynomial that does not say what neighbours leave over would only add its waves."""
    ij, yx = lattice(0.02)
    yx = yx + np.where(ij[:, :1] > 3, (4.1, -2.3), 0.0)
    found = local_frames(ij, yx, ij)
    monkeypatch.setattr(prediction.Trend, "of", lambda *_: None)
    for one, other in zip(found, local_frames(ij, yx, ij), strict=True):
        np.testing.assert_array_equal(one, other)


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
