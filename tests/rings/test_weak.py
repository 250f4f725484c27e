"""Distances of single images that are hardly told are as uncertain as they are."""

from __future__ import annotations

import numpy as np
import pytest
from ringdrawing import PIXEL, bent, differs, three_images

from pyfai_gridcal.rings.solution import fit_rings

pytestmark = pytest.mark.usefixtures("not_left_out")

SHAPE = (220, 250)


@pytest.mark.parametrize("seed", [1009, *(pytest.param(k, marks=pytest.mark.slow) for k in (1003, 1008))])
def test_distances_that_rings_hardly_tell_are_uncertain(seed: int) -> None:
    """Drawings of which the equations about the solution say 0.1 px, and that are off by 0.3 to 0.5 px."""
    rng = np.random.default_rng(seed)
    truth = bent(SHAPE, 0.8, rng)
    images = three_images(truth, rng, degrees=5.0, noise_px=0.05)
    found = fit_rings(images, shape=SHAPE, pixel_size=PIXEL, max_sigma=9.0)
    error = differs(found.distortion, truth, rng, scaled=True)
    y, x = (np.linspace(3, n - 4, 25) for n in SHAPE)
    assert np.sqrt((error**2).mean()) < 1.8 * np.sqrt((found.distortion.sigma.on_grid(y, x) ** 2).mean())
