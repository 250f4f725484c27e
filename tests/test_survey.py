"""The first look: polarity and size of the holes, and dead areas."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.dead import dead_areas, dead_level
from pyfai_gridcal.errors import PickingError
from pyfai_gridcal.survey import binned, filled, survey


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


def test_dead_rows_are_found_and_opaque_dots_are_not() -> None:
    rng = np.random.default_rng(1)
    image = rng.normal(1000, 30, (300, 310))
    image[100:104] = rng.normal(100, 8, (4, 310))
    y, x = np.mgrid[:300, :310]
    dots = np.hypot((y + 13) % 40 - 20, (x + 7) % 40 - 20) < 6
    image[dots] = rng.normal(100, 8, int(dots.sum()))
    level = dead_level(image)
    assert level is not None
    assert 150 < level < 900
    dead = dead_areas(image, None, larger_than=40)
    assert dead is not None
    assert dead[100:104].all()
    assert not dead[dots & (np.abs(y - 102) > 20)].any()


def test_no_dead_population_in_plain_light() -> None:
    image = np.random.default_rng(1).poisson(30, (300, 310))
    assert dead_level(image) is None
