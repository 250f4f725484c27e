"""How a choice of recipes looks at the points of one exposure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fieldtruth import PIXEL, PLATE, SHAPE, Truth, observe

from pyfai_gridcal.fitting.view import PlateView, evenly_drawn
from pyfai_gridcal.records.plate import with_errors
from pyfai_gridcal.synthetic import fields

FIELD = fields.smooth(SHAPE, 4.0, 260.0, np.random.default_rng(7))


@pytest.fixture(scope="module")
def truth() -> Truth:
    return observe(FIELD, sigma=0.01)


def view_of(truth: Truth, **other) -> PlateView:
    return PlateView(**({"points": truth.points, "plate": truth.plate, "shape": SHAPE, "pixel_size": PIXEL} | other))


def test_displacements_are_those_of_the_field_up_to_a_rigid_motion(truth: Truth) -> None:
    start, sample = view_of(truth).placed()
    assert start.pixel_size == PIXEL
    got = (sample.yx + sample.d) * PIXEL
    want = (truth.points.yx + truth.field.at(truth.exact_yx)) * PIXEL
    a, b = got - got.mean(axis=0), want - want.mean(axis=0)
    u, _, vt = np.linalg.svd(a.T @ b)
    assert np.sqrt(np.mean((a @ u @ vt - b) ** 2)) / PIXEL[0] < 0.03


def test_pixel_size_is_found_where_none_is_given(truth: Truth) -> None:
    start, sample = view_of(truth, pixel_size=None).placed()
    assert start.pixel_size == pytest.approx(PIXEL, rel=0.01)
    assert sample.pixel_size == start.pixel_size
    assert view_of(truth, pixel_size=None).placed((5e-5, 5e-5))[0].pixel_size == (5e-5, 5e-5)


def test_a_wrong_node_is_not_used(truth: Truth) -> None:
    ij = truth.points.ij.copy()
    ij[77] += (1, 0)
    _, sample = view_of(truth, points=replace(truth.points, ij=ij)).placed()
    assert np.flatnonzero(~sample.used).tolist() == [77]


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


def test_stretch_of_the_correction_stretches_the_uncertainty() -> None:
    stretched = observe(fields.linear(SHAPE, stretch=0.08), sigma=0.01)
    _, sample = view_of(stretched).placed()
    np.testing.assert_allclose(np.median(sample.sigma, axis=0), [0.0108, 0.0092], rtol=0.02)


def test_scatter_beyond_sigma_bounds_the_nugget(truth: Truth) -> None:
    honest = view_of(truth).placed()[1].nugget
    rng = np.random.default_rng(0)
    shaken = replace(truth.points, yx=truth.points.yx + rng.normal(0, 0.1, truth.points.yx.shape))
    nugget = view_of(truth, points=shaken).placed()[1].nugget
    assert honest < 0.02
    assert 0.1 < nugget < 0.2
    assert PLATE is truth.plate


def test_a_draw_is_even_and_always_the_same() -> None:
    assert evenly_drawn(50).tolist() == list(range(50))
    drawn = evenly_drawn(5000, 400)
    assert len(set(drawn.tolist())) == 400
    assert drawn.mean() == pytest.approx(2500, rel=0.1)
    np.testing.assert_array_equal(drawn, evenly_drawn(5000, 400))
