"""Plates that lean, each exposure in its own way, before a source that is not far."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fieldtruth import PIXEL, SHAPE, Truth, observe, turned_indices
from turnedplates import PLACES, PLATE, field, imperfect, rms

from pyfai_gridcal import calibrate
from pyfai_gridcal.fitting.fitting import fit_distortion
from pyfai_gridcal.fitting.gauge import GaugeChange
from pyfai_gridcal.fitting.plates.lean import Leaning, bends, common_modes
from pyfai_gridcal.fitting.spline.basis import uniform_axes
from pyfai_gridcal.records.budget import PlateBudget
from pyfai_gridcal.records.fit import DistortionFit, Lean, Pose

SOURCE, SIGMA = 0.15, np.deg2rad(0.6)
BUDGET = PlateBudget(SIGMA, SOURCE)
TILTS = np.random.default_rng(3).normal(0, SIGMA, (4, 2))


@pytest.fixture(scope="module")
def seen() -> list[Truth]:
    out = []
    for k, (angle, offset) in enumerate(PLACES):
        tilt = (float(TILTS[k, 0]), float(TILTS[k, 1]))
        truth = observe(
            field(), plate=imperfect(), angle_deg=angle, offset=offset, seed=k, sigma=0.01, tilt=tilt, source=SOURCE
        )
        points = turned_indices(truth.points, -round(angle / 90))
        out.append(replace(truth, points=points.reindexed(np.eye(2), -points.ij.min(axis=0))))
    return out


@pytest.fixture(scope="module")
def fit(seen: list[Truth]) -> DistortionFit:
    return fit_distortion([t.points for t in seen], plate=PLATE, shape=SHAPE, pixel_size=PIXEL, budget=BUDGET)


def test_tilts_are_solved_with_the_field(seen: list[Truth], fit: DistortionFit) -> None:
    without = fit_distortion([t.points for t in seen], plate=PLATE, shape=SHAPE, pixel_size=PIXEL)
    assert rms(seen[0], without) > 0.05
    assert rms(seen[0], fit) < 0.01
    assert without.poses[0].lean is None
    tilts = np.array([pose.lean.tilt_rad for pose in fit.poses if pose.lean is not None])
    off = tilts - tilts.mean(axis=0) - (TILTS - TILTS.mean(axis=0))
    assert np.abs(off).max() < 0.15 * SIGMA
    (note,) = (note for note in fit.notes if "leans" in note)
    assert "in common is not determined, and counts with 0.6°" in note
    # the residuals are those of the leaning plate, but for what the lean does to the errors of the holes
    node = fit.poses[1].corrected(fit.plate.positions(fit.points[1].ij), fit.distortion.pixel_size)
    assert np.abs(fit.distortion.correct(fit.points[1].yx) - node - fit.residual_yx[1]).max() < 3e-3


def test_the_uncertainty_is_that_of_the_shape_without_a_common_tilt(fit: DistortionFit) -> None:
    assert fit.expected_error_px < 0.02


def test_nothing_is_solved_where_nothing_is_told_or_seen() -> None:
    assert Leaning.of(PlateBudget(), SHAPE, PIXEL) is None
    assert Leaning.of(PlateBudget(SIGMA), SHAPE, PIXEL) is None
    assert Leaning.of(PlateBudget(SIGMA, 50.0), SHAPE, PIXEL) is None
    assert Leaning.of(BUDGET, SHAPE, PIXEL) is not None


def test_bends_are_the_slopes_of_the_nodes() -> None:
    at = np.array([(0.004, -0.003), (0.001, 0.006)])
    leaning = Leaning(SIGMA, SOURCE, (0.0, 0.0))
    pose = leaning.upright(Pose(0.0, (0.0, 0.0)))
    slopes = bends(pose, at, (1e-3, 1e-3))
    assert slopes == pytest.approx(at[:, :, None] * at[:, None, :] / SOURCE * 1e3, rel=1e-4)
    assert bends(Pose(0.0, (0.0, 0.0)), at, (1e-3, 1e-3)) is None


def test_common_modes_are_what_a_common_tilt_does() -> None:
    y, x = uniform_axes((0.0, 0.0), (90, 110), 8, 4)
    modes = common_modes(y, x)
    assert modes.shape == (2 * y.size * x.size, 2)
    assert modes[: y.size * x.size, 1] == pytest.approx(modes[y.size * x.size :, 0])


def test_a_lean_turns_with_its_frame() -> None:
    pose = Pose(0.3, (2e-3, -1e-3), Lean((0.02, -0.01), 0.3, (4e-3, 5e-3)))
    change = GaugeChange(Pose(0.7, (1e-3, 3e-3)), PIXEL, PIXEL)
    at = np.array([(1e-3, 2e-3), (-4e-3, 6e-3), (0.0, 0.0)])
    moved = pose.corrected(at, PIXEL) @ change.matrix.T + change.shift
    assert change.pose(pose).corrected(at, PIXEL) == pytest.approx(moved, abs=1e-9)


def test_settings_reach_the_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyfai_gridcal.calibration as calibration

    told: list[PlateBudget] = []

    class Seen(Exception):
        pass

    def look(*_: object, budget: PlateBudget, **__: object) -> None:
        told.append(budget)
        raise Seen

    from pyfai_gridcal.synthetic import demo_scene

    monkeypatch.setattr(calibration, "fit_distortion", look)
    image = demo_scene((260, 300), pitch_px=24.0).render(np.random.default_rng(3)).image
    with pytest.raises(Seen):
        calibrate(image, pitch="1mm", tilt="0.6deg", source="0.15m")
    assert told[0].tilt_rad == pytest.approx(SIGMA)
    assert told[0].source_m == SOURCE
