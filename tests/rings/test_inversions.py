"""Inversions of strong fields: the mean of what the points allow, not one end of it."""

from __future__ import annotations

import numpy as np
import pytest
from ringdrawing import PIXEL, bent, three_images

from pyfai_gridcal.base.arrays import Floats
from pyfai_gridcal.fitting.plates.joint import JointSolution
from pyfai_gridcal.fitting.spline.basis import Axis, uniform_axes
from pyfai_gridcal.rings import solution
from pyfai_gridcal.rings.bends import bends
from pyfai_gridcal.rings.inversions import averaged
from pyfai_gridcal.rings.witness import RingWitness

SHAPE = (220, 250)


def test_a_strong_field_is_as_uncertain_as_its_two_solutions_are_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tilts of one sign or the other make nearly the same ellipses."""
    rng = np.random.default_rng(7009)
    images = three_images(bent(SHAPE, 8.0, rng), rng, degrees=5.0, noise_px=0.05)
    told: list[tuple[RingWitness, JointSolution, RingWitness, Floats]] = []

    def heard(witness: RingWitness, y: Axis, x: Axis, found: JointSolution) -> tuple[RingWitness, Floats]:
        told.append((witness, found, *averaged(witness, y, x, found)))
        return told[-1][2:]

    monkeypatch.setattr(solution, "averaged", heard)
    y, x = uniform_axes((0.0, 0.0), SHAPE, 14, 3)
    solution._solved(solution.witness_of(images, SHAPE, PIXEL), y, x, lambda *_: None)
    witness, found, mean, covariance = told[0]
    tells = bends(y, x, 1.0)[:2]
    size = tells.shape[1]
    before, after = (np.trace(tells @ c[:size, :size] @ tells.T) for c in (found.covariance, covariance))
    assert after > 1.5 * before
    # the points are as near as before
    for one, other in zip(witness.seen, mean.seen, strict=True):
        assert np.sqrt((other.off**2).mean()) < 1.02 * np.sqrt((one.off**2).mean())
    assert np.abs(mean.geometry[:, 3:] - witness.geometry[:, 3:]).max() > 2e-3
