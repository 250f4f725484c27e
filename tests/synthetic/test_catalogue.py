"""Scenes ready for use: the same for the same seed, and always ones that can be calibrated."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal import synthetic


def test_same_seed_same_picture():
    pictures = [
        synthetic.random_scene(np.random.default_rng(6)).render(np.random.default_rng(7), bounds=False)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(pictures[0].image, pictures[1].image)
    assert len(pictures[0].truth) > 9


def test_demo_is_asymmetric_and_scales_with_the_pitch():
    """So that no swap of axes can pass, and a small one is quick."""
    scene = synthetic.demo_scene((120, 150), pitch_px=17.0)
    assert scene.shape == (120, 150)
    assert scene.distortion.pixel_size[0] != scene.distortion.pixel_size[1]
    truth = scene.holes()
    assert len(truth) > 20
    nearest = np.hypot(*(truth.yx[:, None] - truth.yx).transpose(2, 0, 1)) + 1e9 * np.eye(len(truth))
    assert np.median(nearest.min(axis=1)) == pytest.approx(17.0, rel=0.1)
    dy, dx = scene.distortion.displacement_maps()
    assert np.abs(dy - dx).max() > 0.5
    assert np.abs(dy - dy[::-1]).max() > 0.1


@pytest.mark.parametrize("seed", range(6))
def test_random_scenes_hold_enough_holes_and_never_fold(seed):
    scene = synthetic.random_scene(np.random.default_rng(seed), side=(200, 260))
    assert all(200 <= n < 260 for n in scene.shape)
    assert len(scene.holes()) >= 9
    assert scene.distortion.jacobian_sign().min() > 0.3
    assert scene.hole_px < 0.6 * min(scene.plate.pitch_m) / max(scene.distortion.pixel_size)
