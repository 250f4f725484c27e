"""What one exposure asks of the field."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fieldtruth import PIXEL, PLATE, SHAPE, Truth, observe

from pyfai_gridcal.fitting.view import PlateView, evenly_drawn
from pyfai_gridcal.records.plate import with_errors
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


FIELD = fields.smooth(SHAPE, 4.0, 260.0, np.random.default_rng(7))


@pytest.fixture(scope="module")
def truth() -> Truth:
    return observe(FIELD, sigma=0.01)


def view_of(truth: Truth, **other) -> PlateView:
    return PlateView(**({"points": truth.points, "plate": truth.plate, "shape": SHAPE, "pixel_size": PIXEL} | other))


def test_pixel_size_is_found_where_none_is_given(truth: Truth) -> None:
    start, sample = view_of(truth, pixel_size=None).placed()
    assert start.pixel_size == pytest.approx(PIXEL, rel=0.01)
    assert sample.pixel_size == start.pixel_size
    assert view_of(truth, pixel_size=None).placed((5e-5, 5e-5))[0].pixel_size == (5e-5, 5e-5)


def test_a_spot_without_an_uncertainty_is_not_used(truth: Truth) -> None:
    sigma = truth.points.sigma_yx.copy()
    sigma[5], sigma[6] = np.nan, 0.0
    _, sample = view_of(truth, points=replace(truth.points, sigma_yx=sigma)).placed()
    assert np.flatnonzero(~sample.used).tolist() == [5, 6]
    assert np.isfinite(sample.d).all()
    assert (sample.sigma > 0).all()


def test_uncertain_holes_make_uncertain_displacements(truth: Truth) -> None:
    ij = truth.points.ij
    zero = np.zeros((len(ij), 2))
    plate = with_errors(truth.plate, ij, zero, np.full((len(ij), 2), 3e-6))
    bare, known = (view_of(truth, plate=one).placed()[1].sigma for one in (truth.plate, plate))
    np.testing.assert_allclose(known, np.hypot(bare, 3e-6 / np.mean(PIXEL)), rtol=0.05)


def test_scatter_beyond_sigma_bounds_the_nugget(truth: Truth) -> None:
    honest = view_of(truth).placed()[1].nugget
    rng = np.random.default_rng(0)
    shaken = replace(truth.points, yx=truth.points.yx + rng.normal(0, 0.1, truth.points.yx.shape))
    nugget = view_of(truth, points=shaken).placed()[1].nugget
    assert honest < 0.02
    assert 0.1 < nugget < 0.2
    assert PLATE is truth.plate
