"""Candidates: how they are listed makes no difference to which they are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from pyfai_gridcal.finding import picking
from pyfai_gridcal.finding.picking import contrast_map, pick
from pyfai_gridcal.finding.survey import binned
from pyfai_gridcal.records.spots import Polarity

SHAPE = (410, 530)


def holes(pitch: float, radius: float, *, polarity: Polarity = "bright", noise: float = 0.0) -> np.ndarray:
    """Soft disks on a turned lattice, in light that falls off."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    u, v = 0.96 * y + 0.28 * x + 3.3, 0.96 * x - 0.28 * y + 1.7
    away = np.hypot(u - pitch * np.rint(u / pitch), v - pitch * np.rint(v / pitch))
    light = 1 - 0.6 * (x / SHAPE[1]) ** 2
    sign = 1 if polarity == "bright" else -0.8
    image = light * (1500 + sign * 1000 / (1 + np.exp(3 * (away - radius))))
    return np.asarray(image + np.random.default_rng(2).normal(0, noise, SHAPE), np.float32)


@pytest.mark.parametrize(
    ("image", "polarity", "radius"),
    [
        (holes(40, 6.0, noise=30), "bright", 6.0),
        (holes(9, 2.2, noise=60), "bright", 2.2),
        (holes(17, 3.1, polarity="dark", noise=250), "dark", 3.1),
        (np.random.default_rng(1).normal(0, 1, SHAPE).astype(np.float32), "bright", 1.8),
    ],
    ids=["large", "dense", "dark and noisy", "nothing but noise"],
)
def test_maxima_are_those_of_the_watershed(
    image: np.ndarray, polarity: Polarity, radius: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for limit in (10**9, 0):
        monkeypatch.setattr(picking, "_WATERSHED_PIXELS", limit)
        found.append(pick(image, polarity=polarity, radius_px=radius, threshold=0.1, significance=2.5))
    watershed, maxima = found
    assert len(watershed) > 50
    assert_array_equal(watershed.yx, maxima.yx)
    assert_array_equal(watershed.significance, maxima.significance)


def test_contrast_is_disk_minus_ring() -> None:
    from scipy.ndimage import convolve

    image = holes(23, 4.0, noise=20)
    kernel = picking._kernel(4.0).astype(float)
    for polarity, sign in (("bright", 1.0), ("dark", -1.0)):
        contrast, gain = contrast_map(image, 4.0, polarity)  # type: ignore[arg-type]
        expected = convolve(image.astype(float), sign * kernel, mode="reflect")
        np.testing.assert_allclose(contrast, expected, atol=1e-3)
        assert gain == pytest.approx(np.sqrt((kernel**2).sum()))


def test_binning_keeps_places() -> None:
    image = holes(40, 8.0)
    factor = picking.working_bin(8.0)
    assert factor > 1
    assert binned(image, factor).shape == (SHAPE[0] // factor, SHAPE[1] // factor)
    y, x = pick(image, polarity="bright", radius_px=8.0).yx.T
    u, v = 0.96 * y + 0.28 * x + 3.3, 0.96 * x - 0.28 * y + 1.7
    inside = (np.minimum(y, x) > 12) & (y < SHAPE[0] - 13) & (x < SHAPE[1] - 13)
    miss = np.stack([u - 40 * np.rint(u / 40), v - 40 * np.rint(v / 40)])[:, inside]
    assert np.abs(miss.mean(axis=1)).max() < 0.1
    assert np.abs(miss).max() < 1.0


def test_places_are_those_of_pyfai() -> None:
    from pyFAI.ext.bilinear import Bilinear

    contrast, _ = contrast_map(holes(17, 3.1, noise=250), 3.1, "bright")
    peaks = picking._peaks(contrast, 20.0)
    assert len(peaks) > 500
    bilinear = Bilinear(np.ascontiguousarray(contrast))
    wanted = np.array([bilinear.local_maxi((int(y), int(x))) for y, x in peaks])
    far = np.abs(wanted - peaks).max(axis=1) > 1.5
    np.testing.assert_allclose(picking._place(contrast, peaks)[~far], wanted[~far], atol=1e-4)
