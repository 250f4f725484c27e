"""The procedure of the tutorial does what it can."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.benchmark.tutorial import HandSet, disk, tutorial
from pyfai_gridcal.io.nexus.detector import from_detector
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.synthetic import demo_scene, field_error, fields


def test_tutorial_finds_a_grid_without_distortion() -> None:
    shape, pixel = (320, 350), (50e-6, 48e-6)
    flat = Distortion(fields.linear(shape), shape, pixel, gauge="truth")
    scene = demo_scene(shape, pitch_px=30.0)
    import dataclasses

    from pyfai_gridcal.synthetic import Faults, place

    scene = dataclasses.replace(scene, distortion=flat, pose=place(flat, scene.plate, angle_deg=1.0), faults=Faults())
    picture = scene.render(np.random.default_rng(1))
    pitch = scene.plate.pitch_m[0] / 49e-6
    hand = HandSet(9, 3000.0, 0.72 * pitch, 1.13 * pitch, (160.0, 175.0), scene.plate.pitch_m[0])
    stages: list[str] = []
    found = tutorial(picture.image, hand, stages.append)
    assert len(stages) == 7
    assert len(found.yx) >= picture.truth.whole.sum()
    assert found.matrix_bytes == 8 * len(found.yx) ** 2
    distortion = from_detector(found.detector)
    assert distortion.pixel_size == pytest.approx(pixel, rel=5e-3)
    assert field_error(distortion, flat, spots=picture.truth).rms_px < 0.2


def test_blocks_of_the_matrix_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyfai_gridcal.benchmark.tutorial as module

    yx = np.stack(np.mgrid[0:90:10, 0:80:10], axis=-1).reshape(-1, 2) + np.random.default_rng(0).normal(0, 0.3, (72, 2))
    hand = HandSet(5, 0.0, 7.0, 12.0, (40.0, 40.0), 1e-3)
    whole = [(k, list(others)) for k, others in module._neighbours(yx, hand)]
    monkeypatch.setattr(module, "MATRIX_LIMIT", 72 * 8 * 20)
    assert [(k, list(others)) for k, others in module._neighbours(yx, hand)] == whole
    assert sum(len(others) == 4 for _, others in whole) == 7 * 6


def test_disk_is_a_disk() -> None:
    kernel = disk(11)
    assert np.count_nonzero(kernel) == 97  # as the tutorial says
    assert kernel.sum() == pytest.approx(1)
