"""What is found does not depend on the unit of the readings."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.finding.detection import find_spots
from pyfai_gridcal.finding.units import unit_of
from pyfai_gridcal.records.spots import Noise
from pyfai_gridcal.synthetic import demo_scene


@pytest.mark.parametrize("power", [-60, 50])
def test_the_same_spots_in_any_unit(power: int) -> None:
    """Counts over a sum were not found for rounding errors, large ones for squares of squares."""
    picture = demo_scene((260, 300), pitch_px=24.0).render(np.random.default_rng(3))
    image, unit = picture.image + 0.25, 2.0**power
    known, limit = Noise(1.0, 3.0, 1.0), 0.9 * float(picture.image.max())
    plain = find_spots(image, noise=known, saturation=limit)
    other = find_spots(image * unit, noise=Noise(unit, 3 * unit, unit), saturation=limit * unit)
    np.testing.assert_allclose(other.yx, plain.yx, atol=1e-6)
    np.testing.assert_allclose(other.sigma_yx, plain.sigma_yx, rtol=1e-5)
    np.testing.assert_allclose(other.amplitude, plain.amplitude * unit, rtol=1e-5)
    np.testing.assert_allclose(other.background, plain.background * unit, rtol=1e-3, atol=1e-3 * unit)
    assert other.noise is not None
    assert other.noise.gain == pytest.approx(unit)
    assert unit_of(image * unit) != 1.0


def test_usual_readings_are_taken_as_they_are() -> None:
    counts = np.array([[0.0, 3.0], [np.nan, 60000.0]])
    for image in (counts, counts / 1e5, np.array([[2**31 - 1, 5]]), np.zeros((2, 3)), np.array([[np.inf, 7.0]])):
        assert unit_of(image) == 1.0
