"""Gradients of the light at single holes: given only where they are seen and matter."""

from __future__ import annotations

import numpy as np
import pytest
from holes import NOISE, RADIUS, REACH, lattice, picture, profile
from scipy.spatial import cKDTree

from pyfai_gridcal.finding.holes.learning import Instrument, Learned
from pyfai_gridcal.finding.holes.light import LocalLight
from pyfai_gridcal.finding.holes.model import SpotState, start_from
from pyfai_gridcal.finding.holes.templates import TemplateMaker
from pyfai_gridcal.finding.holes.windows import PreparedImage
from pyfai_gridcal.finding.tilts import LocalTilts, dimmed, learn_tilts, shading, unsure_slopes, with_slopes_assumed
from pyfai_gridcal.records.spots import Noise

YX = lattice()


def started(image: np.ndarray) -> tuple[Instrument, SpotState, np.ndarray]:
    prepared = PreparedImage(image, None, "bright")
    learned = Learned(profile(), Noise(0.0, NOISE))
    tools = Instrument(prepared, None, 20.0, RADIUS, REACH, 2.0, learned, TemplateMaker(profile(), REACH), 1)
    state = start_from(prepared, YX, REACH, RADIUS)
    return tools, tools.fit(state, 5).after(state, 0.0), prepared.is_whole(YX, REACH)


def test_even_light_has_none() -> None:
    tools, state, whole = started(picture(YX))
    tilts, *_ = learn_tilts(tools, state, whole, 0.0, 20.0)
    assert tilts is not None
    assert (tilts.size > 0).mean() < 0.1


def test_waves_on_top_are_seen() -> None:
    image = picture(YX)
    image += 40 * np.sin(np.arange(image.shape[1]) / 5.0)
    tools, state, whole = started(image)
    tilts, *_ = learn_tilts(tools, state, whole, 0.0, 20.0)
    assert tilts is not None
    assert (tilts.size[:, 1] > 0).mean() > 0.8


def test_one_shaded_hole_gets_a_gradient_of_its_own() -> None:
    image = picture(YX)
    y, x = np.rint(YX[40]).astype(int)
    part = image[y - REACH : y + REACH + 1, x - REACH : x + REACH + 1]
    part *= np.exp(-0.06 * np.arange(-REACH, REACH + 1))[:, None]
    tools, state, whole = started(image)
    size = shading(tools, state, whole)
    assert np.flatnonzero(size).tolist() == [40]
    assert 0.03 < size[40] < 0.2


def test_holes_far_less_bright_than_those_around_may_be_off() -> None:
    tools, state, whole = started(picture(YX))
    fitted = tools.fit(state, 3)
    level, one = np.full(len(YX), 1000.0), np.ones(len(YX))
    bright = np.where(np.arange(len(YX)) == 17, 2 * level, level)
    light = LocalLight(bright, 300 * one, 20.0, 5.0, state.slope_a, state.slope_b, 0 * one)
    off = dimmed(tools, fitted, light, whole, 3.0)
    assert np.flatnonzero(off).tolist() == [17]
    assert off[17] == pytest.approx(RADIUS / 8, rel=0.05)
    assert not dimmed(tools, fitted, light, np.zeros_like(whole), 3.0).any()


def test_other_places_ask_the_nearest() -> None:
    tilts = LocalTilts(
        np.array([[0.0, 0.0], [0.0, 20.0], [0.0, 40.0]]), np.array([[0.0, 0.1], [0.04, 0.1], [0, 0]]), 20.0
    )
    at = tilts.at(np.array([[0.0, 1.0], [80.0, 20.0]]), np.array([False, False]))
    np.testing.assert_allclose(at, [[0.04, 0.1], [0.16, 0.4]])
    # a cut one cannot tell gradient from place: it gets one only where all around do
    assert not tilts.at(np.array([[0.0, 1.0]]), np.array([True])).any()


def test_slopes_are_unsure_where_they_bend_at_the_border() -> None:
    tools, state, _ = started(picture(YX))
    fitted = tools.fit(state, 3)
    slope, bent = np.full((len(YX), 2), 0.03), np.zeros(len(YX))
    bent[7:9] = 0.02, 1e-6
    light = LocalLight(1000 + bent, 300 + bent, 20.0, 5.0, slope, slope, bent)
    unsure = unsure_slopes(tools, light, fitted)
    # so little as that of the last one moves no spot by what noise moves it by
    assert np.flatnonzero(unsure).tolist() == [7]
    assert unsure[7] == 0.02


def test_what_noise_hides_of_an_unsure_slope_is_shared() -> None:
    """Where all holes are brighter to the right than was thought, those too faint to show it are off together."""
    image, tilt = picture(YX), 0.02
    y, x = (axis.ravel() for axis in np.indices(image.shape))
    off = x - YX[cKDTree(YX).query(np.stack([y, x], axis=1))[1], 1]
    image = image * np.exp(tilt * off).reshape(image.shape)
    shift, assumed = {}, {}
    for share in (1.0, 0.012):
        faint = share * image + np.random.default_rng(3).normal(0, NOISE, image.shape)
        tools, state, _ = started(faint)
        found = tools.fit(state, 5, np.tile((tilt, 0.0), (len(YX), 1)))
        every, half = np.full(len(YX), tilt), np.where(np.arange(len(YX)) % 2, tilt, 0.0)
        shift[share] = np.abs((found.yx - YX).mean(axis=0))
        known = with_slopes_assumed(found, half, every).assumed
        assert not known[::2].any()
        np.testing.assert_array_equal(known[1::2], with_slopes_assumed(found, every, every).assumed[1::2])
        # half as unsure as the gradients were allowed to be: half as far
        np.testing.assert_allclose(with_slopes_assumed(found, half / 2, every).assumed, known / 4)
        assumed[share] = np.sqrt(known[1::2].mean(axis=0))
    assert shift[1.0][1] < 0.004
    assert assumed[1.0].max() < 0.004
    # the gradient may lie along either axis, as far as anybody knows
    assert 0.5 < shift[0.012][1] / assumed[0.012][1] < 1.5
    assert assumed[0.012] == pytest.approx(assumed[0.012][::-1], rel=0.1)
