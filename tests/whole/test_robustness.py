"""Dirt, one kind at a time: the field stays within a tenth of a pixel, or the verdict says that it does not."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from pyfai_gridcal import calibrate
from pyfai_gridcal.synthetic import Faults, Light, Scene, demo_scene, field_error, imperfect, match_spots

Edit = Callable[[np.ndarray, np.random.Generator], np.ndarray]
CLEAN: Scene = replace(demo_scene((420, 510), pitch_px=27.3, seed=3), faults=Faults(seed=3))


def spoilt(**faults: Any) -> Scene:
    return replace(CLEAN, faults=Faults(seed=3, **faults))


def scratched(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    y, x = np.indices(image.shape)
    for _ in range(6):
        angle, y0, x0 = rng.uniform(0, np.pi), rng.uniform(0, image.shape[0]), rng.uniform(0, image.shape[1])
        image = image + 6000 * (np.abs((y - y0) * np.cos(angle) - (x - x0) * np.sin(angle)) < 1.2)
    return image


def unevenly_sharp(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    weight = np.linspace(0, 1, image.shape[1])
    return image * (1 - weight) + ndimage.gaussian_filter(image, 3.0) * weight


def as_jpeg(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    pillow = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    pillow.fromarray(np.clip(image / image.max() * 255, 0, 255).astype(np.uint8)).save(file, "jpeg", quality=30)
    return np.asarray(pillow.open(file))


def as_bytes(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(image / 60, 0, 255).astype(np.uint8)


SCENES: dict[str, tuple[Scene, Edit | None]] = {
    "clean": (CLEAN, None),
    "30 % of the holes blocked": (spoilt(missing=0.3), None),
    "10 % merged with their neighbour": (spoilt(merged=0.1), None),
    "dirt": (spoilt(dirt=80), None),
    "zingers": (spoilt(zingers=4000), None),
    "hot columns": (spoilt(hot_columns=12), None),
    "beam stop": (spoilt(beam_stop=(200.0, 260.0, 45.0)), None),
    "scratches": (CLEAN, scratched),
    "flat tops": (replace(CLEAN, camera=replace(CLEAN.camera, saturation=6500.0)), None),
    "blur that varies": (CLEAN, unevenly_sharp),
    "light that varies ten-fold": (replace(CLEAN, light=Light(uneven=0.2, vignetting=0.9)), None),
    "holes of different size": (spoilt(size_spread=0.08), None),
    "JPEG": (CLEAN, as_jpeg),
    "8 bits": (CLEAN, as_bytes),
}


def result(scene: Scene, edit: Edit | None) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(8)
    picture = scene.render(rng)
    image = picture.image if edit is None else edit(picture.image.astype(float), rng)
    calibration = calibrate(image, pitch=scene.plate.pitch_m)
    score = field_error(calibration.distortion, picture.distortion, spots=picture.truth)
    return calibration, score, match_spots(calibration.points[0], picture.truth)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
def test_dirt_does_no_harm(name: str) -> None:
    calibration, field, spots = result(*SCENES[name])
    assert calibration.verdict.level == "good", str(calibration.verdict)
    assert field.rms_px < 0.1
    assert field.coverage > 0.95
    assert spots.wrong_index == 0
    # what dirt has spoilt is left out
    assert spots.recall > 0.75


def test_a_plate_with_large_errors_is_doubtful() -> None:
    error = 0.6 * CLEAN.distortion.pixel_size[0]
    calibration, field, spots = result(replace(CLEAN, plate=imperfect(CLEAN.plate, error, seed=2)), None)
    assert field.rms_px > 0.1
    assert calibration.verdict.level == "doubtful"
    assert spots.wrong_index == 0


def test_pixels_missing_all_over_the_image() -> None:
    """No hole was whole then, so that nothing was learnt for those that the border cuts: they were half a pixel off."""

    def without_some(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        image = np.where(np.random.default_rng(2).uniform(size=image.shape) < 0.1, np.nan, image)
        image[0] = image[:, 0] = image[::128] = np.nan
        return image

    calibration, field, spots = result(CLEAN, without_some)
    assert calibration.verdict.level == "good"
    assert field.rms_px < 0.012
    assert spots.recall > 0.97


@pytest.mark.slow
def test_exposed_twice_is_not_good() -> None:
    def twice(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return image + 0.4 * ndimage.shift(image, (9.3, 6.1), order=1, mode="nearest")

    calibration, _, _ = result(CLEAN, twice)
    assert calibration.verdict.level in ("doubtful", "failed")
