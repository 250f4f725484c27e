"""The data of a calibration: what is asked for often is found at the top."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hub import wave

from pyfai_gridcal.calibration import Calibration
from pyfai_gridcal.records.fit import DistortionFit, Pose
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.records.result import Result
from pyfai_gridcal.records.settings import Settings
from pyfai_gridcal.records.spots import Spots
from pyfai_gridcal.records.verdict import Verdict

SHAPE = (60, 80)


@pytest.fixture
def result() -> Result:
    yx = np.array([[10.0, 20.0], [10.0, 40.0], [30.0, 20.0]])
    points = ControlPoints(yx, np.full((3, 2), 0.1), [[0, 0], [0, 1], [1, 0]], [0, 1, 2], [0, 0, 0], 20 * np.eye(2))
    column = (np.zeros((3, 2)),)
    fit = DistortionFit(
        *(wave(SHAPE), Plate(1e-3), (points,), (Pose(0.0, (0.0, 0.0)),), column, column, (np.ones(3, bool),))
    )
    return Result(Settings(1e-3), (np.zeros(SHAPE),), (None,), (Spots.from_positions(yx),), fit, Verdict("good"))


def test_short_ways_lead_to_the_fit(result: Result) -> None:
    assert result.distortion is result.fit.distortion
    assert result.points is result.fit.points
    assert result.plate is result.fit.plate
    assert (result.shape, result.pixel_size) == (SHAPE, result.distortion.pixel_size)


def test_displacement_is_that_of_the_distortion(result: Result) -> None:
    dy, dx = result.displacement_maps()
    np.testing.assert_array_equal(np.stack([dy[17, 33], dx[17, 33]]), wave(SHAPE).field.at([[17.0, 33.0]])[0])


def test_a_calibration_is_a_result_with_doors() -> None:
    assert issubclass(Calibration, Result)
    assert {f.name for f in fields(Result)} <= {f.name for f in fields(Calibration)}
