"""Pictures that a camera's noise does not smooth: drawings, clipped tops, few small spots."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from pyfai_gridcal.base.arrays import AnyArray, Floats
from pyfai_gridcal.exposure import take_exposure
from pyfai_gridcal.finding.detection import find_spots
from pyfai_gridcal.finding.picking import pick
from pyfai_gridcal.records.settings import Settings
from pyfai_gridcal.records.spots import Polarity, SpotFlag
from pyfai_gridcal.synthetic import Camera, Light, Scene, demo_scene, match_spots


def drawn(shape: tuple[int, int], pitch: tuple[float, float], radius: float) -> tuple[AnyArray, Floats]:
    """Disks on a grid that is askew, in two levels without a pixel between, and where their middles are."""
    turn = np.array([[np.cos(0.12), -np.sin(0.12)], [np.sin(0.12), np.cos(0.12)]])
    ij = np.argwhere(np.ones((61, 61))) - 30
    yx = (ij * pitch) @ turn + np.array(shape) / 2 + (0.3, 0.7)
    y, x = np.mgrid[: shape[0], : shape[1]]
    far, _ = cKDTree(yx).query(np.stack([y, x], axis=-1))
    return far < radius, yx[((yx > radius) & (yx < np.array(shape) - 1 - radius)).all(axis=1)]


@pytest.mark.parametrize(
    ("levels", "polarity"),
    [
        ((0, 254), "dark"),
        pytest.param((0, 255), "bright", marks=pytest.mark.slow),
        pytest.param((30, 210), "dark", marks=pytest.mark.slow),
    ],
)
def test_a_drawing_without_noise_is_solved_with_an_honest_sigma(levels: tuple[int, int], polarity: Polarity) -> None:
    inside, truth = drawn((310, 385), (25.0, 27.0), 6.0)
    low, high = levels
    image = np.where(inside == (polarity == "bright"), high, low).astype(np.uint8)
    spots = find_spots(image)
    far, near = cKDTree(spots.yx).query(truth)
    assert spots.polarity == polarity
    assert (far < 0.5).mean() > 0.98
    error = (spots.yx[near] - truth)[far < 0.5]
    assert 0.6 < np.sqrt(np.mean((error / spots.sigma_yx[near][far < 0.5]) ** 2)) < 1.6


def test_holes_of_a_drawing_are_no_dead_areas() -> None:
    inside, _ = drawn((310, 385), (30.0, 32.0), 7.2)
    one = take_exposure(np.where(inside, 10, 200).astype(np.uint8), Settings(pitch=1e-3))
    assert one.mask is None


def test_plateaus_are_listed_once_on_a_small_picture() -> None:
    inside, truth = drawn((310, 385), (40.0, 43.0), 12.0)
    image = np.where(inside, 0, 254).astype(np.float32)
    for radius in (6.0, 12.0, 30.0):
        candidates = pick(image, polarity="dark", radius_px=radius)
        assert len(candidates) < 200
    truth = truth[((truth > 20) & (truth < np.array(image.shape) - 21)).all(axis=1)]
    found, _ = cKDTree(pick(image, polarity="dark", radius_px=12.0).yx).query(truth)
    assert found.max() < 2.5


@pytest.mark.parametrize("peak", [300.0, *(pytest.param(v, marks=pytest.mark.slow) for v in (340.0, 420.0))])
@pytest.mark.parametrize("polarity", ["bright", "dark"])
def test_sigma_is_honest_where_readings_are_cut(polarity: Polarity, peak: float) -> None:
    light, camera = Light(peak, 20.0, polarity, 0.3), Camera(1.2, 0.5, 3.0, 10.0, 255.0, "uint8")
    bare = demo_scene((320, 390), pitch_px=27.0)
    assert bare.plate.hole_m is not None
    plate = replace(bare.plate, hole_m=1.5 * bare.plate.hole_m)
    scene = Scene(bare.distortion, plate, bare.pose, light, camera)
    picture = scene.render(np.random.default_rng(5))
    assert (picture.image == 255).mean() > 0.03
    spots = find_spots(picture.image)
    # where only dark pixels are free to tell, noise is known to half, and one or two of 163 look odd
    assert match_spots(spots, picture.truth).recall > 0.985
    score = match_spots(spots.select((spots.flags & SpotFlag.BORDER) == 0), picture.truth)
    assert 0.8 < score.over_sigma < 1.25


def test_few_small_spots_are_found_with_their_own_size() -> None:
    rng = np.random.default_rng(1)
    inside, truth = drawn((1000, 1130), (178.0, 199.0), 2.5)
    image = np.where(inside, 255, np.clip(rng.normal(10, 4, inside.shape), 0, 254)).astype(np.uint8)
    spots = find_spots(image, saturation=255)
    assert inside.mean() < 1e-3
    assert 4.0 < spots.hole_px < 6.5
    far, _ = cKDTree(spots.yx).query(truth)
    assert far.max() < 0.6


def test_smooth_rims_of_a_drawing_are_not_taken_for_noise() -> None:
    turn = np.array([[np.cos(0.12), -np.sin(0.12)], [np.sin(0.12), np.cos(0.12)]])
    yx = ((np.argwhere(np.ones((17, 17))) - 8) * (78.0, 83.5)) @ turn + (195.3, 237.7)
    y, x = np.mgrid[:390, :475]
    far, _ = cKDTree(yx).query(np.stack([y, x], axis=-1))
    image = np.rint(220 - 200 * np.clip(30.5 - far, 0, 1)).astype(np.uint8)
    spots = find_spots(image)
    truth = yx[((yx > 45) & (yx < np.array(image.shape) - 46)).all(axis=1)]
    far, near = cKDTree(spots.yx).query(truth)
    assert far.max() < 0.03
    assert np.sqrt(np.mean((spots.yx[near] - truth) ** 2)) < 0.011
