"""Mosaics and modules."""

from __future__ import annotations

import numpy as np
import pytest
from fieldtruth import PIXEL, PLATE, SHAPE, Truth, observe

from pyfai_gridcal.base.errors import FittingError
from pyfai_gridcal.fitting.fitting import fit_distortion
from pyfai_gridcal.fitting.recipe import Sample
from pyfai_gridcal.fitting.rigid import RigidBody, RigidField
from pyfai_gridcal.fitting.spline.recipe import BSpline
from pyfai_gridcal.fitting.tiles.tiles import common_pixel_size, fit_tiles
from pyfai_gridcal.records.field import TiledField
from pyfai_gridcal.records.fit import Pose
from pyfai_gridcal.synthetic import fields


def mosaic(*, jump: float = 4.0) -> TiledField:
    smooth = fields.smooth(SHAPE, 3.0, 200.0, np.random.default_rng(2))
    return fields.tiles(SHAPE, (2, 2), np.random.default_rng(5), jump_px=jump, turn_deg=0.15, base=smooth)


def modules() -> TiledField:
    """Rigid motions, in metres: the pixels are oblong."""
    rng = np.random.default_rng(7)
    motions = [RigidField(Pose(rng.normal(0, 0.002), tuple(rng.normal(0, 40e-6, 2))), PIXEL) for _ in range(4)]
    return TiledField(mosaic().labels, tuple(motions))


