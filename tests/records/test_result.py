"""A result hands out what its fit holds."""

from __future__ import annotations

import numpy as np
from fieldtruth import SHAPE, SQUARE, observe

from pyfai_gridcal.fitting.fitting import fit_distortion
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
