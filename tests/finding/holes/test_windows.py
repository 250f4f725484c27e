"""Windows around spots: what they hold, and what touches them."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.finding.holes.windows import PreparedImage, powers, ramp
from pyfai_gridcal.records.spots import Polarity


def test_windows_that_a_mask_or_saturation_touches() -> None:
    image = np.full((80, 90), 100.0)
    mask = np.zeros(image.shape, bool)
    mask[36:45, 50] = True
    image[20, 30] = 255
    prepared = PreparedImage(image, mask, "bright", saturation=255)
    yx = np.array([[40, 53], [40, 47], [40, 54], [40, 50], [36, 46], [20, 34], [20, 35]], float)
    assert prepared.is_whole(yx, 4).tolist() == [False, False, False, True, False, True, True]
    assert prepared.touches_saturation(yx, 4).tolist() == [False] * 5 + [True, False]
    assert not prepared.is_whole(np.array([[3.0, 60.0]]), 4).any()


@pytest.mark.parametrize("polarity", ["bright", "dark"])
def test_windows_hold_the_pixels_around(polarity: Polarity) -> None:
    image = np.random.default_rng(0).uniform(5, 9, (40, 61))
    mask = np.zeros(image.shape, bool)
    mask[11, 25] = True
    prepared = PreparedImage(image, mask, polarity)
    windows = prepared.windows(np.array([[12.3, 24.6], [0.2, 60.0]]), 3)
    assert windows.middle.tolist() == [[12, 25], [0, 60]]
    sign = 1 if polarity == "bright" else -1
    whole = windows.usable[0]
    assert np.flatnonzero(~whole).tolist() == [2 * 7 + 3]
    expected = sign * image[9:16, 22:29].astype(np.float32).ravel()
    assert np.array_equal(windows.data[0][whole], expected[whole])
    # of the second one, what lies outside of the image or at its rim is not used
    assert not windows.usable[1].reshape(7, 7)[:5].any()


def test_powers_are_polynomials_of_the_ramp() -> None:
    y, x = ramp(3)
    assert np.array_equal(powers(3, 2), np.stack([np.ones(49), y, x, y * y, y * x, x * x]))


def test_selected_windows() -> None:
    windows = PreparedImage(np.arange(2000.0).reshape(40, 50), None, "bright").windows(
        np.array([[10.0, 20.0], [20.0, 11.0], [17.0, 33.0]]), 2
    )
    part = windows.select(np.array([2, 0]))
    assert part.middle.tolist() == [[17, 33], [10, 20]]
    assert np.array_equal(windows.changed(np.array([2, 0]), part).data, windows.data)


SHAPE = (60, 85)


@pytest.fixture
def image() -> np.ndarray:
    """Each pixel reads its own row and column."""
    return np.add.outer(1000.0 * np.arange(SHAPE[0]), np.arange(SHAPE[1])).astype(np.float32)


def test_offsets_go_along_fast_first() -> None:
    y, x = ramp(2)
    assert y[:6].tolist() == [-2, -2, -2, -2, -2, -1]
    assert x[:6].tolist() == [-2, -1, 0, 1, 2, -2]


def test_dark_holes_are_made_positive(image: np.ndarray) -> None:
    at = np.array([[20.0, 30.0]])
    bright, dark = (PreparedImage(image, None, polarity).windows(at, 2) for polarity in ("bright", "dark"))
    np.testing.assert_array_equal(dark.data, -bright.data)


def test_outside_and_under_the_mask_nothing_is_usable(image: np.ndarray) -> None:
    mask = np.zeros(SHAPE, bool)
    mask[10, 20] = True
    image[15, 20] = np.nan
    prepared = PreparedImage(image, mask, "bright")
    windows = prepared.windows(np.array([[12.0, 20.0], [0.0, 40.0]]), 3)
    y, x = ramp(3)
    bad = ((y == -2) | (y == 3)) & (x == 0)
    np.testing.assert_array_equal(windows.usable[0], ~bad)
    assert (windows.data[0][bad] == 0).all()
    # two pixels along the border see light from outside
    np.testing.assert_array_equal(windows.usable[1], y >= 2)


def test_windows_that_are_whole(image: np.ndarray) -> None:
    at = np.array([[30.0, 40.0], [2.0, 40.0], [30.0, 82.0]])
    assert PreparedImage(image, None, "bright").is_whole(at, 3).tolist() == [True, False, False]
    mask = np.zeros(SHAPE, bool)
    mask[27:34, 43] = True
    assert not PreparedImage(image, mask, "bright").is_whole(at, 3).any()
    assert PreparedImage(image, mask, "bright").is_whole(at, 2)[0]


def test_pixels_missing_here_and_there_cut_nothing(image: np.ndarray) -> None:
    at = np.array([[30.0, 40.0], [30.0, 60.0], [5.0, 40.0]])
    mask = np.random.default_rng(1).uniform(size=SHAPE) < 0.15
    assert PreparedImage(image, mask, "bright").is_whole(at, 6).tolist() == [True, True, False]
    # but too many do
    assert not PreparedImage(image, mask | (np.indices(SHAPE).sum(axis=0) % 3 == 0), "bright").is_whole(at, 6).any()


def test_larger_pixels_are_usable_where_all_of_theirs_are() -> None:
    rows, columns = np.mgrid[:61, :86]
    data = (10.0 * rows + columns).astype(np.float32)
    data[30, 40] = np.nan
    mask = np.zeros(data.shape, bool)
    mask[9, 50] = True
    data[22, 62] = 5000
    prepared = PreparedImage(data, mask, "bright", saturation=4000.0, factor=3)
    assert prepared.shape == (20, 28)
    window = prepared.windows(np.array([[6.0, 9.0], [10.0, 13.0], [3.0, 16.0]]), 0)
    assert window.data[0, 0] == 10 * 19 + 28
    assert window.usable[:, 0].tolist() == [True, False, False]
    assert prepared.touches_saturation(np.array([[7.0, 20.0], [7.0, 19.0]]), 0).tolist() == [True, False]
    assert prepared.quantised


def test_what_is_cut_at_the_top_is_seen_without_being_told() -> None:
    noise = np.random.default_rng(0).normal(900, 40, (70, 90)).round()
    assert PreparedImage(noise, None, "bright").ceiling is None
    cut = np.minimum(noise, 910)
    for polarity, sign in (("bright", 1), ("dark", -1)):
        prepared = PreparedImage(cut, None, polarity)  # type: ignore[arg-type]
        assert prepared.ceiling == 910
        assert prepared.clips
        windows = prepared.windows(np.array([[30.0, 40.0]]), 3)
        is_cut = sign * windows.data == 910
        assert 5 < is_cut.sum() < 40
        # those that are expected to read more tell nothing, and neither does any of how pixels scatter
        level = np.where(np.arange(49) < 25, sign * 950.0, sign * 900.0)[None]
        assert np.array_equal(~prepared.telling(windows, level), is_cut & (np.arange(49) < 25))
        assert np.array_equal(~prepared.telling(windows, level, quiet=True), is_cut)


def test_what_is_as_white_as_it_can_be_in_a_drawing_is_not_cut() -> None:
    y, x = np.mgrid[:70, :90]
    prepared = PreparedImage(np.where(np.hypot(y - 30, x - 40) < 12, 0.0, 254.0), None, "dark")
    windows = prepared.windows(np.array([[30.0, 55.0]]), 5)
    assert prepared.ceiling == 254
    assert not prepared.clips
    assert prepared.telling(windows, np.full(windows.data.shape, -300.0)).all()
    assert not prepared.telling(windows, windows.data, quiet=True).all()
