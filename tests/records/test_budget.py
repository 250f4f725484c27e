"""What a plate that leans, is warm or of another pitch does to a field, and what is said of it."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from calibrated import demo
from fieldtruth import observe

from pyfai_gridcal import Settings
from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.base.frames import raster_places
from pyfai_gridcal.base.geometry import leaning
from pyfai_gridcal.base.robust import rms
from pyfai_gridcal.exposure import plate_of
from pyfai_gridcal.fitting.fitting import fit_distortion
from pyfai_gridcal.records.budget import PlateBudget, PlateErrors, plate_figures, tilt_error
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.report import summary, text_report
from pyfai_gridcal.synthetic import fields

SHAPE, SIZE = (2048, 2048), (50e-6, 50e-6)
NODES = raster_places(*[np.linspace(0, 2047, 33)] * 2).reshape(-1, 2)
#: Tilt, degrees -> rms per axis, px, in a parallel beam and with a source at 50, 10 and 1 m.
TABLE = {0.1: (0.0007, 0.0009, 0.003, 0.031), 0.3: (0.006, 0.006, 0.011, 0.092), 1.0: (0.066, 0.066, 0.073, 0.314)}


@pytest.mark.parametrize("degrees", TABLE)
def test_a_tilt_does_what_the_table_says(degrees: float) -> None:
    tilt = np.array([np.deg2rad(degrees), 0.0])
    found = [rms(tilt_error(NODES, SIZE, tilt, source)) for source in (np.inf, 50.0, 10.0, 1.0)]
    assert found == pytest.approx(TABLE[degrees], rel=0.03, abs=5e-4)


def test_the_shapes_are_those_of_the_table() -> None:
    """Linear and quadratic part of a tilt about one axis, from the shapes instead of the rays."""
    for degrees, source in ((0.3, 1.0), (1.0, np.inf), (1.0, 10.0)):
        ty = np.deg2rad(degrees)
        shapes = PlateErrors.of(PlateBudget(source_m=source), NODES, SHAPE, SIZE).shapes(NODES)
        error = shapes @ np.array([ty, 0, ty**2, 0, 0, 0])
        assert error == pytest.approx(
            tilt_error(NODES, SIZE, np.array([ty, 0]), source), abs=0.01 * np.abs(error).max()
        )


def test_warm_plates_have_a_scale() -> None:
    budget = PlateBudget.of(Settings("1mm", expansion=16.5e-6, temperature="20±5"))
    errors = PlateErrors.of(budget, NODES, SHAPE, SIZE)
    assert rms(np.sqrt(errors.variance(NODES))) == pytest.approx(0.049, rel=0.05)
    assert budget.stretch == 1
    warm = Settings("1mm", expansion="16.5ppm", temperature="30±1")
    assert plate_of(warm, demo().points[0]).pitch_m == pytest.approx((1.000165e-3,) * 2)


def test_a_gap_enlarges_the_shadow() -> None:
    plate = plate_of(Settings("1mm", source="1m", gap="2mm"), demo().points[0])
    assert plate.pitch_m == pytest.approx((1e-3 / 0.998,) * 2)
    with pytest.raises(UsageError, match="gap"):
        Settings("1mm", gap="2mm")
    with pytest.raises(UsageError, match="expansion"):
        Settings("1mm", temperature=20)


def test_errors_are_correlated_and_free_of_motions() -> None:
    budget = PlateBudget(np.deg2rad(0.2), 2.0, 30e-6)
    errors, some = PlateErrors.of(budget, NODES, SHAPE, SIZE), NODES[::37]
    covariance = errors.covariance(some, some)
    assert np.einsum("nncc->nc", covariance) == pytest.approx(errors.variance(some))
    flat = covariance.transpose(0, 2, 1, 3).reshape(2 * len(some), -1)
    # both squares of a tilt together are a scale
    assert np.linalg.matrix_rank(flat, tol=1e-9 * np.trace(flat)) == 5
    assert np.abs(errors.shapes(NODES).mean(axis=0)).max() < 1e-9 * np.abs(errors.shapes(NODES)).max()


def covered(z: np.ndarray) -> tuple[float, float]:
    return float(np.mean(np.abs(z) < 1)), float(np.mean(np.abs(z) < 1.96))


def drawn(rng: np.random.Generator) -> tuple[PlateBudget, np.ndarray, float]:
    """A budget, with tilts of up to one degree, and a tilt and a relative error of the pitch from it."""
    source = float(np.exp(rng.uniform(0, np.log(50))))
    budget = PlateBudget(np.deg2rad(rng.uniform(0, 0.5)), source, 20e-6)
    return budget, rng.normal(0, budget.tilt_rad, 2), float(rng.normal(0, budget.scale))


def test_coverage_of_the_plate_alone() -> None:
    rng, z = np.random.default_rng(0), []
    at = NODES[::16]
    for _ in range(1000):
        budget, tilt, scale = drawn(rng)
        errors = PlateErrors.of(budget, at, SHAPE, SIZE)
        p = (at - errors.middle) * SIZE
        off = (leaning(p * (1 + scale), tilt, budget.source_m) - p) / SIZE
        motions = np.concatenate([[[1, 0, v[1]], [0, 1, -v[0]]] for v in p])
        left = off.ravel() - motions @ np.linalg.lstsq(motions, off.ravel(), rcond=None)[0]
        noise = 0.005
        z.append((left + rng.normal(0, noise, left.shape)) / np.sqrt(errors.variance(at).ravel() + noise**2))
    one, two = covered(np.concatenate(z))
    assert one == pytest.approx(0.68, abs=0.04)
    assert two == pytest.approx(0.95, abs=0.04)


@pytest.mark.slow
def test_coverage_of_whole_fits() -> None:
    """Of sixty scenes; PYFAI_GRIDCAL_SCENES=1000 makes it a thousand, which gave 0.700 and 0.950."""
    scenes = int(os.environ.get("PYFAI_GRIDCAL_SCENES", "60"))
    rng, z = np.random.default_rng(1), []
    shape, size = (420, 510), (240e-6, 200e-6)
    for k in range(scenes):
        budget, tilt, scale = drawn(rng)
        field = fields.smooth(shape, 3.0, 200.0, np.random.default_rng(k))
        truth = observe(
            field, plate=Plate((5.5e-3, 5e-3)), shape=shape, pixel_size=size, sigma=0.02, seed=k, stretch=1 + scale,
            angle_deg=float(rng.uniform(-5, 5)), tilt=(float(tilt[0]), float(tilt[1])), source=budget.source_m,
        )  # fmt: skip
        fit = fit_distortion(truth.points, plate=truth.plate, shape=shape, model="spline")
        at = truth.grid(step=40, margin=10)
        assert fit.distortion.sigma is not None
        plate = PlateErrors.of(budget, at, shape, size).variance(at)
        z.append((truth.errors(fit.distortion, at) / np.sqrt(fit.distortion.sigma.at(at) ** 2 + plate)).ravel())
    one, two = covered(np.concatenate(z))
    print(f"{scenes} scenes: {one:.3f} within one sigma, {two:.3f} within two")
    assert one == pytest.approx(0.68, abs=0.04)
    assert two == pytest.approx(0.95, abs=0.04)


def test_the_report_says_what_is_assumed_and_what_the_plate_adds() -> None:
    made = demo()
    figures = summary(made)["plate_budget"]
    assert figures["plate_px"] == 0
    assert figures["with_plate_px"] == pytest.approx(made.fit.expected_error_px)
    assert figures["assumed"] == ["parallel to the detector", "in a parallel beam", "exactly of its pitch"]
    assert [source for source, _ in figures["tilt_px"]] == [None, 10.0]
    assert "a tilt of 0.1° would be" in text_report(made)
    told = replace(made, settings=replace(made.settings, tilt="0.5deg", source="1m", pitch_tolerance="50ppm"))
    figures = plate_figures(told.fit, PlateBudget.of(told.settings))
    assert figures["with_plate_px"] == pytest.approx(
        np.hypot(figures["plate_px"], made.fit.expected_error_px), rel=1e-6
    )
    text = text_report(told)
    assert "with plate" in text
    before, after = (summary(one)["pixel_size_sigma_m"] for one in (made, told))
    assert after == pytest.approx(np.hypot(before, 50e-6 * np.array(made.pixel_size)))
    assert "(tilt ± 0.5°, source at 1 m, pitch ± 50 ppm)" in text
    assert "assumed" not in text


def test_the_file_holds_the_uncertainty_with_the_plate(tmp_path) -> None:
    import h5py

    from pyfai_gridcal import load

    made = demo()
    told = replace(made, settings=replace(made.settings, tilt="0.5deg", source="1m"))
    path = told.save(tmp_path / "detector.h5")
    with h5py.File(path) as file:
        group = file["entry_0000/grid_calibration"]
        assert (group["sigma_with_plate/sigma_y"][()] > group["sigma/sigma_y"][()]).all()
    assert load(path).settings == told.settings


def test_a_plate_from_a_file_is_as_large_as_it_is(tmp_path) -> None:
    """Not as large as it appeared when it was warm."""
    made = demo()
    warm = replace(made, settings=replace(made.settings, expansion=1e-4, temperature=70.0))
    warm = replace(warm, fit=replace(made.fit, plate=PlateBudget.of(warm.settings).stretched(made.plate)))
    path = str(warm.save(tmp_path / "warm.h5"))
    assert warm.plate.pitch_m > made.plate.pitch_m
    plate = plate_of(Settings(made.settings.pitch, plate=path), made.points[0])
    assert plate.pitch_m == pytest.approx(made.plate.pitch_m, rel=1e-12)
    assert isinstance(warm.distortion, Distortion)
