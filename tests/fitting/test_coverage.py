"""What the map of the uncertainty promises: 68 and 95 of 100 pixels within one and two sigma of the truth."""

from __future__ import annotations

import numpy as np
import pytest
from cameras import CASES, SHAPE, Pulls, pulls_of
from fieldtruth import Truth

from pyfai_gridcal import calibrate
from pyfai_gridcal.fitting.fitting import fit_distortion
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.fit import DistortionFit
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.synthetic import Camera, Light, Scene, fields, place

#: Statistics of many fits.
pytestmark = pytest.mark.slow

SEEDS = 20


@pytest.fixture(scope="module")
def runs() -> dict[str, list[tuple[Pulls, DistortionFit]]]:
    """For each case and each seed what the fit said, and how wrong it was."""
    out: dict[str, list[tuple[Pulls, DistortionFit]]] = {name: [] for name in CASES}
    for name, case in CASES.items():
        for seed in range(SEEDS):
            truth = case.seen(seed)
            fit = fit_distortion(truth.points, plate=truth.plate, shape=SHAPE)
            out[name].append((pulls_of(truth, fit.distortion), fit))
    return out


@pytest.fixture(scope="module")
def pulls(runs: dict[str, list[tuple[Pulls, DistortionFit]]]) -> dict[str, Pulls]:
    return {
        name: Pulls(*(np.concatenate([getattr(p, k) for p, _ in some]) for k in ("yx", "error", "sigma")))
        for name, some in runs.items()
    }


@pytest.mark.parametrize("name", CASES)
def test_coverage(pulls: dict[str, Pulls], name: str) -> None:
    assert pulls[name].within(1.0) == pytest.approx(0.68, abs=0.05)
    assert pulls[name].within(1.96) == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize("name", CASES)
def test_the_map_predicts_the_error_of_the_field(pulls: dict[str, Pulls], name: str) -> None:
    error, sigma = (float(np.sqrt(np.mean(v**2))) for v in (pulls[name].error, pulls[name].sigma))
    assert sigma == pytest.approx(error, rel=0.3)


@pytest.mark.parametrize("name", CASES)
def test_error_of_the_field_is_expected_as_it_is(runs: dict[str, list[tuple[Pulls, DistortionFit]]], name: str) -> None:
    """The held-out error cannot tell it: it holds the noise of the spots."""
    error = np.array([np.sqrt(np.mean(pulls.error**2)) for pulls, _ in runs[name]])
    expected, held_out = np.array([(fit.expected_error_px, fit.held_out_px) for _, fit in runs[name]]).T
    assert np.sqrt(np.mean(expected**2)) == pytest.approx(np.sqrt(np.mean(error**2)), rel=0.3)
    assert np.median(np.abs(np.log(expected / error))) < np.log(1.3)
    assert (held_out > 1.3 * expected).all()


def test_coverage_at_the_rim_and_at_a_gap(pulls: dict[str, Pulls]) -> None:
    for name in CASES:
        assert pulls[name].within(1.0, pulls[name].rim) == pytest.approx(0.68, abs=0.1)
    gap = pulls["a gap"]
    assert gap.at_gap.sum() > 1000
    assert gap.within(1.0, gap.at_gap) == pytest.approx(0.68, abs=0.1)
    # the map knows that there are no points
    assert np.median(gap.sigma[gap.at_gap]) > 1.2 * np.median(gap.sigma[~gap.at_gap & ~gap.rim])


def test_coverage_from_images() -> None:
    """The whole way, spots and their own sigma included."""
    shape = (310, 400)
    field = fields.smooth(shape, 3.0, 150.0, np.random.default_rng(4))
    camera = Distortion(field, shape, (48e-6, 52e-6))
    plate = Plate((0.95e-3, 0.95e-3), hole_m=0.33e-3)
    scene = Scene(camera, plate, place(camera, plate, angle_deg=6.0), Light(900.0, 200.0), Camera(blur=1.1))
    z = []
    for seed in range(6):
        found = calibrate(scene.render(np.random.default_rng(seed), bounds=False).image, pitch=0.95e-3)
        points = found.points[0]
        truth = Truth(points, plate, scene.pose, field, shape, camera.pixel_size, points.yx)
        one = pulls_of(truth, found.distortion)
        z.append(one.error / one.sigma)
    size = np.abs(np.concatenate(z))
    assert np.mean(size < 1) == pytest.approx(0.68, abs=0.1)
    assert np.mean(size < 1.96) == pytest.approx(0.95, abs=0.05)
