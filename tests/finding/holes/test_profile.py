"""Radius and blur of the picture of a hole."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.finding.holes.profile import _least_squares, blurred_disk, disk_and_blur
from pyfai_gridcal.records.spots import HoleProfile


@pytest.mark.parametrize(("radius", "blur"), [(5.3, 1.2), (1.7, 0.7), (11.0, 2.6), (3.1, 2.4)])
def test_radius_and_blur_are_those_of_the_least_squares(radius, blur):
    from scipy.optimize import leastsq

    r = np.arange(0, 3 * radius, 0.25)
    seen = 0.9 * blurred_disk(radius, blur, r) + np.random.default_rng(1).normal(0, 0.01, len(r)) + 0.02 * np.cos(r)

    def misfit(p):
        return blurred_disk(p[0], p[1], r) - seen

    start, low, high = np.array([1.2 * radius, 0.8]), np.array([0.3, 0.25]), np.array([30.0, 9.0])
    found = _least_squares(misfit, start, low, high)
    np.testing.assert_allclose(found, leastsq(misfit, start)[0], atol=2e-3)
    narrow = _least_squares(misfit, start, low, np.array([0.8 * radius, 9.0]))
    assert narrow[0] == 0.8 * radius


def test_radius_of_what_is_no_hole_stays_within_bounds():
    table = np.random.default_rng(2).normal(0, 1, (41, 41))
    radius, blur = disk_and_blur(HoleProfile(table, 4))
    assert 0.3 <= radius <= 8
    assert 0.25 <= blur <= 5


@pytest.mark.parametrize(("radius", "blur"), [(4.4, 2.7), (2.3, 2.6), (9.6, 2.2)])
def test_soft_holes_that_overlap_keep_their_radius_and_blur(radius, blur):
    """A profile is 0 at the end of its window, the light of the hole is not: blur seemed half of it to four fifths."""
    reach = radius + 1.6 * blur
    n = round(4 * reach)
    y, x = np.mgrid[-n : n + 1, -n : n + 1] / 4
    light = blurred_disk(radius, blur, np.hypot(y, x).ravel()).reshape(y.shape)
    rim = blurred_disk(radius, blur, np.array([reach]))[0]
    found = disk_and_blur(HoleProfile((light - rim) / (light.max() - rim), 4))
    np.testing.assert_allclose(found, (radius, blur), rtol=0.02)
