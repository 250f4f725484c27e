"""Light, camera and faults do what their fields say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from griddrawing import SHAPE, make, open_fraction

from pyfai_gridcal.synthetic import Camera, Light, Opaque, fields
from pyfai_gridcal.synthetic.parts import TruthSpots


def test_noise_follows_the_camera():
    scene = make(
        light=Light(1000, 400, vignetting=0), camera=Camera(1.0, gain=3.0, readout=20.0, pedestal=50, dtype="float64")
    )
    rng = np.random.default_rng(2)
    picture = scene.render(rng, bounds=False)
    pulls = (picture.image - picture.mean) / np.sqrt(scene.camera.noise.variance(picture.mean))
    assert pulls.std() == pytest.approx(1, abs=0.02)
    assert abs(pulls.mean()) < 0.02


def test_dark_holes_take_light_away():
    bright, dark = (make(light=Light(500, 100, polarity)) for polarity in ("bright", "dark"))
    a, b = (s.render(np.random.default_rng(0)) for s in (bright, dark))
    np.testing.assert_allclose(a.mean + b.mean, 2 * 100 + (700) * bright.light.lamp(SHAPE), rtol=1e-5)
    yx = np.rint(b.truth.yx[b.truth.whole]).astype(int)
    assert (b.mean[tuple(yx.T)] < np.median(b.mean)).all()


def test_vignetting_is_lost_in_the_farthest_corner():
    lamp = Light(vignetting=0.3, centre=(0.2, 0.6)).lamp(SHAPE)
    assert lamp.min() == lamp[-1, 0] == pytest.approx(0.7)
    assert np.unravel_index(lamp.argmax(), SHAPE) == (round(0.2 * 149), round(0.6 * 180))
    assert (Light(vignetting=0.0).lamp(SHAPE) == 1).all()


def test_uneven_light_is_slow_and_depends_on_its_seed():
    flat = Light(vignetting=0.0, uneven=0.2, seed=4)
    lamp = flat.lamp(SHAPE)
    assert 0.05 < lamp.std() < 0.2
    assert np.abs(np.diff(lamp, axis=1)).max() < 0.05
    np.testing.assert_array_equal(lamp, flat.lamp(SHAPE))
    assert not np.array_equal(lamp, replace(flat, seed=5).lamp(SHAPE))
    assert (Light(vignetting=1.0, uneven=3.0).lamp(SHAPE) >= 0).all()


def test_noise_of_a_camera_is_said_in_the_words_of_the_records():
    noise = Camera(gain=2.0, readout=3.0, pedestal=40.0).noise
    assert noise.variance(np.array([140.0]))[0] == 2.0 * 100 + 9


def test_some_of_the_true_spots():
    truth = TruthSpots([[1, 2], [3, 4], [5, 6]], [[0, 0], [0, 1], [1, 0]], np.full((3, 2), 0.1), [True, False, True])
    whole = truth.select(truth.whole)
    assert len(whole) == 2
    np.testing.assert_array_equal(whole.yx, [[1, 2], [5, 6]])
    np.testing.assert_array_equal(whole.ij, [[0, 0], [1, 0]])
    assert not whole.yx.flags.writeable


def test_a_beam_falls_off_to_its_part_at_the_farther_border():
    lamp = Light(vignetting=0, beam=(1.0, 0.02), centre=(0.3, 0.4)).lamp(SHAPE)
    assert (lamp == lamp[0]).all()
    row = lamp[0]
    assert row.argmax() == round(0.4 * 180)
    assert row[-1] == row.min() == pytest.approx(0.02)
    # of a Gaussian the logarithm is a parabola
    np.testing.assert_allclose(np.diff(np.log(row), 3), 0, atol=1e-10)


def test_half_shadow_of_a_frame():
    lamp = Light(vignetting=0, penumbra=(4.0, 10.0)).lamp(SHAPE)
    assert (lamp[:4] == 0).all()
    assert (lamp[:, -4:] == 0).all()
    assert (lamp[14:-14, 14:-14] == 1).all()
    rim = lamp[75, :14]
    assert (np.diff(rim[4:]) > 0).all()
    # half of a round lamp is hidden half way in; what light it lets pass is as much as it takes
    assert rim.sum() == pytest.approx(5.0, abs=0.01)
    np.testing.assert_allclose(rim[4:], 1 - rim[4:][::-1], atol=1e-12)
    np.testing.assert_allclose(lamp[:14, 90], rim)
    sharp = Light(vignetting=0, penumbra=(4.0, 0.0)).lamp(SHAPE)
    assert sharp.sum() == (150 - 8) * (181 - 8)


@pytest.mark.parametrize("angle", [0.0, 27.0, -100.0])
def test_an_opaque_thing_covers_its_area(angle):
    """A rectangle within the picture: its area, its middle, and nothing else, however blurred."""
    y, x = np.mgrid[:100, :120].astype(float)
    thing = Opaque((48.3, 61.7), angle, along=(-9.2, 14.6), across=(-20.4, 3.3))
    turn = np.deg2rad(angle)
    middle = np.array([48.3, 61.7]) + np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) @ [
        2.7,
        -8.55,
    ]
    for blur in (0.0, 1.7):
        cover = thing.cover(y, x, blur, 1.0)
        assert cover.sum() == pytest.approx(23.8 * 23.7, rel=2e-3)
        np.testing.assert_allclose([(cover * y).sum(), (cover * x).sum()] / cover.sum(), middle, atol=0.02)
        assert cover.max() == pytest.approx(1)
        assert cover.min() >= 0


def test_a_bar_a_half_plane_and_a_quadrant():
    y, x = np.mgrid[:40, :50].astype(float)
    half = Opaque((10.25, 0)).cover(y, x, 0.0, 1.0)
    np.testing.assert_allclose(half[:, 7], np.r_[np.zeros(10), 0.25, np.ones(29)])
    quadrant = Opaque((10.25, 30), across=(0, np.inf)).cover(y, x, 0.0, 1.0)
    assert quadrant.sum() == pytest.approx((39.5 - 10.25) * (49.5 - 30))
    bar = Opaque((20, 0), along=(-1.2, 2.1)).cover(y, x, 0.0, 1.0)
    np.testing.assert_allclose(bar.sum(axis=0), 3.3)


def test_distance_from_an_opaque_thing():
    thing = Opaque((20.0, 30.0), 90.0, along=(0, 8), across=(0, 12))  # its first axis points along -x
    at = np.array([[25.0, 26.0], [20.0, 33.0], [16.0, 33.0], [25.0, 15.0], [22.0, 27.0]])
    np.testing.assert_allclose(thing.distance(at), [-4, 3, 5, 7, -2], atol=1e-12)
    assert Opaque((20.0, 0.0)).distance(np.array([[12.0, 900.0], [50.0, -3.0]])).tolist() == [8.0, -30.0]


def test_blur_grows_towards_the_farthest_corner():
    camera = Camera(0.8, blur_corner=2.4, focus=(0.2, 0.6))
    focus = np.array([149, 180]) * (0.2, 0.6)
    corner = np.array([149.0, 0.0])
    sigma = camera.blur_at(np.array([focus, corner, (focus + corner) / 2, [149.0, 180.0]]), SHAPE)
    np.testing.assert_allclose(sigma[:3], [0.8, 2.4, 1.2], atol=0.005)
    assert 0.8 < sigma[3] < 2.4
    assert (Camera(0.8).blur_at(np.zeros((3, 2)), SHAPE) == 0.8).all()


def test_a_hole_is_as_blurred_as_its_place():
    """Second moments of each hole: of the disc, of the pixel, and of the blur there."""
    field = fields.linear(SHAPE)
    camera = Camera(0.7, blur_corner=2.2, focus=(0.1, 0.9))
    scene = make(field, pitch_px=32, hole_px=9, camera=camera)
    picture = open_fraction(scene)
    seen = 0
    for y, x in scene.holes().yx:
        a, b = round(y), round(x)
        cut = picture[a - 15 : a + 16, b - 15 : b + 16]
        if min(a, b) < 15 or cut.shape != (31, 31):
            continue
        across = np.arange(b - 15, b + 16) - x
        moment = (cut.sum(axis=0) * across**2).sum() / cut.sum()
        sigma = camera.blur_at(np.array([y, x]), SHAPE)
        radius = 4.5 * scene.distortion.pixel_size[0] / scene.distortion.pixel_size[1]
        assert moment == pytest.approx(radius**2 / 4 + 1 / 12 + sigma**2, rel=0.01)
        assert abs((cut.sum(axis=0) * across).sum() / cut.sum()) < 2e-3
        seen += 1
    assert seen > 8


def test_ghost_and_smear_add_their_light():
    light = np.zeros((30, 40))
    light[10, 20] = 100.0
    ghost = Camera(ghost=(0.1, 3.0, -4.5)).stray(light)
    assert ghost[10, 20] == 100
    assert ghost[13, 15] == ghost[13, 16] == pytest.approx(5)
    assert ghost.sum() == pytest.approx(110)
    smear = Camera(smear=0.3).stray(light)
    np.testing.assert_allclose(smear - light, np.where(np.arange(40) == 20, 0.3 * 100 / 30, 0)[None] + 0 * light)


def test_bleeding_keeps_the_charge_of_each_column():
    camera = Camera(saturation=100.0, bleed=True)
    counts = np.full((30, 5), 20.0)
    counts[12, 1] = 700.0  # in the middle of its column
    counts[1, 2] = 1000.0  # near a border
    counts[:, 3] = 200.0  # more than the column can hold
    out = camera.spill(counts)
    np.testing.assert_allclose(out.sum(axis=0)[[0, 1, 2, 4]], counts.sum(axis=0)[[0, 1, 2, 4]])
    assert out.max() == 100
    assert (out[:, 3] == 100).all()
    full = np.flatnonzero(out[:, 1] == 100)
    assert len(full) == full[-1] - full[0] + 1
    assert full.mean() == pytest.approx(12, abs=1)
    assert Camera(saturation=100.0).spill(counts).sum() < counts.sum()


def test_a_picture_of_a_bleeding_camera():
    """The trail reads full, and spots in it have no bound to speak of."""
    deep, kept, bleeding = (
        make(camera=Camera(1.0, saturation=s, bleed=b, readout=0)).render(np.random.default_rng(0))
        for s, b in ((60000, False), (4000, False), (4000, True))
    )
    assert bleeding.image.max() == kept.image.max() == 4000
    assert (bleeding.image == 4000).sum() > 1.5 * (kept.image == 4000).sum()
    assert kept.image.mean() < 0.9 * deep.image.mean()
    assert bleeding.image.mean() == pytest.approx(deep.image.mean(), rel=1e-4)
    bounds = []
    for one in (deep, kept, bleeding):
        known = {tuple(ij): sigma for ij, sigma in zip(one.truth.ij, one.truth.sigma_yx, strict=True)}
        bounds.append(np.array([known.get(tuple(ij), (np.inf, np.inf)) for ij in deep.truth.ij]))
    assert (np.median(bounds[1], axis=0) > 1.05 * np.median(bounds[0], axis=0)).all()
    assert (np.median(bounds[2], axis=0) > 1.05 * np.median(bounds[1], axis=0)).all()
    np.testing.assert_array_equal(bleeding.mean, kept.mean)


def test_stray_light_is_in_the_picture_and_in_its_mean():
    plain, smeared = (make(camera=Camera(smear=s)).render(np.random.default_rng(0), bounds=False) for s in (0.0, 0.2))
    light, more = (p.mean - 100.0 for p in (plain, smeared))
    np.testing.assert_allclose(more.sum(axis=0), 1.2 * light.sum(axis=0), rtol=1e-5)
    assert smeared.image.mean() - plain.image.mean() == pytest.approx(0.2 * light.mean(), rel=0.01)
