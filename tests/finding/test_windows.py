"""Windows cut out of an image are the pixels around a spot, in the right order, and know which may be used."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.finding.windows import PreparedImage, powers, ramp

SHAPE = (60, 85)


@pytest.fixture
def image() -> np.ndarray:
    """Each pixel reads its own row and column."""
    return np.add.outer(1000.0 * np.arange(SHAPE[0]), np.arange(SHAPE[1])).astype(np.float32)


def test_offsets_go_along_fast_first() -> None:
    y, x = ramp(2)
    assert y[:6].tolist() == [-2, -2, -2, -2, -2, -1]
    assert x[:6].tolist() == [-2, -1, 0, 1, 2, -2]


def test_powers_are_of_these_offsets() -> None:
    y, x = ramp(3)
    np.testing.assert_array_equal(powers(3, 2), [y**0, y, x, y * y, y * x, x * x])
    np.testing.assert_array_equal(powers(3, 1), powers(3, 2)[:3])
    assert not powers(3, 1).flags.writeable


def test_a_window_holds_what_lies_around_the_nearest_pixel(image: np.ndarray) -> None:
    windows = PreparedImage(image, None, "bright").windows(np.array([[20.4, 30.6], [41.0, 50.0]]), 3)
    assert windows.middle.tolist() == [[20, 31], [41, 50]]
    y, x = ramp(3)
    np.testing.assert_array_equal(windows.data[0], 1000 * (20 + y) + 31 + x)
    assert windows.usable.all()


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
    mask[33, 43] = True
    assert not PreparedImage(image, mask, "bright").is_whole(at, 3).any()
    assert PreparedImage(image, mask, "bright").is_whole(at, 2)[0]


def test_saturation_is_seen_within_the_window_only(image: np.ndarray) -> None:
    prepared = PreparedImage(image, None, "bright", saturation=59_000)
    assert prepared.touches_saturation(np.array([[56.0, 40.0], [55.0, 40.0]]), 3).tolist() == [True, False]
    assert not PreparedImage(image, None, "bright").touches_saturation(np.array([[56.0, 40.0]]), 3).any()


def test_some_windows_and_changed_ones(image: np.ndarray) -> None:
    prepared = PreparedImage(image, None, "bright")
    at = np.array([[20.0, 30.0], [25.0, 35.0], [30.0, 40.0]])
    windows = prepared.windows(at, 2)
    some = windows.select(np.array([2, 0]))
    np.testing.assert_array_equal(some.data, windows.data[[2, 0]])
    assert windows.select(np.arange(3)) is windows
    other = prepared.windows(at[[1]] + 5, 2)
    changed = windows.changed(np.array([1]), other)
    np.testing.assert_array_equal(changed.data[1], other.data[0])
    np.testing.assert_array_equal(changed.data[[0, 2]], windows.data[[0, 2]])


def test_windows_that_a_mask_or_saturation_touches() -> None:
    image = np.full((80, 90), 100.0)
    mask = np.zeros(image.shape, bool)
    mask[40, 50] = True
    image[20, 30] = 255
    prepared = PreparedImage(image, mask, "bright", saturation=255)
    yx = np.array([[40, 50], [44, 50], [40, 54], [45, 50], [36, 46], [20, 34], [20, 35]], float)
    assert prepared.is_whole(yx, 4).tolist() == [False, False, False, True, False, True, True]
    assert prepared.touches_saturation(yx, 4).tolist() == [False] * 5 + [True, False]
    assert not prepared.is_whole(np.array([[3.0, 60.0]]), 4).any()
