"""From control points to a distortion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fieldtruth import PIXEL, PLATE, SHAPE, SQUARE, Truth, observe, turned_indices

from pyfai_gridcal.base.errors import FittingError, UsageError
from pyfai_gridcal.fitting.fitting import fit_distortion, folded_pixels
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import Field, TiledField
from pyfai_gridcal.records.fit import DistortionFit
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.settings import MODELS
from pyfai_gridcal.synthetic import fields


def wavy(seed: int = 1) -> Field:
    return fields.SumField(
        (
            fields.smooth(SHAPE, 6.0, 160.0, np.random.default_rng(seed)),
            fields.linear(SHAPE, shear=0.012, stretch=-0.004),
            fields.radial(SHAPE, 0.03),
        )
    )


def fitted(truth: Truth, **options: object) -> DistortionFit:
    return fit_distortion(truth.points, plate=truth.plate, shape=truth.shape, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def truth() -> Truth:
    return observe(wavy())


@pytest.fixture(scope="module")
def fit(truth: Truth) -> DistortionFit:
    return fitted(truth)


def test_places_are_right_up_to_a_rigid_motion(truth: Truth, fit: DistortionFit) -> None:
    error = truth.errors(fit.distortion, truth.grid())
    assert np.sqrt((error**2).sum(axis=1).mean()) < 0.012
    assert fit.recipe == "spline"


def test_pixel_size_is_the_one_of_least_displacement(truth: Truth, fit: DistortionFit) -> None:
    """Scaling the raster makes the displacement larger, whichever way."""
    yx = truth.grid(margin=5)
    corrected = fit.distortion.correct(yx) + 0.5
    best = ((corrected - 0.5 - yx) ** 2).sum()
    middle = corrected.mean(axis=0)
    for axis in range(2):
        for scale in (0.99, 1.01):
            other = corrected.copy()
            other[:, axis] = middle[axis] + (other[:, axis] - middle[axis]) * scale
            assert ((other - 0.5 - yx) ** 2).sum() > best
    assert np.allclose(fit.distortion.pixel_size, PIXEL, rtol=0.05)
    assert 0 < fit.pixel_sigma_m[0] < 1e-4 * PIXEL[0]


def test_given_pixel_size_is_kept(truth: Truth) -> None:
    nominal = fitted(truth, pixel_size=(50e-6, 50e-6))
    assert nominal.distortion.pixel_size == (50e-6, 50e-6)
    assert nominal.pixel_sigma_m == (0.0, 0.0)
    assert np.abs(truth.errors(nominal.distortion, truth.grid(margin=15))).max() < 0.06


def test_residuals_and_poses_fit_together(truth: Truth, fit: DistortionFit) -> None:
    node = fit.poses[0].corrected(fit.plate.positions(truth.points.ij), fit.distortion.pixel_size)
    residual = fit.distortion.correct(truth.points.yx) - node
    assert np.allclose(residual, fit.residual_yx[0], atol=1e-9)
    assert fit.held_out_px > fit.residual_px > 0.004
    assert fit.held_out_px == pytest.approx(0.012, abs=0.004)


def test_the_shear_belongs_to_the_detector() -> None:
    field = fields.linear(SHAPE, shear=0.02, stretch=0.0)
    truth = observe(field, sigma=1e-3)
    yx = truth.grid(margin=30)
    got = fitted(truth).distortion.displacement(yx)
    shear = np.linalg.lstsq(np.c_[np.ones(len(yx)), yx], got, rcond=None)[0]
    ratio = PIXEL[1] / PIXEL[0]
    assert shear[2, 0] / ratio + shear[1, 1] * ratio == pytest.approx(0.02 / ratio, rel=2e-2)


@pytest.mark.parametrize("angle", [-44.0, 31.0, 100.0])
def test_any_angle_of_the_plate(angle: float) -> None:
    truth = observe(wavy(), angle_deg=angle)
    assert np.abs(truth.errors(fitted(truth).distortion, truth.grid(margin=15))).max() < 0.06


def test_numbering_from_elsewhere_changes_nothing(truth: Truth, fit: DistortionFit) -> None:
    other = fit_distortion(truth.points.reindexed(np.eye(2), (7, -30)), plate=truth.plate, shape=SHAPE)
    yx = truth.grid()
    assert np.allclose(other.distortion.displacement(yx), fit.distortion.displacement(yx), atol=1e-5)


def test_hexagonal_plate() -> None:
    truth = observe(wavy(), plate=Plate((0.9e-3, 0.9e-3), 60.0), angle_deg=7.0)
    assert np.abs(truth.errors(fitted(truth).distortion, truth.grid(margin=15))).max() < 0.06


def test_oblique_axes_may_be_counted_the_other_way() -> None:
    plate = Plate((0.9e-3, 0.9e-3), 60.0)
    truth = observe(wavy(), plate=plate, angle_deg=7.0)
    # the same holes with other axes: i along b_i - b_j, at 120 degrees from j
    points = truth.points.reindexed(np.array([[1, 1], [0, 1]]))
    result = fit_distortion(points, plate=plate, shape=SHAPE)
    assert np.abs(truth.errors(result.distortion, truth.grid(margin=15))).max() < 0.06
    assert any("120" in note for note in result.notes)


@pytest.mark.parametrize("model", ["polynomial", "thinplate", "griddata"])
def test_other_recipes(truth: Truth, model: str) -> None:
    assert model in MODELS
    result = fitted(truth, model=model)
    error = truth.errors(result.distortion, truth.grid(margin=30))
    assert np.sqrt((error**2).mean()) < 0.25
    assert result.recipe == model


def test_the_runner_up_is_reported(fit: DistortionFit) -> None:
    names = [t.name for t in fit.trials]
    assert names[0] == "spline"
    assert "polynomial" in names
    chosen = [t for t in fit.trials if t.chosen]
    assert len(chosen) == 1
    assert len(chosen[0].curve) == 6


def test_a_polynomial_field_is_taken_for_one() -> None:
    truth = observe(fields.radial(SHAPE, 0.22, 0.05, centre=(200.0, 270.0)), sigma=0.02)
    result = fitted(truth)
    assert np.abs(truth.errors(result.distortion, truth.grid(margin=15))).max() < 0.06


def test_mask_covers_what_is_not_known() -> None:
    truth = observe(wavy())
    part = truth.points.select((truth.points.yx < [260, 300]).all(axis=1))
    result = fit_distortion(part, plate=truth.plate, shape=SHAPE)
    assert result.distortion.mask is not None
    assert not result.distortion.mask[10:245, 10:285].any()
    assert result.distortion.mask[300:, :].all()
    assert result.distortion.mask[:, 340:].all()
    claimed = np.argwhere(~result.distortion.mask)[::17].astype(float)
    assert np.percentile(np.abs(truth.errors(result.distortion, claimed)), 97) < 0.1


def test_max_sigma_and_mask_of_the_user(truth: Truth) -> None:
    dead = np.zeros(SHAPE, bool)
    dead[100:110, 50:60] = True
    wide, narrow = (fitted(truth, mask=dead, max_sigma=s).distortion.mask for s in (10.0, 0.006))
    assert wide is not None
    assert narrow is not None
    assert wide[100:110, 50:60].all()
    assert narrow.sum() > wide.sum()


@pytest.mark.slow
def test_sigma_map_covers_the_errors() -> None:
    z = []
    for seed in range(5):
        truth = observe(wavy(seed), seed=seed, sigma=0.03)
        result = fitted(truth)
        assert result.distortion.sigma is not None
        yx = truth.grid(margin=5)
        z.append(truth.errors(result.distortion, yx) / result.distortion.sigma.at(yx))
    z = np.concatenate(z)
    assert np.mean(np.abs(z) < 1) == pytest.approx(0.68, abs=0.1)
    assert np.mean(np.abs(z) < 1.96) == pytest.approx(0.95, abs=0.04)


def test_plate_that_is_off_shows_as_scatter() -> None:
    truth = observe(wavy())
    rng = np.random.default_rng(0)
    off = replace(truth.points, yx=truth.points.yx + rng.normal(0, 0.3, truth.points.yx.shape))
    result = fit_distortion(off, plate=truth.plate, shape=SHAPE)
    assert result.plate_sigma_px == pytest.approx(0.3, rel=0.15)
    assert fitted(truth).plate_sigma_px < 0.01


def test_outliers_are_marked(truth: Truth) -> None:
    yx = truth.points.yx.copy()
    yx[[5, 60, 150]] += [0.7, -0.9]
    result = fit_distortion(replace(truth.points, yx=yx), plate=truth.plate, shape=SHAPE)
    assert set(np.flatnonzero(~result.used[0])) >= {5, 60, 150}
    assert result.used[0].mean() > 0.98
    assert np.abs(truth.errors(result.distortion, truth.grid(margin=15))).max() < 0.06


def test_a_point_that_is_hardly_known_spoils_no_figure(truth: Truth) -> None:
    yx, sigma = truth.points.yx.copy(), truth.points.sigma_yx.copy()
    yx[40] += [0.4, -0.3]
    sigma[40] = 0.5
    result = fit_distortion(replace(truth.points, yx=yx, sigma_yx=sigma), plate=truth.plate, shape=SHAPE)
    plain = fitted(truth)
    assert result.used[0][40]
    assert result.held_out_px == pytest.approx(plain.held_out_px, rel=0.02)
    assert result.residual_px == pytest.approx(plain.residual_px, rel=0.02)
    assert result.trials[0].held_out_px == pytest.approx(result.held_out_px, rel=0.02)


def test_known_errors_of_the_plate_are_used() -> None:
    rng = np.random.default_rng(8)
    ij = np.stack(np.meshgrid(np.arange(-20, 21), np.arange(-20, 21), indexing="ij"), -1).reshape(-1, 2)
    error = rng.normal(0, 20e-6, ij.shape)
    plate = replace(SQUARE, error_ij=ij, error_yx=error, error_sigma_yx=np.full(error.shape, 0.2e-6))
    truth = observe(wavy(), plate=plate)
    foreign = turned_indices(truth.points, 1, (4, -9))
    with_map = fit_distortion(foreign, plate=plate, shape=SHAPE)
    without = fit_distortion(foreign, plate=SQUARE, shape=SHAPE)
    rms = [truth.errors(f.distortion, truth.grid(margin=15)).std() for f in (with_map, without)]
    assert rms[0] < 0.02 < rms[1]
    assert any("map of the plate" in note for note in with_map.notes)
    assert with_map.points[0].ij.tolist() == truth.points.ij.tolist()


def test_fold_over_is_masked() -> None:
    truth = observe(fields.smooth(SHAPE, 3.0, 150.0, np.random.default_rng(1)))
    result = fitted(truth)
    inside = result.distortion.jacobian_sign(8) > 0
    assert inside.all()


@pytest.mark.parametrize("shape", [(201, 246), (200, 249), (203, 250), (9, 17)])
def test_folds_of_an_image_of_any_size(shape: tuple[int, int]) -> None:
    """The field turns the image over along one axis, so every pixel is folded, the last row and column too."""
    over = fields.linear(shape, stretch=-2.0)
    assert Distortion(over, shape, PIXEL).jacobian_sign(8).min() < 0
    folds = folded_pixels(over, shape)
    assert folds.shape == shape
    assert folds.all()


def test_tiles_that_overlap_do_not_fold() -> None:
    """A step between tiles is no fold, however large."""
    labels = np.broadcast_to(np.arange(250) > 120, (201, 250)).astype(int)
    moved = fields.linear((201, 250), shift=(3.0, -20.0))
    still = fields.linear((201, 250))
    assert not folded_pixels(TiledField(labels, (still, moved)), (201, 250)).any()


@pytest.mark.parametrize("gauge", ["centre", (100.0, 333.0)])
def test_gauge_is_written_down_and_kept(truth: Truth, gauge: object) -> None:
    result = fitted(truth, gauge=gauge)
    point = (SHAPE[0] / 2 - 0.5, SHAPE[1] / 2 - 0.5) if gauge == "centre" else gauge
    assert np.allclose(result.distortion.displacement([point]), 0, atol=1e-8)
    assert f"{point[0]:g}" in result.distortion.gauge  # type: ignore[index]
    assert np.abs(truth.errors(result.distortion, truth.grid(margin=15))).max() < 0.06


def test_progress_can_cancel(truth: Truth) -> None:
    def stop(fraction: float, what: str) -> None:
        raise KeyboardInterrupt(what)

    with pytest.raises(KeyboardInterrupt):
        fitted(truth, progress=stop)


def test_too_few_points(truth: Truth) -> None:
    with pytest.raises(FittingError, match="8 control points"):
        fit_distortion(truth.points.select(np.arange(8)), plate=PLATE, shape=SHAPE)


def test_nine_points_are_enough_for_something(truth: Truth) -> None:
    near = np.abs(truth.points.ij - [1, 2]).max(axis=1) < 2
    assert near.sum() == 9
    result = fit_distortion(truth.points.select(near), plate=PLATE, shape=SHAPE)
    assert result.distortion.mask is not None
    assert 0 < (~result.distortion.mask).mean() < 0.15
    assert result.plate_sigma_px < 0.5


def test_points_on_a_line(truth: Truth) -> None:
    with pytest.raises(FittingError, match="one line"):
        fit_distortion(truth.points.select(truth.points.ij[:, 0] == 0), plate=PLATE, shape=SHAPE)


def test_arguments_of_a_wrong_kind(truth: Truth) -> None:
    for plate in ("1mm", 1e-3, None):
        with pytest.raises(UsageError, match="Plate"):
            fit_distortion(truth.points, plate=plate, shape=SHAPE)  # type: ignore[arg-type]
    for shape in ((260,), "260,300", None, 5):
        with pytest.raises(UsageError, match="shape"):
            fit_distortion(truth.points, plate=PLATE, shape=shape)  # type: ignore[arg-type]
    for points in (None, [None], truth.points.yx):
        with pytest.raises(UsageError, match="control points"):
            fit_distortion(points, plate=PLATE, shape=SHAPE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"model": "magic"},
        {"gauge": "nowhere"},
        {"mask": np.zeros((3, 4), bool)},
        {"pixel_size": -1.0},
        {"labels": np.zeros((3, 4), int), "model": "tiles"},
    ],
)
def test_wrong_usage(truth: Truth, options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        fitted(truth, **options)
