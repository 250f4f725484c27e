"""Where rings are: as pyFAI says, and with derivatives that are those of differences."""

from __future__ import annotations

import numpy as np
from ringdrawing import bent

from pyfai_gridcal.io.nexus.detector import to_detector
from pyfai_gridcal.rings.geometry import NAMES, numbers_of, places_of, slopes, two_theta

GEOMETRY = {"dist": 0.15, "poni1": 0.011, "poni2": 0.034, "rot1": 0.1, "rot2": -0.2, "rot3": 0.3}


def test_angles_are_those_of_pyfai() -> None:
    from pyFAI.geometry import Geometry

    rng = np.random.default_rng(1)
    distortion = bent((120, 150), 0.2, rng)
    yx = rng.uniform(0, 118, (50, 2)).round()
    pyfai = Geometry(**GEOMETRY, detector=to_detector(distortion), wavelength=3e-11)
    ours = two_theta(places_of(distortion, yx), numbers_of(GEOMETRY))
    np.testing.assert_allclose(ours, pyfai.tth(*yx.T), atol=1e-6)


def test_slopes_are_those_of_differences() -> None:
    rng = np.random.default_rng(2)
    places, numbers, step = rng.uniform(-0.1, 0.1, (30, 3)), numbers_of(GEOMETRY), 1e-6
    place, geometry = slopes(places, numbers)
    for k in range(3):
        d = step * np.eye(3)[k]
        found = (two_theta(places + d, numbers) - two_theta(places - d, numbers)) / (2 * step)
        np.testing.assert_allclose(place[:, k], found, rtol=1e-4, atol=1e-5)
    for k in range(len(NAMES)):
        d = step * np.eye(5)[k]
        found = (two_theta(places, numbers + d) - two_theta(places, numbers - d)) / (2 * step)
        np.testing.assert_allclose(geometry[:, k], found, rtol=1e-4, atol=1e-5)
