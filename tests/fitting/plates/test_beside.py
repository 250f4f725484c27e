"""A plate and rings together: nearer to the truth than either, in the same normal equations."""

from __future__ import annotations

import numpy as np
import pytest
from ringdrawing import PIXEL, bent, differs, modular, three_images

from pyfai_gridcal import Plate, Spots, fit_distortion, index_spots
from pyfai_gridcal.base.arrays import Floats
from pyfai_gridcal.fitting.plates.beside import WholeUncertainty
from pyfai_gridcal.fitting.spline.basis import uniform_axes
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.rings.solution import fit_rings, witness_of

SHAPE = (220, 250)
PITCH = 18.0
PLATE = Plate(PITCH * PIXEL[0])


def seen_through(
    truth: Distortion, rng: np.random.Generator, hole_px: float, mask: Floats | None = None
) -> ControlPoints:
    """Control points of a plate whose holes are off, rms."""
    axes = [np.arange(9.0, n - 6, PITCH) for n in SHAPE]
    node = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    yx = truth.distort(node + rng.normal(0, hole_px, node.shape))
    yx = yx[np.isfinite(yx).all(axis=1)]
    if mask is not None:
        near = np.rint(yx).astype(int).clip(0, np.array(SHAPE) - 1)
        yx = yx[~mask[near[:, 0], near[:, 1]]]
    return index_spots(Spots.from_positions(yx + rng.normal(0, 0.01, yx.shape)))


def size_of(error: Floats) -> float:
    return float(np.sqrt((error**2).mean()))


def test_together_they_are_nearer_than_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyfai_gridcal.rings.solution._held_out", lambda *_: 0.0)  # takes most of the time
    rng = np.random.default_rng(1)
    truth = bent(SHAPE, 0.8, rng)
    points, images = seen_through(truth, rng, 0.15), three_images(truth, rng)
    told = {"plate": PLATE, "shape": SHAPE, "pixel_size": PIXEL}
    plate = fit_distortion(points, **told)
    both = fit_distortion(points, **told, witness=lambda size: witness_of(images, SHAPE, size))
    rings = fit_rings(images, shape=SHAPE, pixel_size=PIXEL)
    errors = [size_of(differs(one.distortion, truth, rng)) for one in (plate, rings, both)]
    assert errors[2] < 0.8 * min(errors[:2])
    assert sum("rings of image" in note for note in both.notes) == 4


def test_modules_with_a_plate() -> None:
    """What the plate's holes are off by, the rings take out of the motions of modules, and the other way round."""
    rng = np.random.default_rng(2)
    truth, mask = modular(SHAPE, rng)
    points, images = seen_through(truth, rng, 0.1, mask), three_images(truth, rng, seen=~mask)
    both = fit_distortion(
        points, plate=PLATE, shape=SHAPE, pixel_size=PIXEL, mask=mask,
        witness=lambda size: witness_of(images, SHAPE, size, mask=mask),
    )  # fmt: skip
    assert np.abs(differs(both.distortion, truth, rng)).max() < 0.02


def test_uncertainty_leaves_out_what_the_whole_may_do() -> None:
    """A shift of everything, however uncertain, is no uncertainty of the field."""
    from scipy import sparse

    y, x = uniform_axes((0.0, 0.0), (50, 60), 4, 3)
    n, nodes = y.size * x.size, np.random.default_rng(3).uniform(0, 50, (80, 2))
    shift = np.r_[np.ones(n), np.zeros(n)]
    covariance = 4.0 * np.outer(shift, shift) + 1e-6 * np.eye(2 * n)

    def none(yx: Floats) -> sparse.csr_matrix:
        return sparse.csr_matrix((2 * len(yx), 0))

    whole = WholeUncertainty(y, x, none, covariance, nodes)
    assert np.sqrt(whole.variance(nodes)).max() < 2e-3
