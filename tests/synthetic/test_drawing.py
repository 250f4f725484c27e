"""Holes as they are drawn, against an independent picture made by brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from griddrawing import PIXEL, SHAPE, brute_force, make, open_fraction

from pyfai_gridcal import synthetic
from pyfai_gridcal.records.field import TiledField
from pyfai_gridcal.synthetic import Camera, Faults, Light, fields


@pytest.mark.parametrize(("blur", "hole_px", "limit"), [(0.0, 8.0, 0.05), (0.35, 3.3, 0.02), (1.3, 4.4, 0.004)])
def test_picture_equals_brute_force(blur, hole_px, limit):
    scene = make(shape=(110, 131), camera=Camera(blur), hole_px=hole_px)
    drawn, true = open_fraction(scene), brute_force(scene)
    assert np.abs(drawn - true).max() < limit
    assert abs(drawn.sum() / true.sum() - 1) < 2e-3


@pytest.mark.parametrize(("hole_px", "blur"), [(3.1, 0.6), (5.0, 1.2), (13.7, 0.3), (26.0, 1.2)])
def test_centroid_is_the_truth(hole_px, blur):
    """Without bending, the centroid of a whole hole is its centre, to a thousandth of a pixel."""
    field = fields.linear(SHAPE, shear=0.02, stretch=0.03, shift=(0.37, -0.21))
    scene = make(field, pitch_px=hole_px + 16, hole_px=hole_px, camera=Camera(blur))
    picture = open_fraction(scene)
    truth = scene.holes()
    half = int(hole_px * 0.62 + 5 * blur + 1)
    worst = 0.0
    for y, x in truth.yx:
        a, b = int(np.rint(y)), int(np.rint(x))
        if min(a, b) < half or a + half >= SHAPE[0] or b + half >= SHAPE[1]:
            continue
        cut = picture[a - half : a + half + 1, b - half : b + half + 1]
        rows, columns = np.mgrid[a - half : a + half + 1, b - half : b + half + 1]
        worst = max(worst, abs((cut * rows).sum() / cut.sum() - y), abs((cut * columns).sum() / cut.sum() - x))
    assert 0 < worst < 1e-3


def test_crlb_is_reached_by_a_fit_that_knows_everything():
    """Many pictures of one hole, position by linearised maximum likelihood: the scatter is the bound."""
    scene = make(
        fields.linear(SHAPE),
        shape=(40, 44),
        pitch_px=90.0,
        hole_px=9.0,
        camera=Camera(1.1, readout=5, pedestal=0, dtype="float64"),
    )
    scene = replace(
        scene, light=Light(300, 60, vignetting=0.2), pose=synthetic.place(scene.distortion, scene.plate, offset=(0, 0))
    )
    picture = scene.render(np.random.default_rng(0))
    assert len(picture.truth) == 1
    step = 1e-3
    slopes = []
    for k in (0, 1):
        shift = np.array(scene.pose.shift_m)
        shift[k] += step * PIXEL[k]
        moved = replace(scene, pose=replace(scene.pose, shift_m=tuple(shift))).render(
            np.random.default_rng(0), bounds=False
        )
        slopes.append((moved.mean.astype(float) - picture.mean).ravel() / step)
    weight = 1 / (picture.mean.astype(float).ravel() + 25)
    normal = np.array([[np.sum(a * b * weight) for b in slopes] for a in slopes])
    expected = np.sqrt(np.diag(np.linalg.inv(normal)))
    np.testing.assert_allclose(picture.truth.sigma_yx[0], expected, rtol=0.03)
    rng = np.random.default_rng(5)
    noise = [(scene.render(rng, bounds=False).image - picture.mean).ravel() for _ in range(300)]
    found = np.array([np.linalg.solve(normal, [np.sum(s * weight * n) for s in slopes]) for n in noise])
    np.testing.assert_allclose(found.std(axis=0), picture.truth.sigma_yx[0], rtol=0.12)


@pytest.mark.parametrize("spread", [0.3, 1.0])
def test_holes_of_any_size_are_drawn(spread):
    """A wide scatter must not drill holes of negative size."""
    picture = make(faults=Faults(size_spread=spread)).render(np.random.default_rng(0))
    assert np.isfinite(picture.truth.sigma_yx[picture.truth.whole]).all()
    assert picture.mean.max() > 5000


def test_tiles_draw_each_hole_in_its_own_tile():
    rng = np.random.default_rng(8)
    field = fields.tiles(SHAPE, (1, 2), rng, jump_px=4.0)
    assert isinstance(field, TiledField)
    scene = make(field, camera=Camera(0.4))
    picture = scene.render(rng)
    for k, part in enumerate(field.fields):
        alone = make(part, camera=Camera(0.4))
        alone = replace(alone, pose=scene.pose).render(rng)
        away = np.zeros(SHAPE, bool)
        away[:, slice(0, 85) if k == 0 else slice(95, None)] = True
        np.testing.assert_allclose(picture.mean[away], alone.mean[away], rtol=2e-3)
    node = scene.pose.corrected(scene.plate.positions(picture.truth.ij), PIXEL)
    np.testing.assert_allclose(scene.distortion.correct(picture.truth.yx), node, atol=1e-5)
