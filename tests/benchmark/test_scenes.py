"""The scenes of the benchmark are what their text says."""

from __future__ import annotations

import re

import pytest

from pyfai_gridcal.benchmark import SCENES
from pyfai_gridcal.benchmark.scenes import scene_of


@pytest.mark.parametrize("name", SCENES)
def test_scenes_are_what_their_text_says(name: str) -> None:
    scene = SCENES[name]
    drawn = scene.make()
    assert abs(drawn.shape[0] * drawn.shape[1] / 1e6 / float(scene.text.split()[0]) - 1) < 0.1
    assert drawn.shape[0] != drawn.shape[1]
    holes = len(drawn.holes())
    told = int(re.match(r"[\d ]+", scene.text.split(", ")[1])[0].replace(" ", ""))  # type: ignore[index]
    assert abs(holes / told - 1) < 0.1


def test_scaling_keeps_what_it_does_not_scale() -> None:
    one, four = scene_of("pixels-1024").make(), scene_of("pixels-2048").make()
    assert one.plate.pitch_m == four.plate.pitch_m
    assert four.shape[0] * four.shape[1] == 4 * one.shape[0] * one.shape[1]
    sparse, dense = scene_of("spots-96").make(), scene_of("spots-48").make()
    assert sparse.shape == dense.shape
    assert sparse.plate.pitch_m[0] == pytest.approx(2 * dense.plate.pitch_m[0])
