"""Windows around spots: what they hold, and what touches them."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.finding.windows import PreparedImage, powers, ramp
from pyfai_gridcal.records.spots import Polarity


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
