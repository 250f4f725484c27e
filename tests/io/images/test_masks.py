"""Pixels to ignore: those of a detector, and those that the values themselves give away."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from pyfai_gridcal.base.arrays import AnyArray
from pyfai_gridcal.base.errors import ImageError, UsageError
from pyfai_gridcal.exposure import take_exposure
from pyfai_gridcal.io.images.images import load_image
from pyfai_gridcal.io.images.masks import load_mask, named_detector
from pyfai_gridcal.io.kinds.kinds import write_distortion
from pyfai_gridcal.records.settings import Settings

SHAPE = (34, 47)


@pytest.fixture
def picture() -> AnyArray:
    return np.random.default_rng(3).integers(100, 3000, SHAPE).astype(np.uint16)


def test_mask_of_a_detector() -> None:
    from pyFAI.detectors import detector_factory

    detector = detector_factory("Pilatus100k")
    data = np.ones(detector.shape, np.float32)
    assert np.array_equal(load_image(data, mask="Pilatus100k").mask, detector.mask != 0)
    with pytest.raises(ImageError, match="shape"):
        load_image(data, mask="Pilatus1M")
    with pytest.raises(UsageError, match="neither the name nor the file of a detector"):
        load_image(data, mask="Pilatus1000M")


def test_named_detector() -> None:
    size, gaps = named_detector("Pilatus 300k", (619, 487))
    assert size == (172e-6, 172e-6)
    assert gaps is not None
    assert gaps[200].all()
    assert named_detector("Perkin", (2048, 2048)) == ((2e-4, 2e-4), None)
    with pytest.raises(UsageError, match=r"pyFAI knows; did you mean Pilatus 300k"):
        named_detector("Pilatus 300kk", (619, 487))
    with pytest.raises(ImageError, match=r"\(619, 487\)") as other:
        named_detector("Pilatus300k", (10, 10))
    assert "binning" not in str(other.value), "it is none"
    assert named_detector("Perkin", (1024, 512)) == ((4e-4, 8e-4), None), "pixels read out as one, as pyFAI guesses"
    with pytest.raises(ImageError, match=r"\(2048, 2048\).*part of a detector"):
        named_detector("Perkin", (1024, 500))
    size, gaps = named_detector("Eiger4M", (2167, 1035))
    assert size == pytest.approx((75e-6, 150e-6))
    assert gaps is not None
    assert gaps.shape == (2167, 1035)
    assert gaps[520].all()
    with pytest.raises(UsageError, match="no pixel size"):
        named_detector("Detector", (10, 10))


def test_named_detector_from_a_file(tmp_path: Path) -> None:
    from hub import wave

    true = wave(SHAPE, masked=True)
    write_distortion(true, tmp_path / "det.h5")
    size, gaps = named_detector(str(tmp_path / "det.h5"), SHAPE)
    assert size == true.pixel_size
    assert np.array_equal(gaps, true.mask)
    settings = Settings(pitch=5e-3, detector=str(tmp_path / "det.h5"))
    exposure = take_exposure(np.random.default_rng(0).normal(100, 1, SHAPE), settings)
    assert exposure.mask is not None
    assert exposure.mask[true.mask].all(), "the calibration asks the same"


def test_binned_pixels_of_a_detector_from_a_file(tmp_path: Path) -> None:
    from hub import wave

    true = wave((36, 48), masked=True)
    assert true.mask is not None
    write_distortion(true, tmp_path / "det.h5")
    size, gaps = named_detector(str(tmp_path / "det.h5"), (18, 16))
    assert size == pytest.approx((2 * true.pixel_size[0], 3 * true.pixel_size[1]))
    assert np.array_equal(gaps, true.mask.reshape(18, 2, 16, 3).any(axis=(1, 3)))


def test_a_mask_of_all_for_a_part(picture: AnyArray) -> None:
    mask = picture > np.median(picture)
    for source in (mask, [mask], mask[11:31, 39:46]):
        assert np.array_equal(load_mask(source, (20, 7), region=(11, 31, 39, 46)), mask[11:31, 39:46])
    with pytest.raises(ImageError, match="shape"):
        load_mask(mask, (20, 7))


def test_mask_of_a_detector_file(tmp_path: Path) -> None:
    from pyFAI.detectors import Detector

    detector = Detector(1e-4, 2e-4, max_shape=SHAPE)
    ignore = np.zeros(SHAPE, np.int8)
    ignore[5, 6:9] = 1
    detector.mask = ignore
    # pyFAI's own writer uses a deprecated name.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        detector.get_pixel_corners()
        detector.uniform_pixel = False
        detector.save(str(tmp_path / "det.h5"))
    assert np.array_equal(load_image(np.ones(SHAPE), mask=tmp_path / "det.h5").mask, ignore != 0)


def test_not_finite_is_masked() -> None:
    data = np.random.default_rng(0).normal(100, 1, SHAPE)
    data[2, 3], data[4, 5], data[6, 7] = np.nan, np.inf, -np.inf
    image = load_image(data)
    assert {tuple(x) for x in np.argwhere(image.mask)} == {(2, 3), (4, 5), (6, 7)}
    assert np.isfinite(image.data).all()


def test_gaps_are_masked(picture: AnyArray) -> None:
    data = picture.astype(np.int32)
    data[10:14], data[:, 20:23], data[5, 5] = -1, -1, -2
    image = load_image(data)
    assert np.array_equal(image.mask, data < 0)
    floats = data.astype(np.float32)
    assert np.array_equal(load_image(floats).mask, data < 0)


def test_largest_integer_in_gaps_is_masked(picture: AnyArray) -> None:
    for dtype in (np.uint8, np.uint16, np.uint32):
        data = (picture / picture.max() * 200).astype(dtype)
        data[10:14] = np.iinfo(dtype).max
        image = load_image(data)
        assert np.array_equal(image.mask, data == data.max())
        assert image.saturation is None


def test_a_drawing_in_two_levels_has_no_gaps() -> None:
    drawing = np.full(SHAPE, 255, np.uint8)
    drawing[10:20, 12:25] = 0
    for data in (drawing, 255 - drawing):
        assert not load_image(data).mask.any()


@pytest.mark.parametrize(("dtype", "value"), [(np.float64, 1e30), (np.float64, -1e30), (np.float32, 3.4e38)])
def test_numbers_that_no_counter_holds_are_masked(picture: AnyArray, dtype: type, value: float) -> None:
    data = picture.astype(dtype)
    data[10:14, 5:9] = value
    for image in (load_image(data), load_image([data, data, data]), load_image([data] * 2, combine="mean")):
        assert np.array_equal(image.mask, np.abs(data) > 1e29)
        assert image.data.max() <= picture.max()
    assert np.array_equal(load_image(picture, dark=np.where(np.abs(data) > 1e29, value, 1.0)).mask, np.abs(data) > 1e29)


def test_noise_around_zero_stays() -> None:
    rng = np.random.default_rng(0)
    assert not load_image(rng.normal(0, 3, SHAPE)).mask.any()
    assert not load_image(rng.normal(0, 30, SHAPE).round().astype(np.int32)).mask.any()
    assert not load_image(rng.normal(0, 1, (200, 300)).round().astype(np.int16)).mask.any()


def test_dummy_below_noise() -> None:
    data = np.random.default_rng(0).normal(0, 3, SHAPE).round()
    data[3:6, 3:6] = -999
    assert np.array_equal(load_image(data).mask, data == -999)


def test_few_saturated_pixels_are_masked() -> None:
    data = np.random.default_rng(0).uniform(100, 65535, (200, 300)).astype(np.uint16)
    data[40, 50:60] = 65535
    image = load_image(data)
    assert image.saturation == 65535
    assert np.array_equal(image.mask, data == 65535)
    assert "saturated" in image.notes[-1]


def test_white_background_is_told_but_stays() -> None:
    data = np.full((200, 300), 255, np.uint8)
    data[20:60, 30:80] = np.random.default_rng(0).integers(10, 255, (40, 50))
    image = load_image(data)
    assert image.saturation == 255
    assert image.saturated is not None
    assert image.saturated.mean() > 0.9
    assert not image.mask.any()


def test_plateau_of_a_12_bit_camera() -> None:
    data = np.random.default_rng(0).normal(3000, 700, (200, 300)).clip(0, 4095).astype(np.uint16)
    image = load_image(data)
    assert image.saturation == 4095
    assert image.saturated is not None
    assert np.array_equal(image.saturated, data == 4095)


def test_few_counts_do_not_saturate() -> None:
    assert load_image(np.random.default_rng(0).poisson(3, (300, 400)).astype(np.uint16)).saturation is None
    assert load_image(np.random.default_rng(0).normal(100, 5, (300, 400))).saturation is None


def disks(shape: tuple[int, int], pitch: tuple[int, int], radius: float) -> AnyArray:
    """Whether pixels lie in one of the disks of a grid."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(y % pitch[0] - pitch[0] / 2.1, x % pitch[1] - pitch[1] / 1.9) < radius


