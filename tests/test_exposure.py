"""From a picture to what the stages take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyfai_gridcal.base.errors import ImageError
from pyfai_gridcal.exposure import common_mask, nominal_of, take_exposure
from pyfai_gridcal.records.settings import Settings
from pyfai_gridcal.synthetic import demo_scene

SETTINGS = Settings(2e-3)


@pytest.fixture(scope="module")
def grid() -> np.ndarray:
    image = demo_scene((150, 190), pitch_px=24.0).render(np.random.default_rng(0), bounds=False).image
    image.flags.writeable = False
    return image


def test_an_array_is_taken_as_it_is(grid: np.ndarray) -> None:
    one = take_exposure(grid, SETTINGS)
    assert np.shares_memory(one.data, grid)
    assert (one.mask, one.notes) == (None, ())
    assert [(source.path, source.role) for source in one.sources] == [("", "image")]


@pytest.mark.parametrize(("dtype", "marker"), [(np.uint32, 2**32 - 1), (np.int32, 2**31 - 1), (np.float32, np.inf)])
def test_an_array_is_read_as_a_file_is(grid: np.ndarray, tmp_path: Path, dtype: type, marker: float) -> None:
    """Codes of detectors for pixels that measured nothing are no light, wherever the numbers come from."""
    image = grid.astype(dtype)
    image[[17, 17, 103], [5, 140, 61]] = marker
    np.save(tmp_path / "image.npy", image)
    one, other = take_exposure(image, SETTINGS), take_exposure(tmp_path / "image.npy", SETTINGS)
    assert one.mask is not None
    assert np.argwhere(one.mask).tolist() == [[17, 5], [17, 140], [103, 61]]
    np.testing.assert_array_equal(one.mask, other.mask)
    np.testing.assert_array_equal(one.data, other.data)
    assert one.saturation == other.saturation


def test_pixels_that_are_no_number_are_masked_with_those_of_the_user(grid: np.ndarray) -> None:
    image = grid.astype(float)
    image[3, 5] = np.nan
    mask = np.zeros(grid.shape, bool)
    mask[100, 120] = True
    one = take_exposure(image, SETTINGS, mask=mask)
    assert np.argwhere(one.mask).tolist() == [[3, 5], [100, 120]]
    assert not one.mask.flags.writeable


def test_mask_of_another_shape(grid: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"mask has the shape \(190, 150\); expected .*\(150, 190\)"):
        take_exposure(grid, SETTINGS, mask=np.zeros(grid.shape[::-1], bool))


def test_dark_and_flat_are_taken_out(grid: np.ndarray) -> None:
    dark = np.full(grid.shape, 90.0)
    flat = np.linspace(0.8, 1.2, grid.shape[1])[None, :] * np.ones((grid.shape[0], 1))
    one = take_exposure(grid, SETTINGS, dark=dark, flat=flat)
    ratio = one.data / ((grid - dark) / flat)
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=1e-5)


def test_a_corner_without_light_is_masked_and_told(grid: np.ndarray) -> None:
    image = grid.astype(float)
    corner = np.add.outer(np.arange(150), np.arange(190)) < 70
    image[corner] = np.random.default_rng(1).normal(20, 0.5, corner.sum())
    one = take_exposure(image, SETTINGS)
    np.testing.assert_array_equal(one.mask, corner)
    assert any("dead, masked" in note for note in one.notes)


def test_what_no_exposure_shows() -> None:
    a, b = np.zeros((3, 4), bool), np.zeros((3, 4), bool)
    a[0], b[:, 1] = True, True
    assert np.argwhere(common_mask([a, b])).tolist() == [[0, 1]]
    assert common_mask([a, None]) is None
    assert common_mask([a, ~a]) is None


def test_nominal_pixels_of_the_user_or_of_a_detector() -> None:
    assert nominal_of(SETTINGS, (5, 6)) == (None, None)
    assert nominal_of(Settings(2e-3, pixel=(5e-5, 4e-5)), (5, 6)) == ((5e-5, 4e-5), None)
    pixel, gaps = nominal_of(Settings(2e-3, detector="Pilatus 100k"), (195, 487))
    assert pixel == pytest.approx((172e-6, 172e-6))
    assert gaps is None or gaps.shape == (195, 487)
    assert nominal_of(Settings(2e-3, detector="Pilatus 100k", pixel=1e-4), (195, 487))[0] == (1e-4, 1e-4)
