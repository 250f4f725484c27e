"""What an image teaches about its holes and its pixels."""

from __future__ import annotations

import numpy as np
import pytest
from looking import PITCH_PX, RADIUS, candidates, picture, prepared, search

from pyfai_gridcal.finding.learning import hole_radius, learn
from pyfai_gridcal.finding.model import start_from


@pytest.mark.parametrize("guess", [0.7, 1.0, 1.4])
def test_radius_of_the_mean_hole(guess: float) -> None:
    """Whatever was guessed, to some tenths of a pixel: the distortion has stretched the holes a little."""
    found = hole_radius(prepared(), candidates(), guess * RADIUS, PITCH_PX)
    assert found == pytest.approx(RADIUS, abs=0.35)


def test_where_the_mean_picture_shows_no_hole_the_guess_stays() -> None:
    between = candidates() + 0.5 * PITCH_PX * np.array([1.0, 0.0])
    inside = between[(between < np.array(picture().image.shape) - 15).all(axis=1)]
    blank = prepared()
    blank.data[:] = 700.0
    assert hole_radius(blank, inside, 3.3, PITCH_PX) == 3.3


def test_noise_is_that_of_the_camera() -> None:
    noise, camera = search()[0].learned.noise, picture().scene.camera.noise
    level = np.array([900.0, 2500.0, 4500.0])
    np.testing.assert_allclose(noise.variance(level), camera.variance(level), rtol=0.12)


def test_grain_of_independent_pixels_is_one() -> None:
    assert search()[0].learned.grain == pytest.approx(1.0, abs=0.05)


def test_profile_is_one_inside_and_none_outside() -> None:
    tools = search()[0]
    table = tools.learned.profile.table
    middle = len(table) // 2
    assert table[middle, middle] == pytest.approx(1.0, abs=0.03)
    assert abs(table[middle, 0]) < 0.03
    assert tools.profile_radius == pytest.approx(RADIUS, abs=0.35)
    np.testing.assert_allclose(table, table[::-1, ::-1], atol=0.05)


def test_learning_needs_no_good_start() -> None:
    """Candidates a whole pixel off teach the same profile."""
    image = prepared()
    off = candidates() + np.random.default_rng(1).uniform(-1, 1, candidates().shape)
    state = start_from(image, off, 11, RADIUS)
    learned = learn(image, state, reach=11, radius=RADIUS, spacing=PITCH_PX, limit=3.0, workers=1)
    table = learned.profile.table
    k = len(table) // 2
    assert table[k, k] == pytest.approx(1.0, abs=0.03)
    assert learned.noise.variance(np.array([2500.0]))[0] == pytest.approx(2436, rel=0.2)
