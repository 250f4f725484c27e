"""Smooth fields through values of spots."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.base.arrays import Floats
from pyfai_gridcal.finding.holes.smoothing import LocalLines, smoothed

SPACING = 21.0


@pytest.fixture(scope="module")
def yx() -> Floats:
    ij = np.stack(np.meshgrid(np.arange(17), np.arange(23), indexing="ij"), -1).reshape(-1, 2)
    return np.asarray(ij @ np.array([[SPACING, 2.0], [-2.0, SPACING]]) + (40.0, 7.0))


def through(yx: Floats, values: Floats) -> tuple[Floats, Floats, float]:
    field = smoothed(LocalLines(yx, SPACING), values)
    return field.value(yx), field.gradient(yx)[0], field.scatter


def test_a_parabola_is_kept_with_its_gradient_up_to_the_border(yx: Floats) -> None:
    y, x = (yx - 200).T / 100
    value, slope, _ = through(yx, 3 + y - 0.5 * x + 0.3 * x * y + 0.2 * y * y)
    np.testing.assert_allclose(value, 3 + y - 0.5 * x + 0.3 * x * y + 0.2 * y * y, atol=1e-6)
    np.testing.assert_allclose(100 * slope, np.stack([1 + 0.3 * x + 0.4 * y, 0.3 * y - 0.5], axis=1), atol=1e-5)


def test_the_gradient_of_light_that_falls_off_is_right_at_the_border_as_well(yx: Floats) -> None:
    """Vignetting is no parabola: the slope of the outermost rows was that of a place half a spacing farther inside."""
    y, x = ((yx - (190, 260)) / (330, 520)).T
    light = 1 - 1.3 * (y * y + x * x)
    slope = -2.6 * np.stack([y / 330, x / 520], axis=1) / light[:, None]
    found = through(yx, np.log(light))[1]
    # of the row along the border, without its ends; a tenth of it moves holes of 10 px by 0.005 px
    off = np.abs(found - slope)[3:20, 0] / np.abs(slope[3:20, 0])
    assert off.mean() < 0.07
    assert off.max() < 0.11


def test_one_wild_value_is_cut_and_what_neighbours_share_is_not(yx: Floats) -> None:
    values = np.random.default_rng(1).normal(100, 0.5, len(yx))
    alone = values.copy()
    alone[190] += 60
    assert np.abs(through(yx, alone)[0] - 100).max() < 3
    # a dark border, one and a half rows wide
    shared = values - 60 * np.clip((80 - yx[:, 0]) / 40, 0, 1)
    followed = through(yx, shared)[0]
    dark = yx[:, 0] < 60
    assert np.abs((followed - shared)[dark]).mean() < 0.4 * np.abs((shared - 100)[dark]).mean()


def test_few_places_have_no_neighbours_that_share_anything(yx: Floats) -> None:
    few = np.array([10.0, 10.1, 9.9, 10.0, 70.0])
    assert np.abs(through(yx[:5], few)[0] - 10).max() < 3
