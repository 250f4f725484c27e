"""The same or different?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cameras import CASES, Case
from cameras import SHAPE as SMALL
from fieldtruth import PLATE, SHAPE, observe

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.fitting.fitting import fit_distortion
from pyfai_gridcal.fitting.gauge import GaugeChange
from pyfai_gridcal.judging.comparison import compare, drift
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import Field, SampledField
from pyfai_gridcal.records.fit import DistortionFit, Pose
from pyfai_gridcal.synthetic import fields


def camera() -> Field:
    return fields.smooth(SHAPE, 6.0, 170.0, np.random.default_rng(1))


def calibration(seed: int, field: Field | None = None, angle: float = 2.0) -> DistortionFit:
    truth = observe(field or camera(), seed=seed, sigma=0.03, angle_deg=angle)
    return fit_distortion(truth.points, plate=PLATE, shape=SHAPE)


@pytest.fixture(scope="module")
def series() -> list[DistortionFit]:
    return [calibration(k, angle=2.0 + k) for k in range(6)]


def test_other_noise_and_another_pose_is_the_same(series: list[DistortionFit]) -> None:
    results = [compare(a, b) for a, b in zip(series[::2], series[1::2], strict=True)]
    assert [r.verdict for r in results] == ["same"] * 3
    assert all("the same within" in r.sentence for r in results)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (fields.linear(SHAPE, shear=8e-4), "shear"),
        (fields.linear(SHAPE, stretch=6e-4), "stretch"),
        (fields.smooth(SHAPE, 0.2, 150.0, np.random.default_rng(5)), ""),
    ],
)
def test_a_change_of_some_sigma_is_different(series: list[DistortionFit], change: Field, words: str) -> None:
    result = compare(series[0], calibration(30, fields.SumField((camera(), change))))
    assert result.verdict == "different"
    assert words in result.sentence


def again(case: Case, seed: int, change: Field | None = None) -> DistortionFit:
    """A calibration of one of the cameras with noise and a turn of the plate of its own."""
    field = case.field if change is None else fields.SumField((case.field, change))
    truth = replace(case, field=field, angle_deg=case.angle_deg + seed % 5).seen(seed)
    return fit_distortion(truth.points, plate=truth.plate, shape=SMALL)


def change_of(rms_px: float, seed: int) -> Field:
    """A smooth change of a camera, of that rms per axis."""
    y, x = (np.arange(0.0, n, 8.0) for n in SMALL)
    unit = fields.smooth(SMALL, 1.0, 90.0 + 30.0 * (seed % 3), np.random.default_rng(seed))
    size = rms_px / float(np.sqrt((unit.on_grid(y, x) ** 2).mean()))
    return fields.SmoothField(unit.y, unit.x, unit.values * size)


@pytest.mark.slow
def test_twenty_pairs_of_the_same_and_twenty_changes_of_five_sigma() -> None:
    same, different = [], []
    for k in range(20):
        case = list(CASES.values())[k % len(CASES)]
        first, second = again(case, 2 * k), again(case, 2 * k + 1)
        result = compare(first, second)
        same.append(result.verdict)
        sigma = float(np.sqrt((result.sigma[result.valid] ** 2).mean()))
        different.append(compare(first, again(case, 100 + k, change_of(5 * sigma, k))).verdict)
    assert same.count("same") >= 19
    assert different == ["different"] * 20


def test_what_no_calibration_can_know_is_taken_out(series: list[DistortionFit]) -> None:
    a = series[0].distortion
    turned = GaugeChange(Pose(0.02, (3e-4, -2e-4)), a.pixel_size, (a.pixel_size[0] * 1.01, a.pixel_size[1]))
    b = replace(a, field=turned.field(a.field), pixel_size=turned.new)
    result = compare(a, b)
    assert result.rms_px < 1e-9
    assert result.angle_rad == pytest.approx(0.02)
    assert result.scale == pytest.approx(1.0)


def test_scale_is_taken_out_only_when_asked() -> None:
    zero, sigma = (SampledField(np.arange(2.0), np.arange(2.0), np.full((2, 2, 2), v), clamp=True) for v in (0.0, 0.01))
    a = Distortion(zero, SHAPE, (50e-6, 50e-6), sigma=sigma)
    b = Distortion(zero, SHAPE, (50.02e-6, 50.02e-6), sigma=sigma)
    rigid, similar = compare(a, b), compare(a, b, gauge="similarity")
    assert rigid.verdict == "different"
    assert "scale" in rigid.sentence
    assert similar.rms_px < 1e-9
    assert similar.scale == pytest.approx(1.0004)
    assert compare(a, b, gauge="none").rms_px > rigid.rms_px


def test_one_half_that_moved() -> None:
    sigma = SampledField(np.arange(2.0), np.arange(2.0), np.full((2, 2, 2), 0.01), clamp=True)
    zero = np.zeros((2, SHAPE[1], 2))
    moved = zero.copy()
    half = SHAPE[1] // 2
    moved[:, :half] += [0.1, -0.05]
    a, b = (
        Distortion(
            SampledField(np.array([0.0, SHAPE[0] - 1.0]), np.arange(SHAPE[1]), v), SHAPE, (5e-5, 5e-5), sigma=sigma
        )
        for v in (zero, moved)
    )
    result = compare(a, b)
    assert result.verdict == "different"
    assert "left and right" in result.sentence
    left, right = (
        result.difference[:, side].mean(axis=(0, 1)) for side in (result.x < half - 10, result.x > half + 10)
    )
    step = left - right
    # a part of a step along the seam may be taken for a turn of the whole
    assert step[1] == pytest.approx(-0.05, abs=0.005)
    assert step[0] > 0.04


def test_without_sigma_it_is_unknown(series: list[DistortionFit]) -> None:
    a, b = (replace(s.distortion, sigma=None) for s in series[:2])
    result = compare(a, b)
    assert result.verdict == "unknown"
    assert "neither" in result.sentence


def test_drift_is_against_the_first(series: list[DistortionFit]) -> None:
    results = drift(series[:3])
    assert len(results) == 2
    assert np.array_equal(results[1].difference, compare(series[0], series[2]).difference)


def test_wrong_usage(series: list[DistortionFit]) -> None:
    a = series[0].distortion
    other = Distortion(a.field, (30, 40), a.pixel_size)
    with pytest.raises(UsageError, match="shape"):
        compare(a, other)
    with pytest.raises(UsageError, match="gauge"):
        compare(a, a, gauge="magic")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no pixel"):
        compare(a, a.masked(np.ones(SHAPE, bool)))
