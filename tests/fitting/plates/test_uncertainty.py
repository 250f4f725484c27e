"""The uncertainty of the joint field is that of its shape."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.base.frames import raster_places
from pyfai_gridcal.fitting.plates.joint import Exposure, JointProblem
from pyfai_gridcal.fitting.plates.uncertainty import joint_uncertainty
from pyfai_gridcal.fitting.spline.basis import uniform_axes

SHAPE = (120, 150)


def variance(lean: tuple[np.ndarray, float] | None) -> float:
    """Mean variance of the field of two exposures; with tilts, whose common part nothing determines."""
    y, x = uniform_axes((0.0, 0.0), SHAPE, 8, 4)
    yx = raster_places(np.arange(5.0, 116, 10), np.arange(5.0, 146, 10)).reshape(-1, 2)
    off = yx - (np.array(SHAPE) - 1) / 2
    bends = None if lean is None else off[:, :, None] * off[:, None, :] / 100
    every, sigma = np.ones(len(yx), bool), np.full(yx.shape, 0.01)
    one = Exposure(yx, yx, sigma, np.eye(2), yx.mean(axis=0), np.arange(len(yx)), every, bends)
    problem = JointProblem(y, x, [one, one], len(yx), 4, lean=lean)
    return float(joint_uncertainty(problem, problem.solve(1e3, 0.01)).variance(yx).mean())


def test_a_common_tilt_is_no_part_of_it() -> None:
    upright = variance(None)
    tilted = [variance((np.zeros((2, 2)), sigma)) for sigma in (0.01, 1.0)]
    assert tilted[0] == pytest.approx(tilted[1], rel=1e-3)
    # how the two differ is found, which costs some
    assert upright < tilted[1] < 2.5 * upright
