"""Holes of one or two pixels, of which places and picture go along with each other."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pyfai_gridcal.base.arrays import Floats
from pyfai_gridcal.finding.detection import find_spots
from pyfai_gridcal.finding.holes.model import start_from
from pyfai_gridcal.finding.holes.profile import disk_profile
from pyfai_gridcal.finding.holes.undersampled import sharp_disk
from pyfai_gridcal.finding.holes.windows import PreparedImage

#: Samples per pixel of the drawings.
FINE = 15


def drawn(radius: float, blur: float, *, seed: int = 0, sigma: float = 8.0) -> tuple[Floats, Floats]:
    """Image of holes at all sub-pixel phases, the mean over each pixel, and their places."""
    rng, (ny, nx) = np.random.default_rng(seed), (13, 16)
    at = np.stack(np.meshgrid(12.0 + 11 * np.arange(ny), 9.0 + 11 * np.arange(nx), indexing="ij"), axis=-1)
    # the phases drift slowly along the rows, as of a plate that is hardly turned
    at = (at + 0.6 * at[..., ::-1] / 100 * (1, -1)).reshape(-1, 2)
    shape = (11 * ny + 13, 11 * nx + 10)
    fine = np.zeros((shape[0] * FINE, shape[1] * FINE), np.float32)
    reach = int((radius + 1) * FINE)
    for y, x in (at + 0.5) * FINE - 0.5:
        rows, columns = (np.arange(int(c) - reach, int(c) + reach + 2) for c in (y, x))
        far = np.hypot(rows[:, None] - y, columns[None, :] - x)
        fine[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += np.clip(radius * FINE - far + 0.5, 0, 1)
    image = ndimage.gaussian_filter(fine, blur * FINE).reshape(shape[0], FINE, shape[1], FINE).mean(axis=(1, 3))
    return 20 + 4000 * image + rng.normal(0, sigma, shape), at


@pytest.mark.parametrize(("radius", "blur"), [(0.7, 0.1), (0.8, 0.2)])
def test_places_do_not_go_with_their_phases(radius: float, blur: float) -> None:
    """They were off by up to 0.02 px, and the field of a plate that is aligned with the pixels took that in."""
    image, at = drawn(radius, blur)
    found = find_spots(image)
    near = np.hypot(*(found.yx[:, None] - at).transpose(2, 0, 1)).argmin(axis=1)
    error, phase = found.yx - at[near], at[near] - np.rint(at[near])
    wave = np.sin(2 * np.pi * phase)
    assert len(found) > 180
    assert np.abs((error * wave).sum(axis=0) / (wave**2).sum(axis=0)).max() < 0.004


def test_radius_and_blur_are_those_of_the_hole() -> None:
    image, at = drawn(0.8, 0.25)
    prepared = PreparedImage(image, None, "bright")
    wrong = disk_profile(0.4, 0.48, 5)
    state = start_from(prepared, at, 5, 0.8)
    first = sharp_disk(prepared, state, wrong, None, known=None, limit=1.0, workers=1)
    assert first is not None
    assert first[0] == pytest.approx(0.8, abs=0.06)
    assert first[1] == pytest.approx(np.hypot(0.25, 12**-0.5), abs=0.04)


def test_larger_holes_and_blurred_ones_are_not_undersampled() -> None:
    image, at = drawn(0.8, 0.6)
    prepared = PreparedImage(image, None, "bright")
    state = start_from(prepared, at, 5, 0.8)
    for profile in (disk_profile(0.6, 0.6, 5), disk_profile(2.0, 0.4, 5)):
        assert sharp_disk(prepared, state, profile, None, known=None, limit=1.0, workers=1) is None
