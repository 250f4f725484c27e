"""Where a field is known, and how well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import Delaunay

from pyfai_gridcal.base.geometry import hull_of, within_hull
from pyfai_gridcal.fitting.interpolation import ThinPlate
from pyfai_gridcal.fitting.recipe import Sample
from pyfai_gridcal.fitting.spline.recipe import BSpline
from pyfai_gridcal.fitting.support import Support, support_of
from pyfai_gridcal.synthetic import fields

SHAPE = (300, 380)


def sample(sigma: float = 0.02) -> Sample:
    """Points in the upper left part of the detector only, with a hole of 80 px in the middle."""
    rng = np.random.default_rng(0)
    ij = np.stack(np.meshgrid(np.arange(14), np.arange(16), indexing="ij"), -1).reshape(-1, 2)
    yx = 8.0 + 16.0 * ij + rng.uniform(-1, 1, ij.shape)
    yx = yx[np.hypot(*(yx - [110, 130]).T) > 40]
    d = fields.smooth(SHAPE, 5.0, 120.0, np.random.default_rng(1)).at(yx) + rng.normal(0, sigma, yx.shape)
    return Sample(yx, d, np.full(yx.shape, sigma), SHAPE, 16.0, np.ones(len(yx), bool), nugget=0.05)


@pytest.fixture(scope="module")
def support() -> Support:
    return support_of(BSpline().fit(sample()), sample())


def test_sigma_grows_away_from_the_points(support: Support) -> None:
    at = support.field.at([[60.0, 60.0], [110.0, 130.0], [225.0, 200.0], [280.0, 300.0]]).max(axis=1)
    assert 0.003 < at[0] < 0.02
    assert at[1] > 1.5 * at[0]
    assert at[3] > 10 * at[2] > 10 * at[0]


def test_rms_among_the_points(support: Support) -> None:
    """What is far from the points, where nothing is known, does not count."""
    nodes = np.stack(np.meshgrid(support.y, support.x, indexing="ij"), -1)[support.inside]
    assert support.rms_inside == pytest.approx(np.sqrt((support.field.at(nodes) ** 2).mean()))
    assert 0.003 < support.rms_inside < 0.05 < np.sqrt((support.sigma**2).mean())
    assert replace(support, inside=np.zeros_like(support.inside)).rms_inside == 0.0


def test_mask_is_that_of_the_sigma_map(support: Support) -> None:
    y, x = np.arange(SHAPE[0], dtype=float), np.arange(SHAPE[1], dtype=float)
    unknown = support.unknown(SHAPE, 0.05, outside=0.02)
    sigma = support.field.on_grid(y, x).max(axis=2)
    grid = np.stack(np.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2)
    within = (Delaunay(sample().yx).find_simplex(grid) >= 0).reshape(SHAPE)
    clear = np.abs(sigma - np.where(within, 0.05, 0.02)) > 2e-3
    expected = sigma > np.where(within, 0.05, 0.02)
    assert (unknown == expected)[clear].mean() > 0.995
    assert unknown[260:, :].all()
    assert unknown[:, 300:].all()


def test_the_default_keeps_the_hull_and_is_strict_outside(support: Support) -> None:
    inside, outside = support.default_limits()
    assert outside == pytest.approx(0.025)
    assert 0.1 <= inside <= 0.3
    poor = support_of(BSpline().fit(sample(0.5)), sample(0.5))
    assert poor.default_limits()[0] > 0.15


def test_a_bay_of_the_points_is_outside() -> None:
    """Half way between the arms of an L, 1.3 spacings from both, the hull goes around; a void is surrounded."""
    whole = sample()
    bay = (whole.yx[:, 0] < 120) & (whole.yx[:, 1] > 150)
    found = support_of(BSpline().fit(whole.select(~bay)), whole.select(~bay))
    at = [np.searchsorted(axis, v) for axis, v in ((found.y, 105.0), (found.x, 172.0))]
    assert within_hull(found.hull, np.array([[105.0, 172.0]])).all()
    assert not found.inside[tuple(at)]
    middle = np.searchsorted(found.y, 110.0), np.searchsorted(found.x, 130.0)
    assert support_of(BSpline().fit(whole), whole).inside[middle]
    # there the limit is that for places outside
    limit = float(found.sigma[tuple(at)].max())
    assert found.unknown(SHAPE, 1.5 * limit, outside=0.5 * limit)[105, 172]
    assert not found.unknown(SHAPE, 1.5 * limit, outside=1.5 * limit)[105, 172]


def test_points_that_are_hardly_known_hold_nothing() -> None:
    """Two outer columns good to a pixel only: what lies between them is not among the points."""
    whole = sample()
    sigma = np.where(whole.yx[:, 1:] > 210, 1.0, whole.sigma)
    found = support_of(BSpline().fit(replace(whole, sigma=sigma)), replace(whole, sigma=sigma))
    row = np.searchsorted(found.y, 60.0)
    assert found.inside[row, found.x < 195].any()
    assert not found.inside[row, found.x > 212].any()
    assert support_of(BSpline().fit(whole), whole).inside[row, found.x > 212].any()


def test_origin_of_a_tile(support: Support) -> None:
    whole = support.unknown(SHAPE, 0.05, outside=0.02)
    assert np.array_equal(support.unknown((100, 120), 0.05, outside=0.02, origin=(30, 40)), whole[30:130, 40:160])


def test_hull() -> None:
    points = np.array([[0, 0], [0, 10], [7, 10], [7, 0], [3, 4.0]])
    assert sorted(hull_of(points).tolist()) == [[0, 0], [0, 10], [7, 0], [7, 10]]
    line = np.array([[0, 0], [1, 1], [2, 2.0]])
    assert np.array_equal(hull_of(line), line)


def test_recipes_that_do_not_know_their_variance() -> None:
    support = support_of(ThinPlate().fit(sample()), sample())
    at = support.field.at([[60.0, 60.0], [280.0, 300.0]])
    assert (at[1] > 5 * at[0]).all()
    assert (at[0] > 0.01).all()


def test_what_neighbours_share_is_in_the_map() -> None:
    """A wave that the field was not let to follow: no number of points makes that smaller."""
    some, fit = sample(0.002), BSpline().fit(sample(0.002))
    wave = 0.03 * np.sin(some.yx[:, ::-1] / (21, 27))
    before, after = (support_of(one, some) for one in (fit, replace(fit, held_out=fit.held_out + wave)))
    expected = np.sqrt(before.rms_inside**2 + (wave**2).mean())
    assert after.rms_inside == pytest.approx(expected, rel=0.3)
    assert after.rms_inside > 3 * before.rms_inside