def gaps(width: int = 3) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    for axis, n in enumerate(SHAPE):
        cut = slice(n // 2 - width // 2, n // 2 + (width + 1) // 2)
        mask[(cut, slice(None)) if axis == 0 else (slice(None), cut)] = True
    return mask


def live(truth: Truth, mask: np.ndarray) -> np.ndarray:
    yx = truth.grid(margin=3)
    return yx[~mask[tuple(yx.astype(int).T)]]


@pytest.mark.parametrize("model", ["auto", "mosaic"])
def test_smooth_tiles_between_gaps(model: str) -> None:
    truth, mask = observe(mosaic()), gaps()
    fit = fit_distortion(truth.points, plate=PLATE, shape=SHAPE, mask=mask, model=model)
    yx = live(truth, mask)
    assert fit.distortion.is_tiled
    assert fit.recipe == "tiles (spline)"
    assert fit.distortion.mask is not None
    known = yx[~fit.distortion.mask[tuple(yx.astype(int).T)]]
    assert len(known) > 0.95 * len(yx)
    assert np.sqrt((truth.errors(fit.distortion, known) ** 2).sum(axis=1).mean()) < 0.02


def test_seams_without_a_mask() -> None:
    truth = observe(mosaic())
    fit = fit_distortion(truth.points, plate=PLATE, shape=SHAPE)
    assert fit.distortion.is_tiled
    assert any("seam" in note for note in fit.notes)
    assert fit.distortion.mask is not None
    yx = live(truth, fit.distortion.mask)
    assert np.abs(truth.errors(fit.distortion, yx)).mean() < 0.02
    assert (~fit.distortion.mask).mean() > 0.75


def slanted(degrees: float) -> TiledField:
    """Two tiles; the border between them is turned from the columns."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    side = (x - SHAPE[1] / 2) * np.cos(np.deg2rad(degrees)) + (y - SHAPE[0] / 2) * np.sin(np.deg2rad(degrees)) > 0
    return TiledField(side.astype(np.int16), mosaic().fields[:2])


@pytest.mark.parametrize("degrees", [-32.0, *(pytest.param(v, marks=pytest.mark.slow) for v in (11.0, 45.0, 74.0))])
def test_slanted_seams(degrees: float) -> None:
    truth = observe(slanted(degrees), angle_deg=1.3)
    fit = fit_distortion(truth.points, plate=PLATE, shape=SHAPE)
    assert fit.distortion.is_tiled
    assert fit.distortion.mask is not None
    yx = live(truth, fit.distortion.mask)
    # but for a few pixels at the ends of the seam, farther out than any hole
    assert np.quantile(np.abs(truth.errors(fit.distortion, yx)), 0.999) < 0.05
    assert (~fit.distortion.mask).mean() > 0.8


def test_modules_move_rigidly_and_keep_their_pixel_size() -> None:
    truth, mask = observe(modules(), angle_deg=0.8), gaps(9)
    fit = fit_distortion(truth.points, plate=PLATE, shape=SHAPE, mask=mask)
    assert fit.recipe == "tiles (rigid)"
    assert np.allclose(fit.distortion.pixel_size, PIXEL, rtol=2e-5)
    yx = live(truth, mask)
    assert np.sqrt((truth.errors(fit.distortion, yx) ** 2).sum(axis=1).mean()) < 0.008
    assert fit.distortion.sigma is not None
    z = truth.errors(fit.distortion, yx) / fit.distortion.sigma.at(yx)
    assert 0.4 < z.std() < 1.9


def test_a_smooth_field_with_gaps_stays_smooth() -> None:
    truth, mask = observe(fields.radial(SHAPE, 0.02)), gaps()
    fit = fit_distortion(truth.points, plate=PLATE, shape=SHAPE, mask=mask)
    assert not fit.distortion.is_tiled
    assert any(t.name.startswith("tiles") and not t.chosen for t in fit.trials)


def test_labels_given() -> None:
    field = mosaic()
    truth = observe(field)
    labels = np.where(gaps(), -1, field.labels.astype(int) * 3)
    fit = fit_distortion(truth.points, plate=PLATE, shape=SHAPE, labels=labels, model="tiles", mask=gaps())
    assert isinstance(fit.distortion.field, TiledField)
    assert len(fit.distortion.field.fields) == 4


def test_a_tile_without_points_is_masked_and_told() -> None:
    truth, mask = observe(mosaic()), gaps()
    tile = mosaic().label_at(truth.points.yx)
    fit = fit_distortion(truth.points.select(tile != 3), plate=PLATE, shape=SHAPE, mask=mask, model="tiles")
    assert fit.distortion.mask is not None
    assert fit.distortion.mask[SHAPE[0] // 2 + 5 :, SHAPE[1] // 2 + 5 :].all()
    assert not fit.distortion.mask[50:150, 50:200].any()
    assert any("without enough points" in note for note in fit.notes)


def test_empty_tiles_may_stay_where_they_are() -> None:
    rng = np.random.default_rng(0)
    yx = rng.uniform((0, 0), (99, 49), (40, 2))
    labels = np.zeros((100, 100), int)
    labels[:, 50:] = 1
    sample = Sample(yx, np.full(yx.shape, 0.5), np.full(yx.shape, 0.01), (100, 100), 10.0, np.ones(40, bool))
    kept = fit_tiles(sample, labels, [RigidBody()], keep_empty=True)
    masked = fit_tiles(sample, labels, [RigidBody()])
    assert kept.empty == masked.empty == (1,)
    assert np.allclose(kept.fit.field.at([[5, 5], [5, 90]]), [[0.5, 0.5], [0, 0]], atol=1e-9)
    assert masked.support.unknown((100, 100), 0.1)[:, 50:].all()
    assert not kept.support.unknown((100, 100), 0.1)[:, 50:].any()


def test_no_tile_with_points_is_an_error() -> None:
    yx = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 5.0]])
    sample = Sample(yx, yx * 0, yx * 0 + 0.1, (100, 100), 10.0, np.ones(3, bool))
    with pytest.raises(FittingError, match="tiles"):
        fit_tiles(sample, np.zeros((100, 100), int), [RigidBody()])


def test_pixel_size_from_the_insides_of_tiles() -> None:
    field = modules()
    truth = observe(field, sigma=1e-4)
    tile = field.label_at(truth.points.yx).astype(np.int64)
    size = common_pixel_size(PLATE.positions(truth.points.ij), truth.points.yx, tile, np.ones(len(tile), bool))
    assert size is not None
    assert np.allclose(size, PIXEL, rtol=1e-5)


def few_on_each(seed: int, bent_px: float = 0.0) -> tuple[Sample, np.ndarray]:
    """Fourteen modules, turned and moved, with some twenty holes on each, a third of these known badly; bent by so
    much along the longer side of all of them."""
    shape, grid, rng = (240, 560), (2, 7), np.random.default_rng(seed)
    row, column = (np.arange(n) * k // n for n, k in zip(shape, grid, strict=True))
    labels = row[:, None] * grid[1] + column
    cosine, sine = np.cos(np.deg2rad(6.9)), np.sin(np.deg2rad(6.9))
    node = np.stack(np.meshgrid(*[np.arange(-40, 40)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    yx = 21.0 * node @ np.array([[cosine, sine], [-sine, cosine]]) + (120.3, 280.7)
    yx = yx[((yx > 1) & (yx < np.array(shape) - 2)).all(axis=1)]
    own = labels[tuple(yx.astype(int).T)]
    sigma = np.where(rng.random(len(yx)) < 0.3, 0.05, 0.01)[:, None] * np.ones(2)
    shift, turn = rng.normal(0, 0.5, (labels.max() + 1, 2)), rng.normal(0, 2e-3, labels.max() + 1)
    d = shift[own] + turn[own][:, None] * (yx - np.array(shape) / 2)[:, ::-1] * (1, -1)
    d[:, 1] += bent_px * np.sin(np.pi * (yx[:, 0] % 120) / 120)
    d += rng.normal(size=d.shape) * sigma
    return Sample(yx, d, sigma, shape, 21.0, np.ones(len(yx), bool)), labels


@pytest.mark.parametrize(("bent_px", "name"), [(0.0, "tiles (rigid)"), (1.0, "tiles (spline)")])
def test_tiles_bend_where_they_surely_do(bent_px: float, name: str) -> None:
    """By chance a field for each tile predicts a few hundred holes better by some per cent now and then."""
    for seed in range(8):
        assert fit_tiles(*few_on_each(seed, bent_px), (RigidBody(), BSpline())).fit.name == name
