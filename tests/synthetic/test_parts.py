"""What light, camera and faults do to a picture."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import SHAPE, make

from pyfai_gridcal.synthetic import Camera, Faults, Light


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


def test_single_pixel_faults_mask_and_saturation():
    mask = np.zeros(SHAPE, bool)
    mask[70:75] = True
    scene = make(
        mask=mask,
        light=Light(200, 20),
        camera=Camera(readout=1, pedestal=3, saturation=180, dtype="uint8"),
        faults=Faults(zingers=20, hot_columns=2, dirt=3, beam_stop=(40.0, 60.0, 15.0)),
    )
    picture = scene.render(np.random.default_rng(3))
    assert picture.image.dtype == np.uint8
    assert picture.image.max() == 180
    assert picture.mask is mask or (picture.mask == mask).all()
    assert picture.mean[72].max() == picture.mean[40, 60] == 3
    inside = np.hypot(*(picture.truth.yx - (40, 60)).T) < 10
    assert not inside.any()
    on_gap = np.abs(picture.truth.yx[:, 0] - 72) < 4
    assert not picture.truth.whole[on_gap].any()