@pytest.mark.parametrize("white", ["holes", "plate"])
@pytest.mark.parametrize("noise", [0, 6])
def test_white_of_a_picture_in_two_levels_is_no_code(white: str, noise: int) -> None:
    holes = disks((170, 230), (24, 27), 5.3)
    black = np.random.default_rng(0).integers(0, noise + 1, holes.shape)
    data = np.where(holes == (white == "holes"), 255, black).astype(np.uint8)
    image = load_image(data)
    assert not image.mask.any()
    assert image.saturation == 255
    assert "are saturated" in image.notes[-1]


def test_few_small_spots_that_all_saturate_are_not_ignored() -> None:
    spots = disks((700, 850), (134, 160), 2.4)
    data = np.random.default_rng(0).integers(0, 240, spots.shape).astype(np.uint8)
    data[spots] = 255
    assert spots.mean() < 1e-3
    assert not load_image(data).mask.any()


@pytest.mark.parametrize("at", [np.s_[::40, ::50], np.s_[90:94], np.s_[60:130, :80]])
def test_codes_in_specks_and_gaps_and_modules_are_codes(at: tuple[slice, ...]) -> None:
    data = np.random.default_rng(0).poisson(300, (170, 230)).astype(np.uint16)
    data[at] = 65535
    assert np.array_equal(load_image(data).mask, data == 65535)
