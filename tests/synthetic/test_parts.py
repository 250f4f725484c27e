"""Light, camera and faults do what their fields say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from griddrawing import SHAPE, make

from pyfai_gridcal.synthetic import Camera, Light
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
