"""Corrected images: as pyFAI makes them, no count lost or invented, and masks that neither bleed nor grow."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hub import Wave, modules, wave

from pyfai_gridcal.base.errors import ImageError, UsageError
from pyfai_gridcal.correction.corrector import Corrector, correct_image
from pyfai_gridcal.correction.table import build_table
from pyfai_gridcal.io.nexus.detector import to_detector
from pyfai_gridcal.records.distortion import Distortion

SHAPE = (130, 170)


@pytest.fixture(scope="module")
def field():
    return wave(SHAPE)


@pytest.fixture(scope="module")
def table(field):
    return build_table(field)


def counts(shape=SHAPE, seed=1):
    return np.random.default_rng(seed).poisson(200, shape).astype(np.uint16)


def test_same_as_pyfai(field, table, capfd):
    from pyFAI.distortion import Distortion as PyFAIDistortion

    reference = PyFAIDistortion(to_detector(field), method="csr").correct(counts())
    capfd.readouterr()
    ours = Corrector(table, coverage=1e-6)(counts())
    known = np.isfinite(ours)
    assert known.mean() > 0.9
    assert np.abs(ours - reference)[known].max() < 1e-3
    assert (reference[~known] == 0).all()


def test_counts_inside_are_kept(field, table):
    """A patch of light that stays inside keeps its counts and moves as the field says."""
    y, x = np.indices(SHAPE)
    spot = 1e4 * np.exp(-((y - 60) ** 2 + (x - 90) ** 2) / 18.0)
    out = np.nan_to_num(Corrector(table)(spot))
    assert out.sum() == pytest.approx(spot.sum(), rel=1e-5)
    centre = np.array([(out * y).sum(), (out * x).sum()]) / out.sum()
    weight = spot.ravel() / spot.sum()
    expected = (field.correct(np.argwhere(np.ones(SHAPE))) * weight[:, None]).sum(axis=0)
    assert np.abs(centre - expected).max() < 5e-3


def test_masked_pixels_neither_bleed_nor_grow(table, field):
    mask = np.zeros(SHAPE, bool)
    mask[40:60, 70:90] = True
    image = np.full(SHAPE, 100, np.uint32)
    plain = Corrector(table)(image)
    image[mask] = 4_000_000_000
    out = Corrector(table, mask)(image)
    area = np.isnan(out) & ~np.isnan(plain)
    stretch = float(field.jacobian_sign().mean())
    assert area.sum() == pytest.approx(400 * stretch, abs=60)
    assert np.nanmax(np.abs(out - plain)[~area]) < 0.5


def test_the_mask_of_the_detector_counts(field):
    mask = np.zeros(SHAPE, bool)
    mask[50:70, 20:30] = True
    one = correct_image(counts(), field.masked(mask))
    other = correct_image(counts(), field, mask=mask)
    assert np.array_equal(one, other, equal_nan=True)
    assert np.isnan(one).sum() > np.isnan(correct_image(counts(), field)).sum() + 100


@pytest.mark.parametrize(
    ("dtype", "bad"),
    [
        (np.float32, np.nan),
        (np.float64, np.inf),
        (np.int32, -1),
        (np.uint32, 2**32 - 1),
        (np.uint16, 65535),
        (np.float32, -np.inf),
        (np.float32, 3.4e38),
        (np.float64, 1e30),
    ],
)
def test_pixels_without_value_are_as_if_masked(table, dtype, bad):
    image = np.full(SHAPE, 100, dtype)
    image[0, 0] = 99
    plain = Corrector(table)(image)
    image[80:84, 100:103] = bad
    mask = np.zeros(SHAPE, bool)
    mask[80:84, 100:103] = True
    ours, static = Corrector(table)(image), Corrector(table, mask)(image)
    assert np.array_equal(np.isnan(ours), np.isnan(static))
    assert np.nanmax(np.abs(ours - static)) < 1e-2
    assert 4 <= (np.isnan(ours) & ~np.isnan(plain)).sum() <= 30


def test_a_gap_in_eight_bit_is_masked_and_white_is_not(table):
    image = counts().astype(np.uint8) // 2
    image[80:84, 100:103] = 255
    mask = np.zeros(SHAPE, bool)
    mask[80:84, 100:103] = True
    np.testing.assert_allclose(Corrector(table)(image), Corrector(table, mask)(image), rtol=1e-6)
    white = np.where(mask, 255, np.linspace(0, 250, SHAPE[1])).astype(np.uint8)
    drawing = np.where(mask, 255, 0).astype(np.uint8)
    for picture in (white, drawing):
        np.testing.assert_array_equal(Corrector(table)(picture), Corrector(table)(picture.astype(np.float32)))


@pytest.mark.parametrize(
    ("dtype", "dummy", "expected"),
    [
        ("uint16", float("nan"), 65535),
        ("int32", float("nan"), -1),
        ("uint64", float("nan"), 2**64 - 1),
        ("int32", 2**24 + 1, 2**24 + 1),  # which float32 does not know
        ("uint32", 2**32 - 1, 2**32 - 1),
        ("uint16", 7, 7),
    ],
)
def test_whole_numbers_get_exactly_their_dummy(table, dtype, dummy, expected):
    image = counts().astype(np.float32) + 0.4
    dtype = np.dtype(dtype)
    plain = Corrector(table)(image)
    out = Corrector(table, dummy=dummy).as_type(image, dtype)
    assert out.dtype == dtype
    unknown = np.isnan(plain)
    assert unknown.any()
    assert (out[unknown] == expected).all()
    np.testing.assert_array_equal(out[~unknown], np.rint(plain[~unknown]))
    assert Corrector(table, dummy=dummy).stand_in(dtype) == expected


@pytest.mark.parametrize(("dtype", "dummy"), [("uint16", -1), ("uint8", 256), ("int32", 0.5), ("int16", float("inf"))])
def test_a_dummy_that_does_not_fit_is_refused(table, dtype, dummy):
    with pytest.raises(UsageError, match="dummy"):
        Corrector(table, dummy=dummy).as_type(counts(), np.dtype(dtype))


def test_counts_beyond_the_type_are_the_largest_that_fit(table):
    image = np.full(SHAPE, 1e19)
    for dtype, most in (("int64", 2**63 - 1), ("uint8", 255)):
        known = Corrector(table)(image) > most
        assert known.any()
        assert (np.abs(Corrector(table).as_type(image, np.dtype(dtype))[known].astype(float) - most) <= 2048).all()


def test_dark_and_flat(table):
    rng = np.random.default_rng(3)
    dark, flat = rng.uniform(10, 20, SHAPE), rng.uniform(0.5, 1.5, SHAPE)
    light = rng.uniform(100, 200, SHAPE)
    flat[5, 5], dark[7, 9] = 0, np.nan
    out = Corrector(table, dark=dark, flat=flat)(light * flat + dark)
    mask = np.zeros(SHAPE, bool)
    mask[5, 5] = mask[7, 9] = True
    assert np.allclose(out, Corrector(table, mask)(light), rtol=1e-4, equal_nan=True)


@pytest.mark.parametrize("dtype", [np.uint16, np.float64])
def test_a_frame_needs_no_second_table(dtype, monkeypatch):
    monkeypatch.setattr("pyfai_gridcal.correction.corrector._ROWS", 5000)
    mask = np.zeros((1200, 400), bool)
    mask[50:60, 70:90] = True
    corrector = Corrector(build_table(wave((1200, 400))), mask).prepare()
    frame = np.ones((1200, 400), dtype)
    tracemalloc.start()
    try:
        corrector(frame)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < corrector.table.weights.nbytes + corrector.table.columns.nbytes


def test_types_of_frames(table):
    image = counts()
    reference = Corrector(table)(image.astype(np.float64))
    assert reference.dtype == np.float64
    for dtype in (np.uint8, np.uint16, np.int32, np.float32, ">i4", bool):
        out = Corrector(table)(image.astype(dtype))
        assert out.dtype == np.float32
        assert np.allclose(
            out, Corrector(table)(image.astype(dtype).astype(np.float64)), rtol=1e-5, atol=1e-3, equal_nan=True
        )


def test_dummy_and_coverage(table):
    image = np.ones(SHAPE, np.float32)
    assert (Corrector(table, dummy=-1)(image) == -1).sum() == np.isnan(Corrector(table)(image)).sum()
    mask = np.zeros(SHAPE, bool)
    mask[60:64, 60:64] = True
    strict, lax = (np.isnan(Corrector(table, mask, coverage=c)(image)).sum() for c in (1.0, 0.05))
    assert strict > lax
    for wrong in (0, -1, 1.5):
        with pytest.raises(UsageError, match="coverage"):
            Corrector(table, coverage=wrong)


def test_shapes_are_checked(table):
    with pytest.raises(ImageError, match="shape"):
        Corrector(table)(np.zeros((10, 20)))
    for name in ("mask", "dark", "flat"):
        with pytest.raises(UsageError, match=name):
            Corrector(table, **{name: np.zeros((10, 20))})
    with pytest.raises(ImageError, match="numbers"):
        Corrector(table)(np.zeros(SHAPE, complex))


def test_modules_with_gaps():
    truth = modules()
    image = np.full(truth.shape, 50.0)
    image[truth.mask] = 1e9
    out = correct_image(image, truth)
    known = out[np.isfinite(out)]
    assert known.max() < 55 * 1.1
    assert np.median(known) == pytest.approx(50, rel=1e-3)


def test_corners_that_are_not_finite_hold_nothing():
    class Holed(Wave):
        def on_grid(self, y, x):
            values = super().on_grid(y, x)
            values[20:25, 30:33] = np.nan
            return values

    out = correct_image(np.full(SHAPE, 10.0), Distortion(Holed(), SHAPE, (5e-5, 5e-5)))
    assert np.nanmedian(out) == pytest.approx(10, rel=0.1)


def test_another_device_gives_the_same(table):
    pytest.importorskip("pyopencl", reason="pyopencl is not installed")
    try:
        out = Corrector(table, device="cpu")(counts())
    except Exception as error:  # no driver
        pytest.skip(f"no OpenCL device: {error}")
    assert np.allclose(out, Corrector(table)(counts()), rtol=1e-4, equal_nan=True)
