"""An old calibration brought up to date from few photons."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from calibrated import PITCH_PX
from calibrated import SHAPE as DEMO_SHAPE
from fieldtruth import Truth, observe

from pyfai_gridcal import calibrate, load
from pyfai_gridcal.base.errors import FittingError, UsageError
from pyfai_gridcal.fitting.fitting import fit_distortion
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import Field, SumField, TiledField
from pyfai_gridcal.records.fit import DistortionFit
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.synthetic import demo_scene, fields

SHAPE = (350, 370)
PLATE = Plate((1e-3, 1e-3))
SIZE = (48e-6, 48e-6)
#: What has changed since: a little of everything that is of low order.
CHANGE = SumField((fields.linear(SHAPE, shear=4e-4, stretch=-3e-4), fields.perspective(SHAPE, (6e-4, -4e-4))))


def camera(seed: int = 1) -> Field:
    return fields.smooth(SHAPE, 6.0, 130.0, np.random.default_rng(seed))


def seen(field: Field, sigma: float = 0.08, seed: int = 5, angle_deg: float = 2.2) -> Truth:
    return observe(field, plate=PLATE, shape=SHAPE, pixel_size=SIZE, sigma=sigma, seed=seed, angle_deg=angle_deg)


def fitted(truth: Truth, prior: Distortion | None = None) -> DistortionFit:
    return fit_distortion(truth.points, plate=PLATE, shape=SHAPE, prior=prior)


def error(truth: Truth, fit: DistortionFit) -> float:
    return float(np.sqrt(np.mean(truth.errors(fit.distortion, truth.grid(margin=20)) ** 2)))


@pytest.fixture(scope="module")
def old() -> Distortion:
    return fitted(seen(camera(), sigma=0.006, seed=1)).distortion


def test_the_error_is_halved_and_the_change_is_named(old: Distortion) -> None:
    truth = seen(SumField((camera(), CHANGE)))
    anew, fit = fitted(truth), fitted(truth, old)
    assert error(truth, fit) < 0.5 * error(truth, anew)
    (note,) = (note for note in fit.notes if "since the prior" in note)
    assert "sigma): " in note
    stretch = re.search(r"stretch (\S+) ± (\S+) ppm", note)
    assert stretch
    assert float(stretch[1]) == pytest.approx(-300, abs=3 * float(stretch[2]))
    assert fit.recipe == "prior"
    assert fit.distortion.pixel_size == old.pixel_size
    assert "pixel size as given" in fit.distortion.gauge
    assert fit.distortion.sigma is not None
    yx = truth.grid(margin=20)
    z = truth.errors(fit.distortion, yx) / fit.distortion.sigma.at(yx)
    assert 0.3 < np.sqrt(np.mean(z**2)) < 1.7


def test_no_change_is_said_to_be_none(old: Distortion) -> None:
    fit = fitted(seen(camera(), angle_deg=-3.0), old)
    assert any("nothing has changed since the prior" in note for note in fit.notes)


def test_true_priors_are_taken_and_those_of_another_camera_are_not(old: Distortion) -> None:
    for seed in range(4):
        truth = seen(SumField((camera(), CHANGE)), seed=10 + seed)
        assert fitted(truth, old).recipe == "prior"
        with pytest.raises(FittingError, match="same camera"):
            fitted(truth, fitted(seen(camera(50 + seed), sigma=0.006)).distortion)


def test_a_change_that_is_not_smooth_is_refused(old: Distortion) -> None:
    labels = np.zeros(SHAPE, int)
    labels[:, 200:] = 1
    halves = TiledField(labels, (camera(), SumField((camera(), fields.linear(SHAPE, shift=(0.9, 0.0))))))
    truth = seen(halves)
    with pytest.raises(FittingError, match="not smooth"):
        fitted(truth, old)


def test_what_cannot_be_a_prior(old: Distortion) -> None:
    truth = seen(camera())
    with pytest.raises(UsageError, match="shape"):
        fitted(truth, replace(old, shape=(10, 10), mask=None))
    with pytest.raises(UsageError, match="that of the prior"):
        fit_distortion(truth.points, plate=PLATE, shape=SHAPE, pixel_size=50e-6, prior=old)
    with pytest.raises(UsageError, match="prior for 2 exposures"):
        fit_distortion([truth.points] * 2, plate=PLATE, shape=SHAPE, prior=old)


def test_tiles_stay_tiles(old: Distortion) -> None:
    tiled = replace(old, field=TiledField(np.zeros(SHAPE, int), (old.field,)))
    fit = fitted(seen(SumField((camera(), CHANGE))), tiled)
    assert fit.distortion.is_tiled


@pytest.mark.slow
def test_from_files_and_back(tmp_path: Path) -> None:
    scene = demo_scene(DEMO_SHAPE, pitch_px=PITCH_PX, seed=3)
    pitch = scene.plate.pitch_m[0]
    first = calibrate(scene.render(np.random.default_rng(3), bounds=False).image, pitch=pitch, serial="A1")
    path = first.save(tmp_path / "old.h5")
    image = scene.render(np.random.default_rng(4), bounds=False).image
    later = calibrate(image, pitch=pitch, prior=path)
    assert later.fit.recipe == "prior"
    assert later.verdict.level == "good"
    again = load(later.save(tmp_path / "new.h5"))
    yx = np.array([(10.5, 20.0), (200.0, 300.0)])
    assert again.distortion.displacement(yx) == pytest.approx(later.distortion.displacement(yx), abs=1e-12)
    assert "since the prior" in again.report()
    other = calibrate(image, pitch=pitch, prior=first)
    assert other.distortion.displacement(yx) == pytest.approx(later.distortion.displacement(yx), abs=1e-9)
    with pytest.raises(UsageError, match="camera A1"):
        calibrate(image, pitch=pitch, prior=path, serial="B2")
    with pytest.raises(UsageError, match="prior=int"):
        calibrate(image, pitch=pitch, prior=3)
