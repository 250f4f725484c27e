"""A result hands out what its fit holds."""

from __future__ import annotations

from dataclasses import fields as fields_of
from dataclasses import replace

import numpy as np
import pytest
from fieldtruth import SHAPE, SQUARE, observe
from hub import wave

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.calibration import Calibration
from pyfai_gridcal.fitting.fitting import fit_distortion
from pyfai_gridcal.records.fit import DistortionFit, Pose
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.records.result import Result
from pyfai_gridcal.records.settings import Settings
from pyfai_gridcal.records.spots import Spots
from pyfai_gridcal.records.verdict import Verdict
from pyfai_gridcal.synthetic import fields


def test_what_the_fit_holds_is_at_hand() -> None:
    truth = observe(fields.linear(SHAPE, shear=0.01, stretch=0.004), plate=SQUARE)
    fit = fit_distortion(truth.points, plate=SQUARE, shape=SHAPE, model="polynomial")
    image = np.zeros(SHAPE)
    result = Result(Settings(1e-3), (image,), (None,), (Spots.from_positions(truth.points.yx),), fit, Verdict(()))
    assert result.shape == SHAPE
    assert result.points is fit.points
    assert result.plate is fit.plate
    assert result.pixel_size == fit.distortion.pixel_size
    assert result.notes == ()
    dy, dx = result.displacement_maps()
    at = np.array([[30.0, 400.0], [333.0, 77.0]])
    maps = np.stack([dy[[30, 333], [400, 77]], dx[[30, 333], [400, 77]]], axis=1)
    assert np.allclose(maps, fit.distortion.displacement(at))


def test_all_of_one_exposure_is_together() -> None:
    truth = observe(fields.linear(SHAPE, shear=0.01), plate=SQUARE)
    fit = fit_distortion(truth.points, plate=SQUARE, shape=SHAPE, model="polynomial")
    image, spots = np.zeros(SHAPE), Spots.from_positions(truth.points.yx)
    result = Result(Settings(1e-3), (image,), (None,), (spots,), fit, Verdict(()))
    assert " in 1 exposure, " in repr(result)
    one = result.exposure(0)
    assert one.image is image
    assert one.spots is spots
    assert one.points is fit.points[0]
    assert one.residual_yx is fit.residual_yx[0]
    assert "array(" not in repr(one)
    assert len(repr(one)) < 400
    assert replace(result, images=(), masks=()).exposure().image is None
    for number in (-1, 1):
        with pytest.raises(UsageError, match="a number from 0 to 0"):
            result.exposure(number)


SMALL = (60, 80)


@pytest.fixture
def result() -> Result:
    yx = np.array([[10.0, 20.0], [10.0, 40.0], [30.0, 20.0]])
    points = ControlPoints(yx, np.full((3, 2), 0.1), [[0, 0], [0, 1], [1, 0]], [0, 1, 2], [0, 0, 0], 20 * np.eye(2))
    column = (np.zeros((3, 2)),)
    fit = DistortionFit(
        *(wave(SMALL), Plate(1e-3), (points,), (Pose(0.0, (0.0, 0.0)),), column, column, (np.ones(3, bool),))
    )
    return Result(Settings(1e-3), (np.zeros(SMALL),), (None,), (Spots.from_positions(yx),), fit, Verdict("good"))


def test_displacement_is_that_of_the_distortion(result: Result) -> None:
    dy, dx = result.displacement_maps()
    np.testing.assert_array_equal(np.stack([dy[17, 33], dx[17, 33]]), wave(SMALL).field.at([[17.0, 33.0]])[0])


def test_a_calibration_is_a_result_with_doors() -> None:
    assert issubclass(Calibration, Result)
    assert {f.name for f in fields_of(Result)} <= {f.name for f in fields_of(Calibration)}
