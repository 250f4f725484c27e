"""What the map of the uncertainty promises: 68 and 95 of 100 pixels within one and two sigma of the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from fieldtruth import Truth, observe

from pyfai_gridcal import calibrate
from pyfai_gridcal.distortion import Distortion
from pyfai_gridcal.field import Field
from pyfai_gridcal.fit import DistortionFit
from pyfai_gridcal.fitting import fit_distortion
from pyfai_gridcal.plate import Plate
from pyfai_gridcal.synthetic import Camera, Light, Scene, fields, place

SHAPE = (300, 365)
SEEDS = 20
#: Pixels (y0, y1, x0, x1) without points.
GAP = (90, 180, 150, 260)


@dataclass(frozen=True, eq=False)
class Case:
    """A camera and a plate; the noise is drawn anew for each seed."""

    field: Field
    plate: Plate
    angle_deg: float
    sigma: float
    plate_px: float = 0.0
    keep: float = 1.0
    gap: bool = False

    def seen(self, seed: int) -> Truth:
        truth = observe(
            self.field, plate=self.plate, shape=SHAPE, angle_deg=self.angle_deg, sigma=self.sigma, seed=seed,
            keep=self.keep,
        )  # fmt: skip
        points = truth.points
        if self.plate_px:
            off = np.random.default_rng(seed + 1000).normal(0, self.plate_px, points.yx.shape)
            points = replace(points, yx=points.yx + off)
        if self.gap:
            y, x = points.yx.T
            points = points.select(~((y > GAP[0]) & (y < GAP[1]) & (x > GAP[2]) & (x < GAP[3])))
        return replace(truth, points=points)


def _smooth(amplitude: float, length: float, seed: int) -> Field:
    return fields.smooth(SHAPE, amplitude, length, np.random.default_rng(seed))


CASES = {
    "much noise": Case(_smooth(5.0, 120.0, 11), Plate((0.95e-3, 1.03e-3)), 3.7, 0.1),
    "a gap": Case(_smooth(3.0, 150.0, 8), Plate((0.9e-3, 0.9e-3), 60.0), 17.0, 0.02, keep=0.95, gap=True),
    "a lens": Case(fields.radial(SHAPE, 0.08, 0.02, centre=(135.0, 200.0)), Plate((1.0e-3, 0.9e-3)), 31.0, 0.01),
    "few holes": Case(_smooth(4.0, 140.0, 5), Plate((1.5e-3, 1.4e-3)), -8.0, 0.01),
    "holes that are off": Case(_smooth(4.0, 160.0, 3), Plate((0.95e-3, 1.0e-3)), -22.0, 0.006, plate_px=0.05),
}


@dataclass(frozen=True, eq=False)
class Pulls:
    """Errors of the field in units of what the map says, and where they are."""

    yx: np.ndarray
    error: np.ndarray
    sigma: np.ndarray

    def within(self, limit: float, which: np.ndarray | None = None) -> float:
        z = np.abs(self.error / self.sigma)
        return float(np.mean((z if which is None else z[which]) < limit))

    @property
    def rim(self) -> np.ndarray:
        """Within 20 px of the outermost points."""
        low, high = self.yx.min(axis=0), self.yx.max(axis=0)
        return np.asarray(np.minimum(self.yx - low, high - self.yx).min(axis=1) < 20)

    @property
    def at_gap(self) -> np.ndarray:
        """In the gap or within 20 px of it."""
        y, x = self.yx.T
        return (y > GAP[0] - 20) & (y < GAP[1] + 20) & (x > GAP[2] - 20) & (x < GAP[3] + 20)


def pulls_of(truth: Truth, distortion: Distortion) -> Pulls:
    assert distortion.sigma is not None
    assert distortion.mask is not None
    yx = truth.grid(step=6)
    yx = yx[~distortion.mask[tuple(np.rint(yx).astype(int).T)]]
    return Pulls(yx, truth.errors(distortion, yx), distortion.sigma.at(yx))


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
