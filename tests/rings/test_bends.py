"""Mean second derivatives: of parabolas all, of lines none, and inversions first."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.base.frames import raster_places
from pyfai_gridcal.fitting.spline.basis import uniform_axes
from pyfai_gridcal.rings.bends import bends


def test_inversions_come_first_whatever_the_pixels() -> None:
    y, x = uniform_axes((0.0, 0.0), (50, 80), 6, 3)
    aspect, middle = 1.25, np.array([20.0, 45.0])
    off = (raster_places(y.abscissae, x.abscissae).reshape(-1, 2) - middle) * (aspect, 1.0)
    found = bends(y, x, aspect)
    for pole in ((1.0, 0.0), (0.3, -0.8)):
        # a small one, in metres, then in px
        moved = (2 * (off @ pole)[:, None] * off - (off**2).sum(axis=1)[:, None] * pole) / (aspect, 1.0)
        told = found @ moved.T.ravel()
        np.testing.assert_allclose(told[2:] / np.abs(told[:2]).max(), 0, atol=0.02)  # abscissae bend a parabola's ends
    line = np.concatenate([3 + 0.1 * off[:, 0], off[:, 1]])
    assert np.abs(found @ line).max() < 1e-6 * np.abs(told[:2]).max()


@pytest.mark.parametrize("aspect", [1.0, 1.25])
def test_fields_without_direction_have_each_of_them_as_large(aspect: float) -> None:
    """Long waves of all directions, in metres: Laplacians were twice the others before."""
    rng, (y, x) = np.random.default_rng(3), uniform_axes((0.0, 0.0), (50, 60), 6, 3)
    off = raster_places(y.abscissae, x.abscissae).reshape(-1, 2) * (aspect, 1.0)
    angle, phase = rng.uniform(0, 2 * np.pi, (2, 3000, 2))
    along = off[:, 0, None, None] * np.sin(angle) + off[:, 1, None, None] * np.cos(angle)
    waves = np.cos(2 * np.pi * along / 400 + phase) / (aspect, 1.0)
    told = bends(y, x, aspect) @ waves.transpose(2, 0, 1).reshape(-1, 3000)
    size = (told**2).mean(axis=1)
    np.testing.assert_allclose(size, size.mean(), rtol=0.1)
