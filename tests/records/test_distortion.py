"""The internal truth about a detector: positions, corners, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
from hub import PIXEL, Wave, modules, wave

from pyfai_gridcal.base.errors import FittingError, UsageError
from pyfai_gridcal.base.frames import edge_nodes
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import CornerField, SampledField, TiledField, corner_values

SHAPE = (110, 150)


def points(shape, n=500, margin=2.0, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([rng.uniform(margin, s - 1 - margin, n) for s in shape], axis=1)


# -- corners and centres
def test_corners_are_metres_in_pyfais_order():
    d = wave(SHAPE)
    corners = d.pixel_corners(np.float64)
    assert corners.shape == (*SHAPE, 4, 3)
    assert (corners[..., 0] == 0).all()
    for k, (a, b) in enumerate(((0, 0), (1, 0), (1, 1), (0, 1))):
        edge = np.array([[70 + a, 31 + b]], float)
        expected = (edge + d.displacement(edge - 0.5)) * PIXEL
        assert np.allclose(corners[70, 31, k, 1:], expected[0], atol=1e-12)
    assert d.pixel_corners().dtype == np.float32


def test_tiled_and_shared_corners_are_the_same_for_a_smooth_field():
    d = wave(SHAPE)
    tiled = Distortion(CornerField(corner_values(d.field, SHAPE)), SHAPE, PIXEL)
    assert tiled.is_tiled
    assert not d.is_tiled
    assert np.allclose(tiled.pixel_corners(np.float64), d.pixel_corners(np.float64), atol=1e-12)


def test_the_largest_displacement_is_that_of_a_pixel_that_is_not_masked():
    d = wave(SHAPE)
    size = np.hypot(*d.displacement_maps())
    assert d.largest_px == pytest.approx(size.max(), rel=1e-12)
    assert d.extent == tuple((m.min(), m.max()) for m in d.displacement_maps())
    mask = size > 0.95 * size.max()
    assert d.masked(mask).largest_px == pytest.approx(size[~mask].max(), rel=1e-12)
    assert d.masked(np.ones(SHAPE, bool)).largest_px is None


def test_maps_are_at_the_centres():
    d = wave(SHAPE)
    dy, dx = d.displacement_maps()
    assert dy.shape == dx.shape == SHAPE
    assert np.allclose(d.displacement(np.array([[17, 99]])), [[dy[17, 99], dx[17, 99]]])
    ny, nx = d.displacement_nodes()
    assert ny.shape == (SHAPE[0] + 1, SHAPE[1] + 1)
    assert np.allclose(d.displacement(np.array([[16.5, 98.5]])), [[ny[17, 99], nx[17, 99]]])


def test_mask_must_fit():
    with pytest.raises(ValueError, match="mask of shape"):
        wave(SHAPE).masked(np.zeros((3, 4), bool))
    assert not wave(SHAPE, masked=True).mask.flags.writeable


def test_fold_over_shows_in_the_jacobian():
    assert wave(SHAPE).jacobian_sign().min() > 0.8

    class Fold(Wave):
        def _of(self, y, x):
            bump = -30 * np.exp(-((y - 50) ** 2 + (x - 80) ** 2) / 100.0)
            return np.stack([bump * (y - 50) / 10, bump * (x - 80) / 10], axis=-1)

    d = Distortion(Fold(), SHAPE, PIXEL)
    assert d.jacobian_sign(4).min() < 0


# -- the way back
def test_there_and_back_is_within_the_tolerance():
    d = wave(SHAPE)
    observed = points(SHAPE)
    back = d.distort(d.correct(observed))
    assert np.abs(back - observed).max() < 3e-6
    corrected = points(SHAPE, margin=15)
    assert np.abs(d.correct(d.distort(corrected)) - corrected).max() < 1e-6
    assert np.abs(d.correct(d.distort(corrected, tolerance=1e-9)) - corrected).max() < 1e-9


@pytest.mark.parametrize("make", [lambda d: SampledField(*edge_nodes(SHAPE), d.field.on_grid(*edge_nodes(SHAPE)))])
def test_sampled_fields_have_an_inverse_too(make):
    d = Distortion(make(wave(SHAPE)), SHAPE, PIXEL)
    observed = points(SHAPE)
    assert np.abs(d.distort(d.correct(observed)) - observed).max() < 3e-6


def test_strong_distortion():
    """Barrel by a third at the rim."""

    class Barrel(Wave):
        def _of(self, y, x):
            u, v = (y - 52) / 75.0, (x - 77) / 75.0
            f = 0.33 * (u * u + v * v)
            return np.stack([75 * u * f, 75 * v * f], axis=-1)

    d = Distortion(Barrel(), SHAPE, PIXEL)
    observed = points(SHAPE, margin=0.0)
    back = d.distort(d.correct(observed))
    assert np.isfinite(back).all()
    assert np.abs(back - observed).max() < 1e-5


def test_gaps_and_seams_of_tiles():
    for truth in (modules(), modules(gap=0)):
        inside = points(truth.shape, 2000, margin=0.0)
        nearest = np.rint(inside).astype(int)
        if truth.mask is not None:
            inside = inside[~truth.mask[nearest[:, 0], nearest[:, 1]]]
        corrected = truth.correct(inside)
        back = truth.distort(corrected)
        finite = np.isfinite(back).all(axis=1)
        assert finite.mean() > 0.999
        # Where tiles overlap, another one may answer, but what it answers is right.
        assert np.abs(truth.correct(back[finite]) - corrected[finite]).max() < 1e-6
        assert (np.abs(back[finite] - inside[finite]).max(axis=1) < 1e-4).mean() > 0.97


def test_corners_from_a_file_near_seams():
    truth = modules(gap=0)
    d = Distortion(CornerField(corner_values(truth.field, truth.shape)), truth.shape, PIXEL)
    inside = points(truth.shape, 1500, margin=0.0)
    corrected = d.correct(inside)
    back = d.distort(corrected)
    finite = np.isfinite(back).all(axis=1)
    assert finite.mean() > 0.995
    assert np.abs(d.correct(back[finite]) - corrected[finite]).max() < 1e-6


def test_where_there_is_no_inverse_it_says_so():
    """Two tiles drawn apart: what lies between them was never seen."""
    labels = np.zeros(SHAPE, int)
    labels[:, 75:] = 1

    class Shift:
        def __init__(self, dx):
            self.dx = dx

        def at(self, yx):
            return np.tile([0.0, self.dx], (len(yx), 1))

        def on_grid(self, y, x):
            return np.tile([0.0, self.dx], (len(y), len(x), 1))

    d = Distortion(TiledField(labels, (Shift(-6.0), Shift(6.0))), SHAPE, PIXEL)
    between, left, right = [50.0, 74.5], [50.0, 60.0], [50.0, 90.0]
    back = d.distort(np.array([between, left, right]))
    assert np.isnan(back[0]).all()
    assert np.allclose(back[1:], [[50, 66], [50, 84]])
    corners = Distortion(CornerField(corner_values(d.field, SHAPE)), SHAPE, PIXEL).distort(
        np.array([between, left, right])
    )
    assert np.isnan(corners[0]).all()
    assert np.allclose(corners[1:], [[50, 66], [50, 84]])


def test_outside_of_the_detector():
    d = wave(SHAPE)
    target = np.array([[-30.0, 50.0], [55.0, 80.0], [50.0, 400.0]])
    assert np.isfinite(d.distort(target)).all()
    inside = d.distort(target, inside=True)
    assert np.isnan(inside[[0, 2]]).all()
    assert np.isfinite(inside[1]).all()


def test_folded_places_are_not_answered():
    class Mirror(Wave):
        def _of(self, y, x):
            return np.stack([-2.0 * (y - 50) + 0 * x, 0 * y + 0 * x], axis=-1)

    d = Distortion(Mirror(), SHAPE, PIXEL)
    assert np.isnan(d.distort(points(SHAPE))).all()


def test_hostile_targets_and_fields_end():
    d = wave(SHAPE)
    back = d.distort(np.array([[np.nan, 3.0], [np.inf, 2.0], [1e300, 1e300], [50.0, 60.0]]))
    assert np.isnan(back[:2]).all()
    assert np.isfinite(back[3]).all()

    class Nothing(Wave):
        def _of(self, y, x):
            return np.full((*np.broadcast_shapes(y.shape, x.shape), 2), np.nan)

    with pytest.raises(FittingError, match="nowhere finite"):
        Distortion(Nothing(), SHAPE, PIXEL).distort(points(SHAPE))

    class Rough(Wave):
        def _of(self, y, x):
            return np.stack([9 * np.sin(3.1 * y + x), 9 * np.cos(2.7 * x - y)], axis=-1)

    rough = Distortion(Rough(), SHAPE, PIXEL)
    target = points(SHAPE)
    back = rough.distort(target)
    finite = np.isfinite(back).all(axis=1)
    assert np.abs(rough.correct(back[finite]) - target[finite]).max(initial=0) < 1e-6


def test_no_points():
    assert wave(SHAPE).distort(np.empty((0, 2))).shape == (0, 2)
    assert wave(SHAPE).correct(np.empty((0, 2))).shape == (0, 2)


def test_what_is_no_distortion_is_refused():
    flat = wave().field
    for shape in ((260,), None, "ab", (1, 2, 3)):
        with pytest.raises(UsageError, match="shape"):
            Distortion(flat, shape, PIXEL)
    with pytest.raises(UsageError, match="mask of shape"):
        Distortion(flat, (20, 30), PIXEL, mask=np.zeros((30, 20), bool))
    with pytest.raises(UsageError, match="values of shape"):
        SampledField(np.arange(3.0), np.arange(4.0), np.zeros((4, 3, 2)))
