"""The scenes of the benchmark: drawn by the package's own generator, always the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..records.distortion import Distortion
from ..records.plate import Plate
from ..synthetic import Camera, Faults, Light, Scene, fields, place


@dataclass(frozen=True)
class BenchScene:
    """One scene.

    Attributes
    ----------
    name, text : for tables
    make : draws up the scene
    pitch_px, hole_px : what a person would measure on the screen, for procedures that must be told
    """

    name: str
    text: str
    make: Callable[[], Scene]
    pitch_px: float
    hole_px: float

    @property
    def seed(self) -> int:
        """Of the noise."""
        return sum(map(ord, self.name))


def _grid(
    shape: tuple[int, int],
    pitch_px: float,
    hole_px: float,
    *,
    strength: float,
    seed: int,
    camera: Camera | None = None,
    faults: Faults | None = None,
) -> Scene:
    """A fibre-optic taper of some strength behind a plate."""
    pixel = (48.1e-6, 47.3e-6)
    size = float(np.sqrt(pixel[0] * pixel[1]))
    field = fields.taper(shape, np.random.default_rng(seed), strength=strength)
    distortion = Distortion(field, shape, pixel, gauge="truth")
    plate = Plate((pitch_px * size, pitch_px * size), hole_m=hole_px * size)
    pose = place(distortion, plate, angle_deg=2.3)
    return Scene(distortion, plate, pose, Light(), camera or Camera(), faults or Faults(seed=seed))


def _dark() -> Scene:
    """A camera with a lens looks at dark dots on a lit sheet."""
    shape, pixel = (1600, 1840), 6.5e-6
    distortion = Distortion(fields.radial(shape, -0.05, 0.01), shape, (pixel, pixel), gauge="truth")
    plate = Plate((28.3 * pixel, 28.3 * pixel), hole_m=10.4 * pixel)
    light = Light(8000.0, 1500.0, "dark", vignetting=0.35)
    return Scene(distortion, plate, place(distortion, plate, angle_deg=-1.7), light, Camera(), Faults(missing=0.01))


def _scene(name: str, text: str, shape: tuple[int, int], pitch_px: float, hole_px: float, **how: Any) -> BenchScene:
    """A scene of a taper; see :func:`_grid`."""
    return BenchScene(name, text, partial(_grid, shape, pitch_px, hole_px, **how), pitch_px, hole_px)


_SHARP = Camera(blur=1.0)

SCENES: dict[str, BenchScene] = {
    scene.name: scene
    for scene in (
        _scene("quick", "0.28 Mpx, 500 spots: to try the benchmark", (500, 560), 24.3, 7.4, strength=0.4, seed=11),
        _scene("taper", "4.3 Mpx, 500 spots 97 px apart: a tapered CCD, as in pyFAI's tutorial", (2048, 2100), 96.5,
               10.6, strength=0.5, seed=12, faults=Faults(zingers=200, seed=12)),
        BenchScene("dark", "2.9 Mpx, 3 300 dark dots 28 px apart: a camera with a lens", _dark, 28.3, 10.4),
        # The hills of a taper grow with its side; at this pitch they would be hidden behind half a dozen holes.
        _scene("fine", "4.1 Mpx, 38 000 spots 11 px apart", (2048, 2000), 10.6, 4.2,
               strength=0.3, seed=13, camera=_SHARP),
        _scene("wide", "16.4 Mpx, 149 000 spots 11 px apart", (4096, 4000), 10.6, 4.2,
               strength=0.15, seed=14, camera=_SHARP),
    )
}  # fmt: skip


def scene_of(name: str) -> BenchScene:
    """A scene by its name; ``pixels-2048`` and ``spots-24`` are those of the scaling: side, and pitch, px."""
    if name in SCENES:
        return SCENES[name]
    kind, _, number = name.partition("-")
    value = int(number)
    side, pitch = (value, 20) if kind == "pixels" else (2048, value)
    shape = (side, side + side // 32)
    hole = max(4.0, 0.3 * min(pitch, 32))
    text = f"{shape[0]} x {shape[1]} px, spots {pitch} px apart"
    return _scene(name, text, shape, pitch, hole, strength=0.3 * 1024 / side, seed=17, camera=_SHARP)
