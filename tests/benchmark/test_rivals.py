"""What other programs find, in our terms."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.benchmark.rivals import _Radial, best_scaled
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.synthetic import fields


def test_radial_model_is_turned_round() -> None:
    field = _Radial((100.0, 120.0), (1.0, 1e-4, -2e-7))
    ideal = np.array([[30.0, 40.0], [150.0, 125.0]])
    away = ideal - field.centre
    r = np.hypot(*away.T)
    observed = field.centre + away * np.polynomial.polynomial.polyval(r, field.factors)[:, None]
    np.testing.assert_allclose(observed + field.at(observed), ideal, atol=1e-6)
    grid = field.on_grid(np.array([3.0, 5.0]), np.array([7.0]))
    np.testing.assert_allclose(grid[1, 0], field.at(np.array([[5.0, 7.0]]))[0])


def test_scale_of_programs_without_one() -> None:
    truth = Distortion(fields.radial((300, 350), 0.05), (300, 350), (50e-6, 50e-6), gauge="truth")
    other = Distortion(truth.field, truth.shape, (1.0, 1.0), gauge="none")
    assert best_scaled(other, truth).pixel_size == pytest.approx(truth.pixel_size)
