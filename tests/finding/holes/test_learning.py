"""What an image teaches: radius, profile and noise of holes that are known."""

from __future__ import annotations

from dataclasses import replace

import looking
import numpy as np
import pytest
from holes import BLUR, NOISE, RADIUS, REACH, lattice, picture, started
from scipy.spatial import cKDTree
from scipy.special import ndtr

from pyfai_gridcal.base.errors import PickingError
from pyfai_gridcal.finding.detection import find_spots
from pyfai_gridcal.finding.holes.learning import hole_radius, learn
from pyfai_gridcal.finding.holes.model import start_from
from pyfai_gridcal.finding.holes.profile import disk_and_blur
from pyfai_gridcal.finding.holes.windows import PreparedImage
from pyfai_gridcal.records.spots import Polarity


@pytest.mark.parametrize("guess", [2.6, 3.4, 4.4])
def test_radius_of_the_mean_hole(guess: float) -> None:
    yx = lattice()
    image = PreparedImage(picture(yx), None, "bright")
    assert hole_radius(image, yx, guess, 20.0) == pytest.approx(RADIUS, abs=0.25)


def test_no_hole_no_radius() -> None:
    image = PreparedImage(np.random.default_rng(0).normal(9, 1, (90, 120)), None, "bright")
    assert 1.0 < hole_radius(image, np.array([[40.0, 50.0], [60.0, 70.0]]), 3.0, 20.0) < 6.0


@pytest.mark.parametrize("polarity", ["bright", "dark"])
def test_profile_and_noise_are_those_of_the_picture(polarity: Polarity) -> None:
    image, state = started(lattice((15.3, 16.7)), polarity=polarity)
    learned = learn(image, state, reach=7, radius=3.0, spacing=15.0, limit=2.0)
    radius, blur = disk_and_blur(learned.profile)
    assert radius == pytest.approx(RADIUS, abs=0.2)
    assert blur == pytest.approx(BLUR, abs=0.15)
    assert float(np.sqrt(learned.noise.variance(np.array([400.0]))[0])) == pytest.approx(NOISE, rel=0.1)
    assert learned.grain == 1.0


def test_spots_of_nothing_teach_nothing() -> None:
    image, state = started(lattice())
    with pytest.raises(PickingError, match="no candidate looks like a hole"):
        learn(image, replace(state, amplitude=-state.amplitude), reach=REACH, radius=3.0, spacing=20.0, limit=0.0)


def test_grain_of_independent_pixels_is_one() -> None:
    assert looking.search()[0].learned.grain == pytest.approx(1.0, abs=0.05)


def test_learning_needs_no_good_start() -> None:
    """Candidates a whole pixel off teach the same profile."""
    image = looking.prepared()
    off = looking.candidates() + np.random.default_rng(1).uniform(-1, 1, looking.candidates().shape)
    state = start_from(image, off, 11, looking.RADIUS)
    learned = learn(image, state, reach=11, radius=looking.RADIUS, spacing=looking.PITCH_PX, limit=3.0, workers=1)
    table = learned.profile.table
    k = len(table) // 2
    assert table[k, k] == pytest.approx(1.0, abs=0.03)
    assert learned.noise.variance(np.array([2500.0]))[0] == pytest.approx(2436, rel=0.2)


def test_sharp_pictures_do_not_follow_the_pixels() -> None:
    """Direct detectors have hardly a blur but their pixels: places leant towards the middles of these by 0.012 px,
    which a smooth field takes for distortion where the pitch is close to a whole number of them."""
    ky, kx = np.mgrid[:28, :33]
    truth = np.stack([12.2 + 9.96 * ky + 0.02 * kx, 11.7 + 10.03 * kx - 0.02 * ky], axis=-1).reshape(-1, 2)
    image, fine = np.zeros((310, 360)), 8
    offset = (np.arange(-4.5 * fine, 4.5 * fine) + 0.5) / fine
    for centre in truth:
        y, x = np.rint(centre).astype(int)
        far = np.hypot((y + offset - centre[0])[:, None], x + offset - centre[1])
        inside = ndtr((3.3 - far) / 0.12).reshape(9, fine, 9, fine)
        image[y - 4 : y + 5, x - 4 : x + 5] += inside.mean(axis=(1, 3))
    spots = find_spots(np.random.default_rng(5).poisson(60 + 3000 * image).astype(float))
    distance, row = cKDTree(truth).query(spots.yx)
    assert len(spots) == len(truth)
    assert distance.max() < 0.05
    off, phase = spots.yx - truth[row], truth[row] - np.rint(truth[row])
    for axis in (0, 1):
        part = np.digitize(phase[:, axis], np.linspace(-0.5, 0.5, 9)[1:-1])
        lean = np.bincount(part, off[:, axis]) / np.bincount(part)
        assert np.abs(lean).max() < 0.006
    assert np.median(spots.sigma_yx) < 0.005
