"""What makes a calibration wrong without a residual that shows it: each cause on a small scene, right or doubted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from pyfai_gridcal import Calibration, calibrate
from pyfai_gridcal.synthetic import (
    Camera,
    Faults,
    Light,
    Opaque,
    Scene,
    SyntheticImage,
    demo_scene,
    field_error,
    imperfect,
)

inf = float("inf")
LIGHT, CAMERA, CLEAN = Light(9000.0, 700.0, vignetting=0.0), Camera(1.1), Faults(seed=2)


def scene(*, light: Light = LIGHT, camera: Camera = CAMERA, faults: Faults = CLEAN) -> Scene:
    """A bent field, holes of 10 px every 27 px, turned a little."""
    base = demo_scene((360, 430), pitch_px=27.0, seed=4)
    return replace(base, light=light, camera=camera, faults=faults)


SCENES = {
    "light that ends softly": scene(light=replace(LIGHT, penumbra=(30.0, 60.0))),
    "a beam": scene(light=replace(LIGHT, peak=20000.0, beam=(0.02, 1.0))),
    "a covered corner": scene(faults=Faults(opaque=(Opaque((190.0, 240.0), 3.0, across=(0.0, inf)),), seed=2)),
    "holes that grow": scene(faults=Faults(size_trend=(0.02, 0.0), seed=2)),
    "blur that grows": scene(camera=Camera(0.9, blur_corner=2.6, focus=(0.2, 0.3))),
    "a bright frame": scene(light=replace(LIGHT, outside=9000.0), faults=Faults(extent=(-5, 6, -7, 8), seed=2)),
    "bleeding": scene(light=replace(LIGHT, uneven=0.3), camera=Camera(1.1, saturation=11000.0, bleed=True)),
    "smear": scene(camera=Camera(1.1, smear=0.1)),
}


@pytest.fixture(scope="module", params=SCENES)
def seen(request: pytest.FixtureRequest) -> tuple[SyntheticImage, Calibration]:
    picture = SCENES[request.param].render(np.random.default_rng(7))
    return picture, calibrate(picture.image, pitch=picture.scene.plate.pitch_m)


def test_good_is_good(seen: tuple[SyntheticImage, Calibration]) -> None:
    picture, found = seen
    assert found.verdict.level == "good"
    score = field_error(found.distortion, picture.scene.distortion)
    assert score.rms_px < 0.03


def test_steps_of_the_plate_are_doubted() -> None:
    base = scene()
    stepped = replace(base, plate=imperfect(base.plate, 9e-6, seed=5, block=(5, 4)))
    picture = stepped.render(np.random.default_rng(7))
    assert calibrate(picture.image, pitch=picture.scene.plate.pitch_m).verdict.level != "good"


@pytest.mark.parametrize("penumbra", [(40.0, 90.0), (55.0, 100.0)])
def test_places_in_a_half_shadow_are_as_sure_as_they_say(penumbra: tuple[float, float]) -> None:
    picture = scene(light=replace(LIGHT, penumbra=penumbra)).render(np.random.default_rng(7))
    found = calibrate(picture.image, pitch=picture.scene.plate.pitch_m)
    points, used = found.points[0], found.fit.used[0]
    off = points.yx - picture.truth.yx[cKDTree(picture.truth.yx).query(points.yx)[1]]
    z = ((off - np.median(off, axis=0)) / points.sigma_yx)[used]
    assert np.sqrt((z**2).mean()) < 1.25
