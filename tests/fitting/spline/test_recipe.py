"""The main recipe: accuracy, smoothness, noise and outliers on fields that are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pyfai_gridcal.fitting.recipe import FieldFit, Sample
from pyfai_gridcal.fitting.spline.recipe import BSpline
from pyfai_gridcal.records.field import Field
from pyfai_gridcal.synthetic import fields

SHAPE = (520, 640)


def sample(field: Field, *, pitch: float = 24.0, sigma: float = 0.01, extra: float = 0.0, seed: int = 0) -> Sample:
    rng = np.random.default_rng(seed)
    count = int(SHAPE[0] * SHAPE[1] / pitch**2)
    side = np.array([520, 640]) / pitch
    ij = np.stack(np.meshgrid(*(np.arange(int(s)) for s in side), indexing="ij"), -1).reshape(-1, 2)
    yx = (ij + 0.5) * pitch + rng.uniform(-0.2, 0.2, (len(ij), 2)) * pitch
    assert len(yx) > 0.8 * count
    d = field.at(yx) + rng.normal(0, np.hypot(sigma, extra), yx.shape)
    return Sample(yx, d, np.full(yx.shape, sigma), SHAPE, pitch, np.ones(len(yx), bool), nugget=2 * extra + 3 * sigma)


def inside(step: int = 9) -> np.ndarray:
    y, x = np.arange(20, 500, step), np.arange(20, 620, step)
    return np.stack(np.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2).astype(float)


def error(fit: FieldFit, field: Field) -> np.ndarray:
    return fit.field.at(inside()) - field.at(inside())


def smooth_field(seed: int = 1) -> Field:
    return fields.smooth(SHAPE, 8.0, 180.0, np.random.default_rng(seed))


def test_noise_is_smoothed_far_below_that_of_a_point() -> None:
    fit = BSpline().fit(sample(smooth_field(), sigma=0.1))
    assert error(fit, smooth_field()).std() < 0.04
    assert fit.held_out_px == pytest.approx(0.1, rel=0.12)
    assert fit.used.all()


def test_the_field_of_exact_points_is_followed() -> None:
    fit = BSpline().fit(sample(smooth_field(), sigma=1e-4))
    assert np.abs(error(fit, smooth_field())).max() < 0.02


def barrel_and_waves(seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """Displacements at places (N, 2) of a barrel with five long waves along either axis, px."""
    rng = np.random.default_rng(seed)
    waves = []
    for component in (0, 1):
        for _ in range(5):
            size = 2 * rng.normal()
            (ly, py), (lx, px) = ((550 * np.exp(rng.uniform(0, 1.2)), rng.uniform(0, 6.3)) for _ in "yx")
            waves.append((component, size, np.array([ly, lx]), np.array([py, px])))

    def at(yx: np.ndarray) -> np.ndarray:
        u = (yx - np.array(SHAPE) / 2) / (np.hypot(*SHAPE) / 2)
        out = 12 * u * (u**2).sum(axis=1, keepdims=True)
        for component, size, length, phase in waves:
            out[:, component] += size * np.cos(2 * np.pi * yx / length + phase).prod(axis=1)
        return out

    return at


def of_waves(seed: int, **options: float) -> tuple[Sample, np.ndarray]:
    """Points on such a field, and the field at the places `inside` the detector, px."""
    field, still = barrel_and_waves(seed), sample(fields.linear(SHAPE), sigma=0.003, seed=seed, **options)
    return replace(still, d=still.d + field(still.yx)), field(inside())


def test_few_holes_on_long_waves_ask_for_a_high_order() -> None:
    """What a lens does has no roughness of a low order to speak of: held-out holes tell that."""
    square = {True: 0.0, False: 0.0}
    for seed in range(6):
        points, truth = of_waves(seed, pitch=70.0)
        for low in square:
            fit = (BSpline(orders=(4, 3, 2)) if low else BSpline()).fit(points)
            square[low] += float(((fit.field.at(inside()) - truth) ** 2).mean())
    assert square[False] < 0.6 * square[True]


def test_a_rough_field_keeps_its_low_order() -> None:
    points = sample(fields.smooth(SHAPE, 8.0, 70.0, np.random.default_rng(4)), pitch=17.0)
    fit, low = BSpline().fit(points), BSpline(orders=(4, 3, 2)).fit(points)
    assert "order 5" not in fit.note
    np.testing.assert_array_equal(fit.field.at(inside()), low.field.at(inside()))


@pytest.mark.parametrize("rows", [2, 3, 4, 5])
def test_straight_rows_leave_out_orders_that_they_do_not_determine(rows: int) -> None:
    """A polynomial of the fourth degree may be anything across four of them."""
    i, j = (axis.ravel() for axis in np.indices((rows, 26)))
    yx = np.stack([100 + 24.0 * i, 12 + 23.0 * j], axis=1)
    truth = fields.radial(SHAPE, 0.03)
    d = truth.at(yx) + np.random.default_rng(0).normal(0, 0.01, yx.shape)
    fit = BSpline().fit(Sample(yx, d, np.full(yx.shape, 0.01), SHAPE, 23.5, np.ones(len(yx), bool), nugget=0.03))
    assert int(fit.note.split()[3]) <= rows
    assert np.abs(fit.field.at(yx) - truth.at(yx)).max() < 0.04


def test_sigma_is_that_of_the_errors_behind_a_covered_corner() -> None:
    """Left-out points know how the field goes on over one spacing, not over five."""
    ratios = []
    for seed in range(6):
        field, still = barrel_and_waves(seed), sample(fields.linear(SHAPE), sigma=0.003, seed=seed)
        points = replace(still, d=still.d + field(still.yx))
        fit = BSpline().fit(points.select(np.flatnonzero((points.yx[:, 0] < 280) | (points.yx[:, 1] < 350))))
        at = inside()[(inside() > (290, 360)).all(axis=1) & (inside() < (400, 490)).all(axis=1)]
        assert fit.uncertainty is not None
        ratios.append(((fit.field.at(at) - field(at)) ** 2).mean() / fit.uncertainty.variance(at).mean())
    assert np.sqrt(np.mean(ratios)) > 0.7
    assert np.sqrt(max(ratios)) < 1.5


def test_sigma_is_that_of_the_errors() -> None:
    z = []
    for seed in range(6):
        fit = BSpline().fit(sample(smooth_field(seed), sigma=0.05, seed=seed))
        assert fit.uncertainty is not None
        z.append(error(fit, smooth_field(seed)) / np.sqrt(fit.uncertainty.variance(inside())))
    z = np.concatenate(z)
    assert np.mean(np.abs(z) < 1) == pytest.approx(0.68, abs=0.09)
    assert np.mean(np.abs(z) < 1.96) == pytest.approx(0.95, abs=0.035)


def test_scatter_beyond_sigma_is_found() -> None:
    fit = BSpline().fit(sample(smooth_field(), sigma=0.01, extra=0.3))
    assert fit.nugget == pytest.approx(0.3, rel=0.12)
    assert error(fit, smooth_field()).std() < 0.13


def test_sigma_that_is_too_large_is_noticed() -> None:
    given = sample(smooth_field(), sigma=0.02)
    wide = Sample(given.yx, given.d, given.sigma * 2, SHAPE, given.spacing, given.used, nugget=0.05)
    fit = BSpline().fit(wide)
    assert fit.nugget == 0
    assert fit.noise_scale == pytest.approx(0.5, rel=0.15)


def test_outliers_do_not_drag_the_field() -> None:
    good = sample(smooth_field(), sigma=0.02)
    rng = np.random.default_rng(4)
    wrong = rng.random(len(good)) < 0.05
    d = good.d.copy()
    d[wrong] += rng.normal(0, 1, (wrong.sum(), 2)) * rng.choice([0.5, 4.0], (wrong.sum(), 1))
    fit = BSpline().fit(Sample(good.yx, d, good.sigma, SHAPE, good.spacing, good.used, nugget=0.05))
    plain = BSpline().fit(good)
    assert error(fit, smooth_field()).std() < 1.3 * error(plain, smooth_field()).std()
    assert (~fit.used[~wrong]).mean() < 0.01
    far = wrong & (np.hypot(*(d - good.d).T) > 0.3)
    assert not fit.used[far].any()


def test_a_polynomial_needs_few_parameters() -> None:
    fit = BSpline().fit(sample(fields.radial(SHAPE, -0.03), sigma=0.02))
    assert fit.freedom < 25
    assert error(fit, fields.radial(SHAPE, -0.03)).std() < 0.004


def test_curve_has_its_minimum_near_the_choice() -> None:
    fit = BSpline().fit(sample(smooth_field(), sigma=0.05))
    curve = dict(fit.curve)
    assert len(curve) == 6
    assert max(curve) - min(curve) == pytest.approx(2.0)
    assert min(curve.values()) > 0.995 * curve[0.0]
    assert curve[max(curve)] > 1.005 * curve[0.0]
    assert curve[min(curve)] > 1.005 * curve[0.0]


def test_a_part_of_the_detector_only() -> None:
    whole = sample(smooth_field(), sigma=0.02)
    part = whole.select((whole.yx < [300, 200]).all(axis=1))
    fit = BSpline().fit(part)
    near = inside()[(inside() < [280, 180]).all(axis=1)]
    assert (fit.field.at(near) - smooth_field().at(near)).std() < 0.02


def test_many_points_are_searched_on_a_part_of_them() -> None:
    dense = sample(smooth_field(), pitch=3.6, sigma=0.05)
    assert len(dense) > 24000
    fit = BSpline().fit(dense)
    assert len(fit.used) == len(dense)
    assert error(fit, smooth_field()).std() < 0.008


def test_unequal_sigma_of_the_two_coordinates() -> None:
    given = sample(smooth_field(), sigma=0.02)
    sigma = given.sigma.copy()
    rough = np.random.default_rng(3).random(len(given)) < 0.5
    sigma[rough, 0] = 1.0
    d = given.d.copy()
    d[rough, 0] += np.random.default_rng(5).normal(0, 1.0, rough.sum())
    fit = BSpline().fit(Sample(given.yx, d, sigma, SHAPE, given.spacing, given.used, nugget=0.05))
    miss = error(fit, smooth_field())
    assert miss[:, 0].std() < 0.05
    assert miss[:, 1].std() < 0.015


def waves_of_all_lengths(seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """Displacements at places (N, 2), px, rough like those of a taper: waves from 80 to 900 px, whose sizes grow with
    the third power of the length."""
    rng = np.random.default_rng(seed)
    waves = []
    for component in (0, 1):
        for _ in range(150):
            length, turn = 80 * np.exp(rng.uniform(0, np.log(900 / 80))), rng.uniform(0, 2 * np.pi)
            size = 8 * (length / 900) ** 3 * rng.normal()
            waves.append(
                (component, size, 2 * np.pi / length * np.array([np.cos(turn), np.sin(turn)]), rng.uniform(0, 6.3))
            )

    def at(yx: np.ndarray) -> np.ndarray:
        out = np.zeros_like(yx)
        for component, size, wave, phase in waves:
            out[:, component] += size * np.cos(yx @ wave + phase)
        return out

    return at


def test_holes_that_tell_little_of_what_lies_between_keep_the_order() -> None:
    """Each hole has a parameter of its own: a fifth order predicts left out ones a little better, and is too sure."""
    field, still = waves_of_all_lengths(2), sample(fields.linear(SHAPE), sigma=0.005, seed=2, pitch=40.0)
    points = replace(still, d=still.d + field(still.yx))
    fit, fifth = BSpline().fit(points), BSpline(orders=(5,)).fit(points)
    assert fit.freedom > 0.95 * len(points)
    assert 0.9 * fit.held_out_px < fifth.held_out_px < fit.held_out_px
    assert "order 4" in fit.note
    assert fit.uncertainty is not None
    assert fifth.uncertainty is not None
    assert fit.uncertainty.variance(inside()).mean() > 1.3 * fifth.uncertainty.variance(inside()).mean()
