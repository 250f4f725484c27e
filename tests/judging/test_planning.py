"""Predictions against what comes out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fieldtruth import SHAPE, observe

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.fitting.fitting import fit_distortion
from pyfai_gridcal.judging import planning
from pyfai_gridcal.judging.planning import Illumination, plan, spot_sigma
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.synthetic import fields

PLATE = Plate((1e-3, 1e-3), hole_m=0.4e-3)
PIXEL = (50e-6, 50e-6)


def test_spot_sigma_of_a_disk() -> None:
    """More light, larger holes and less blur are better; shot noise goes with the root."""
    light = Illumination(peak=10000, background=100, readout=0.0, blur_px=1.2)
    assert spot_sigma(8, replace(light, peak=40000, background=400)) == pytest.approx(
        spot_sigma(8, light) / 2, rel=1e-6
    )
    assert spot_sigma(12, light) < spot_sigma(8, light) < spot_sigma(8, replace(light, blur_px=2.0))
    assert spot_sigma(8, replace(light, readout=50.0)) > spot_sigma(8, light)


def test_spot_sigma_is_the_information_of_a_rim() -> None:
    """A blurred straight rim of length pi D, half of it facing each coordinate, over a constant variance."""
    light = Illumination(peak=100.0, background=0.0, readout=50.0, gain=1e-9, blur_px=1.5)
    rim = np.pi * 14.0 / 2 * light.peak**2 / (2 * np.sqrt(np.pi) * light.blur_px) / light.readout**2
    assert spot_sigma(14.0, light) == pytest.approx(1 / np.sqrt(rim), rel=0.05)


@pytest.mark.parametrize("sigma", [0.02, 0.2])
def test_prediction_of_one_exposure(sigma: float) -> None:
    rms = []
    for seed in range(3):
        field = fields.smooth(SHAPE, 6.0, 170.0, np.random.default_rng(seed))
        truth = observe(field, plate=PLATE, pixel_size=PIXEL, sigma=sigma, seed=seed)
        fit = fit_distortion(truth.points, plate=PLATE, shape=SHAPE)
        rms.append(truth.errors(fit.distortion, truth.grid()).std())
    said = plan(PLATE, SHAPE, pixel_size=PIXEL, sigma_px=sigma, amplitude_px=2.0, length_px=110.0).rms_px
    assert said == pytest.approx(np.mean(rms), rel=0.5)


def test_more_exposures_of_an_imperfect_plate() -> None:
    said = [
        plan(PLATE, SHAPE, pixel_size=PIXEL, sigma_px=0.01, plate_error_m=18e-6, exposures=n, amplitude_px=3).rms_px
        for n in (1, 2, 4)
    ]
    assert said[0] > 1.8 * said[1] > 1.8 * 1.5 * said[2]


def test_finer_plates_and_better_light_are_better() -> None:
    light = Illumination(peak=2000, background=300)
    coarse = plan(PLATE, SHAPE, pixel_size=PIXEL, light=light)
    fine = plan(Plate((0.7e-3, 0.7e-3), hole_m=0.4e-3), SHAPE, pixel_size=PIXEL, light=light)
    dim = plan(PLATE, SHAPE, pixel_size=PIXEL, light=Illumination(peak=100, background=300))
    assert fine.spots > 1.8 * coarse.spots
    assert fine.rms_px < coarse.rms_px < dim.rms_px
    assert coarse.worst_px > coarse.rms_px
    assert coarse.coverage(coarse.worst_px) > 0.8
    assert coarse.hole_px == pytest.approx(8.0)


@pytest.mark.parametrize("exposures", [1, 3])
def test_fewer_holes_known_better_predict_the_same(exposures: int, monkeypatch: pytest.MonkeyPatch) -> None:
    dense = Plate((0.4e-3, 0.45e-3), hole_m=0.2e-3)
    how = {"pixel_size": PIXEL, "sigma_px": 0.05, "plate_error_m": 5e-6, "exposures": exposures, "amplitude_px": 3}
    large = (420, 510)  # so that cells hold several holes
    quick = plan(dense, large, **how)
    monkeypatch.setattr(planning, "_HOLES_PER_CELL", 0.0)
    every = plan(dense, large, **how)
    assert quick.spots == every.spots
    assert quick.rms_px == pytest.approx(every.rms_px, rel=0.1)
    assert quick.rms_px != every.rms_px


@pytest.mark.slow
def test_several_exposures_are_as_good_as_predicted() -> None:
    off, places = 10e-6, ((1.2, (0.2, -0.3)), (92.0, (2.4, -1.7)), (-177.0, (-3.1, 1.2)))
    rms = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        ij = np.stack(np.meshgrid(np.arange(-25, 26), np.arange(-25, 26), indexing="ij"), -1).reshape(-1, 2)
        plate = replace(PLATE, error_ij=ij, error_yx=rng.normal(0, off, ij.shape))
        field = fields.smooth(SHAPE, 6.0, 170.0, np.random.default_rng(seed))
        seen = [
            observe(field, plate=plate, pixel_size=PIXEL, sigma=0.02, seed=10 * seed + k, angle_deg=a, offset=o)
            for k, (a, o) in enumerate(places)
        ]
        fit = fit_distortion([t.points for t in seen], plate=PLATE, shape=SHAPE, pixel_size=PIXEL)
        yx = seen[0].grid()
        error = seen[0].errors(fit.distortion, yx)
        off_centre = yx - yx.mean(axis=0)  # the common scale is taken for given in a prediction
        error -= off_centre * (error * off_centre).sum() / (off_centre**2).sum()
        rms.append(error.std())
    said = plan(
        PLATE, SHAPE, pixel_size=PIXEL, sigma_px=0.02, plate_error_m=off, exposures=3, amplitude_px=2.0, length_px=110.0
    )
    assert said.rms_px == pytest.approx(np.mean(rms), rel=0.5)


def test_wrong_usage() -> None:
    with pytest.raises(UsageError, match="exposures"):
        plan(PLATE, SHAPE, pixel_size=PIXEL, exposures=0)
    with pytest.raises(UsageError, match="diameter"):
        plan(Plate((1e-3, 1e-3)), SHAPE, pixel_size=PIXEL)
    with pytest.raises(UsageError, match="holes in view"):
        plan(Plate((20e-3, 20e-3), hole_m=1e-3), SHAPE, pixel_size=PIXEL)
