"""The first look: polarity and size of the holes, and dead areas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pyfai_gridcal.base.errors import PickingError
from pyfai_gridcal.finding.survey import binned, filled, squared, survey, without_lines


def picture(radius: float, pitch: float, polarity: str, rng: np.random.Generator) -> np.ndarray:
    """Blurred holes on a turned lattice under light that falls to a quarter."""
    shape = (331, 402)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    c, s = np.cos(0.3), np.sin(0.3)
    u, v = (c * y + s * x) / pitch, (-s * y + c * x) / pitch
    r = np.hypot(u - np.rint(u), v - np.rint(v)) * pitch
    hole = 1 / (1 + np.exp((r - radius) / 0.6))
    lamp = 1 - 0.75 * (x / shape[1])
    level = lamp * (200 + 1500 * (hole if polarity == "bright" else 1 - hole))
    return rng.poisson(level).astype(np.float32)


@pytest.mark.parametrize("polarity", ["bright", "dark"])
@pytest.mark.parametrize(("radius", "pitch"), [(2.2, 10.5), (5.0, 21.0), (9.5, 41.0)])
def test_polarity_and_size_come_from_the_image(polarity: str, radius: float, pitch: float) -> None:
    guess = survey(picture(radius, pitch, polarity, np.random.default_rng(4)))[0]
    assert guess.polarity == polarity
    assert 0.55 * radius < guess.radius_px < 1.8 * radius


def test_wanted_polarity_is_kept() -> None:
    image = picture(5.0, 21.0, "bright", np.random.default_rng(4))
    assert {g.polarity for g in survey(image, polarity="dark")} == {"dark"}


def test_blank_image_is_refused() -> None:
    with pytest.raises(PickingError, match="blank: every pixel reads 7"):
        survey(np.full((64, 80), 7, np.float32))


def test_binned_is_the_mean_of_blocks() -> None:
    image = np.arange(7 * 11, dtype=np.float32).reshape(7, 11)
    small = binned(image, 3)
    assert small.shape == (2, 3)
    assert small[1, 2] == pytest.approx(image[3:6, 6:9].mean())


def test_filled_masks_hold_what_is_around() -> None:
    image = np.full((60, 70), 50, np.float32)
    image[20:24] = 0
    mask = image == 0
    np.testing.assert_allclose(filled(image, mask), 50, rtol=1e-5)
    with pytest.raises(PickingError, match="all pixels are masked"):
        filled(image, np.ones_like(mask))


@pytest.mark.parametrize(("share", "patch"), [(0.001, 0), (0.001, 30), (0.4, 90)])
def test_filled_pixels_are_means_of_squares(share: float, patch: int) -> None:
    rng = np.random.default_rng(6)
    image = rng.poisson(100, (240, 260)).astype(np.float32)
    mask = rng.random(image.shape) < share
    mask[:patch, :patch] = True
    out = filled(image, mask)
    np.testing.assert_array_equal(out[~mask], image[~mask])
    weight = ndimage.uniform_filter((~mask).astype(float), 5)
    near = mask & (weight > 0.051)
    mean = ndimage.uniform_filter(np.where(mask, 0.0, image), 5)[near] / weight[near]
    assert near.sum() > 20
    np.testing.assert_allclose(out[near], mean, rtol=1e-5)
    # where no pixel near by is good, those farther off are asked
    np.testing.assert_allclose(out[mask & ~near], 100, atol=25)


@pytest.mark.parametrize("aspect", [1.0, 2.0, 1 / 3])
def test_squared(aspect: float) -> None:
    y, x = np.mgrid[:30, :47].astype(np.float32)
    image, per = squared(3 * y - 2 * x, aspect)
    assert image.shape == (int(30 * per[0]), int(47 * per[1]))
    assert per[0] / per[1] == pytest.approx(aspect)
    place = (np.array([17, 20]) + 0.5) / per - 0.5
    assert image[17, 20] == pytest.approx(3 * place[0] - 2 * place[1], abs=1e-4)


def test_lines_and_single_pixels_are_taken_away_and_holes_stay() -> None:
    y, x = np.mgrid[:40, :57].astype(np.float32)
    plate = 1000 * (np.hypot(y - 18, x - 21) < 5) + 3 * y - 2 * x
    dirty = plate.copy()
    dirty[:, 40:42] = 9000
    dirty[11, :15] = -700
    dirty[30, 7] = 5000
    clear = without_lines(dirty)
    assert clear == pytest.approx(plate, abs=20)
    assert without_lines(plate) == pytest.approx(plate, abs=12)
