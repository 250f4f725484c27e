"""What one exposure asks of the field."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fieldtruth import PLATE, SHAPE, observe

from pyfai_gridcal.fitting.view import PlateView, evenly_drawn
from pyfai_gridcal.synthetic import fields


def test_displacements_are_those_of_the_field_up_to_a_motion() -> None:
    truth = observe(fields.smooth(SHAPE, 3.0, 200.0, np.random.default_rng(0)), sigma=0.005)
    start, sample = PlateView(truth.points, PLATE, SHAPE, truth.pixel_size).placed()
    assert start.pixel_size == truth.pixel_size
    assert sample.used.all()
    assert np.allclose(sample.yx + sample.d, start.pose.corrected(PLATE.positions(truth.points.ij), start.pixel_size))
    # what is left is smaller than the field, since the plate lies where that is least
    assert np.sqrt((sample.d**2).mean()) <= np.sqrt((truth.field.at(sample.yx) ** 2).mean()) + 1e-6


def test_a_gross_error_is_not_used() -> None:
    truth = observe(fields.linear(SHAPE, shear=0.002))
    yx = truth.points.yx.copy()
    middle = int(np.argmin(np.hypot(*(yx - yx.mean(axis=0)).T)))
    yx[middle] += (3.0, -4.0)
    _, sample = PlateView(replace(truth.points, yx=yx), PLATE, SHAPE, None).placed()
    assert np.flatnonzero(~sample.used).tolist() == [middle]


def test_a_stretch_of_the_field_stretches_the_uncertainty() -> None:
    truth = observe(fields.linear(SHAPE, stretch=0.2), sigma=0.01)
    _, sample = PlateView(truth.points, PLATE, SHAPE, truth.pixel_size).placed()
    ratio = np.median(sample.sigma / truth.points.sigma_yx, axis=0)
    assert ratio[0] / ratio[1] == pytest.approx(1.2 / 0.8, rel=0.05)


def test_rows_are_drawn_without_repetition() -> None:
    assert np.array_equal(evenly_drawn(50, 60), np.arange(50))
    some = evenly_drawn(5000, 60)
    assert len(np.unique(some)) == 60
    assert 1500 < some.mean() < 3500
