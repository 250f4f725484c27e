"""Dead areas, told from opaque dots and from plain light."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.finding.dead import dark_lines, dead_areas, dead_level


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


SHAPE = (160, 210)


PEDESTAL = 100.0


@pytest.fixture
def lit() -> np.ndarray:
    y = np.arange(SHAPE[0])[:, None]
    return np.random.default_rng(1).poisson(1500 + 2.0 * y + np.zeros(SHAPE)).astype(float)


def with_corner(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same with a corner that reads the pedestal."""
    dead = np.add.outer(np.arange(SHAPE[0]), 0.7 * np.arange(SHAPE[1])) < 45
    noise = np.random.default_rng(2).normal(PEDESTAL, 3.0, SHAPE)
    return np.where(dead, noise, image), dead


def test_level_lies_between_pedestal_and_light(lit: np.ndarray) -> None:
    image, _ = with_corner(lit)
    level = dead_level(image)
    assert level is not None
    assert PEDESTAL + 20 < level < 1300


def test_dead_corner_is_found_to_the_pixel(lit: np.ndarray) -> None:
    image, dead = with_corner(lit)
    found = dead_areas(image, None, larger_than=20)
    np.testing.assert_array_equal(found, dead)


def test_small_dark_areas_are_holes(lit: np.ndarray) -> None:
    image, dead = with_corner(lit)
    image[100:108, 120:128] = PEDESTAL
    np.testing.assert_array_equal(dead_areas(image, None, larger_than=20), dead)
    both = dead_areas(image, None, larger_than=5)
    assert both is not None
    assert both[100:108, 120:128].all()


def test_plain_light_has_no_dead_level(lit: np.ndarray) -> None:
    assert dead_level(lit) is None
    assert dead_areas(lit, None, larger_than=20) is None


def test_what_is_masked_is_not_asked(lit: np.ndarray) -> None:
    image, dead = with_corner(lit)
    assert dead_level(image, dead) is None


def test_too_few_pixels_tell_nothing() -> None:
    assert dead_level(np.array([[0.0, 1000.0], [0.0, 1000.0]]), step=1) is None


def test_unlit_lines_are_found_though_single_pixels_do_not_tell_them() -> None:
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:310, :350]
    holes = np.hypot((y + 13) % 25 - 12, (x + 7) % 27 - 13) < 5
    image = np.where(holes, 900.0, 240.0) * (0.6 + 0.4 * np.cos((y - 160) / 200))
    image[140:146], image[:, 201:203] = 110.0, 110.0
    image = image + rng.normal(0, 12, image.shape)
    assert dead_level(image) is None
    lines = dark_lines(image)
    assert lines is not None
    assert np.flatnonzero(lines.all(axis=1)).tolist() == list(range(140, 146))
    assert np.flatnonzero(lines.all(axis=0)).tolist() == [201, 202]
    assert lines.sum() == 6 * 350 + 2 * 310 - 12
    assert dark_lines(image, lines) is None


def test_light_that_fades_has_no_unlit_lines() -> None:
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:310, :350]
    for light in (np.exp(-((y - 140) ** 2) / 9000.0), 1 - 0.9 * np.exp(-((x - 140) ** 2) / 400.0), np.ones(y.shape)):
        assert dark_lines(1000 * light + 100 + rng.normal(0, 8, y.shape)) is None
