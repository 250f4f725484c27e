"""Noise in grains: its correlation is measured, and positions are believed less."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pyfai_gridcal import find_spots
from pyfai_gridcal.finding.holes.noise import correlation_of, grain_factor
from pyfai_gridcal.finding.holes.profile import disk_profile
from pyfai_gridcal.synthetic import Camera, Faults, Scene, demo_scene

SIDE = 15


def windows(blur: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((120, 5 * SIDE, 5 * SIDE))
    if blur:
        noise = ndimage.gaussian_filter(noise, (0, blur, blur))
    return noise[:, SIDE : 2 * SIDE, SIDE : 2 * SIDE].reshape(120, -1)


def test_independent_pixels() -> None:
    residual = windows(0.0)
    found = correlation_of(residual, np.ones(residual.shape, bool))
    assert np.abs(found - np.eye(25)[12].reshape(5, 5)).max() < 0.03
    assert grain_factor(found, disk_profile(4.0, 0.8, 7)) == 1.0


@pytest.mark.parametrize("blur", [0.6, 0.8])
def test_correlation_of_blurred_noise(blur: float) -> None:
    """White noise blurred by sigma has a Gaussian correlation of sigma * sqrt(2)."""
    residual = windows(blur)
    usable = np.random.default_rng(1).random(residual.shape) < 0.9
    found = correlation_of(residual, usable)
    k = np.arange(-2, 3)
    assert found == pytest.approx(np.exp(-(k[:, None] ** 2 + k[None, :] ** 2) / (4 * blur**2)), abs=0.08)
    # a hole much wider than the grains sees their power at long waves only
    assert grain_factor(found, disk_profile(12.0, 3.0, 18)) == pytest.approx(np.sqrt(found.sum()), rel=0.1)
    assert 1 < grain_factor(found, disk_profile(3.0, 0.8, 7)) < np.sqrt(found.sum())


def test_nothing_to_measure() -> None:
    for residual in (np.zeros((3, 225)), np.ones((2, 9))):
        found = correlation_of(residual, np.ones(residual.shape, bool))
        assert grain_factor(found, disk_profile(4.0, 0.8, 7)) == 1.0


@pytest.mark.parametrize("grains", [0.0, 0.7])
def test_uncertainty_is_honest_with_grainy_noise(grains: float) -> None:
    """Noise of the same size, pixel by pixel or in grains: the claimed sigma follows the error."""
    base = demo_scene((330, 360), pitch_px=27.3, seed=3)
    scene = Scene(
        base.distortion,
        base.plate,
        base.pose,
        light=base.light,
        camera=Camera(gain=0, readout=1.0, dtype="float32"),
        faults=Faults(),
    )
    picture = scene.render(np.random.default_rng(0))
    noise = np.random.default_rng(4).standard_normal(picture.image.shape)
    if grains:
        noise = ndimage.gaussian_filter(noise, grains)
    spots = find_spots(picture.image + 300 * noise / noise.std())
    truth = picture.truth.select(picture.truth.whole)
    distance = np.hypot(*(spots.yx[:, None] - truth.yx[None]).transpose(2, 0, 1))
    near = distance.argmin(axis=1)
    seen = distance.min(axis=1) < 2
    pull = ((spots.yx - truth.yx[near]) / spots.sigma_yx)[seen]
    assert 0.8 < pull.std() < 1.25
