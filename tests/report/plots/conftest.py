"""A distortion and a fit of which everything is known, for the pictures."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from flat import SHAPE, SIGMA

from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import SampledField
from pyfai_gridcal.records.fit import DistortionFit, Pose, TrialScore
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.points import ControlPoints


@pytest.fixture(autouse=True)
def close_figures():
    # silx chooses a backend of Qt for the whole process, and the windows may have been tested before in this one
    plt.switch_backend("Agg")
    yield
    plt.close("all")


@pytest.fixture
def distortion() -> Distortion:
    y, x = np.array([0.0, 129.0]), np.array([0.0, 209.0])
    # dy = 1 + y / 100, dx = -2 + x / 50
    dy, dx = np.meshgrid(1 + y / 100, -2 + x / 50, indexing="ij")
    mask = np.zeros(SHAPE, bool)
    mask[:, 150:] = True
    field = SampledField(y, x, np.stack([dy, dx], axis=-1))
    sigma = SampledField(y, x, np.full((2, 2, 2), 0.03))
    return Distortion(field, SHAPE, (50e-6, 46e-6), mask, sigma)


@pytest.fixture
def fit(distortion: Distortion) -> DistortionFit:
    rng = np.random.default_rng(3)
    ij = np.stack(np.meshgrid(np.arange(7), np.arange(9), indexing="ij"), axis=-1).reshape(-1, 2)
    yx = ij * (17.3, 21.7) + (8.1, 9.4)
    n = len(yx)
    points = ControlPoints(
        yx, np.full((n, 2), SIGMA), ij, np.arange(n), np.zeros(n), np.array([[17.3, 0.0], [0.0, 21.7]])
    )
    residual = rng.normal(0, SIGMA, (n, 2))
    residual[5] = (3.0, -2.0)
    used = np.ones(n, bool)
    used[5] = False
    trials = (
        TrialScore("bspline", 0.021, True, ((-1.0, 0.03), (0.0, 0.021), (1.0, 0.05))),
        TrialScore("polynomial", 0.04),
        TrialScore("tiles", float("nan"), note="no seam"),
    )
    return DistortionFit(
        distortion, Plate((1e-3, 1e-3)), (points,), (Pose(0.0, (0.0, 0.0)),), (residual,), (1.1 * residual,), (used,),
        trials=trials,
    )  # fmt: skip
