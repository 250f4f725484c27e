"""The displacement as a function of where a point should be."""

from __future__ import annotations

import numpy as np
import pytest
from hub import PIXEL, SHAPE, Wave, wave

from pyfai_gridcal.base.errors import FittingError
from pyfai_gridcal.io.kinds.inverse import ExtendedField, inverted
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import SampledField


def test_it_undoes_the_field():
    back = inverted(Wave(), SHAPE)
    there = np.random.default_rng(0).uniform((12, 12), (SHAPE[0] - 12, SHAPE[1] - 12), (900, 2))
    here = there + back.at(there)
    np.testing.assert_allclose(here + Wave().at(here), there, atol=1e-7)
    np.testing.assert_allclose(here, wave().distort(there, tolerance=1e-9), atol=2e-7)


def test_rasters_are_made_of_points():
    back = inverted(Wave(), SHAPE)
    y, x = np.array([3.0, 100.5, 220.0]), np.array([0.0, 7.25, 150.0, 300.0])
    points = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
    np.testing.assert_allclose(back.on_grid(y, x).reshape(-1, 2), back.at(points), atol=1e-12)


def test_steep_fields_have_an_inverse_as_long_as_they_do_not_fold():
    """A displacement that changes by 1.5 px a px: points that are moved by it alone run away, Newton's do not."""
    nodes = np.array([0.0, 99.0]), np.array([0.0, 129.0])
    y, x = np.meshgrid(*nodes, indexing="ij")
    steep = SampledField(*nodes, np.stack([1.5 * (y - 40), -0.3 * (x - 60)], axis=-1))
    there = np.array([[40.0, 60.0], [90.0, 88.0]])
    np.testing.assert_allclose(there + inverted(steep, (100, 130)).at(there), [[40.0, 60.0], [60.0, 100.0]], atol=1e-6)


def test_folds_are_refused():
    nodes = np.array([0.0, 99.0]), np.array([0.0, 129.0])
    y, x = np.meshgrid(*nodes, indexing="ij")
    fold = SampledField(*nodes, np.stack([-2.0 * (y - 50), 0 * x], axis=-1))
    with pytest.raises(FittingError, match="not one-to-one"):
        inverted(fold, (100, 130))


def test_beyond_what_is_known_it_goes_on_straight():
    field = ExtendedField(Wave(), (10.0, 20.0), (100.0, 150.0))
    inside = np.array([[50.0, 60.0], [10.0, 150.0]])
    np.testing.assert_array_equal(field.at(inside), Wave().at(inside))
    line = np.array([[50.0, 150.0 + d] for d in (0.0, 10.0, 20.0, 40.0)])
    steps = np.diff(field.at(line), axis=0)
    np.testing.assert_allclose(steps[1], steps[0], atol=1e-9)
    np.testing.assert_allclose(steps[2], 2 * steps[0], atol=1e-9)
    assert Distortion(field, SHAPE, PIXEL).displacement(np.array([[0.0, 0.0]])).shape == (1, 2)
