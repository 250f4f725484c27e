"""Scenes ready for use: one for demonstrations, and random ones of every kind that a calibration must manage without
being told."""

from __future__ import annotations

import numpy as np

from ..records.distortion import Distortion
from ..records.field import Field
from ..records.plate import Plate
from . import fields
from .parts import Camera, Faults, Light
from .scene import Scene, place


def demo_scene(shape: tuple[int, int] = (1280, 1400), *, pitch_px: float = 38.3, seed: int = 5) -> Scene:
    """A tapered CCD behind a plate with holes every 2 mm: nothing symmetric, some dirt, some blocked holes."""
    rng = np.random.default_rng(seed)
    pixel = (51.7e-6, 52.3e-6)
    distortion = Distortion(fields.taper(shape, rng, strength=0.7), shape, pixel, gauge="truth")
    pitch = 2e-3 * (pitch_px / 38.3)
    plate = Plate((pitch, pitch), hole_m=0.3 * pitch)
    faults = Faults(missing=0.005, dirt=4, zingers=40, seed=seed)
    return Scene(distortion, plate, place(distortion, plate), Light(uneven=0.1), Camera(), faults)


def random_scene(rng: np.random.Generator, *, side: tuple[int, int] = (500, 1000)) -> Scene:
    """A scene of random size, field, lattice, angle, light and faults, always one that can be calibrated."""
    shape = int(rng.integers(*side)), int(rng.integers(*side))
    pixel = float(rng.choice([7.4e-6, 24e-6, 48e-6, 172e-6])) * rng.uniform(0.9, 1.1, 2)
    pitch_px = float(rng.uniform(12, 65))
    hole_px = pitch_px * float(rng.uniform(0.24, 0.5))
    pitch = pitch_px * float(pixel.mean())
    aspect, angle = _lattice(rng)
    plate = Plate((pitch * aspect, pitch), angle, hole_m=hole_px * float(pixel.mean()))
    distortion = Distortion(_field(rng, shape, pitch_px), shape, (pixel[0], pixel[1]), gauge="truth")
    peak = 10 ** float(rng.uniform(2.3, 4.3))
    light = Light(
        peak,
        peak * float(rng.uniform(0.03, 0.4)),
        "dark" if rng.random() < 0.4 else "bright",
        vignetting=float(rng.uniform(0, 0.6)),
        centre=(float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.3, 0.7))),
        uneven=float(rng.uniform(0, 0.3)),
        seed=int(rng.integers(1 << 30)),
    )
    camera = Camera(blur=float(rng.uniform(0.6, 0.12 * hole_px + 0.8)), readout=float(rng.uniform(1, 12)))
    stop = None
    if rng.random() < 0.2:
        stop = (*(float(n * rng.uniform(0.3, 0.7)) for n in shape), float(rng.uniform(0.03, 0.1) * min(shape)))
    faults = Faults(
        missing=float(rng.choice([0, 0.02, 0.08])),
        dirt=int(rng.choice([0, 3, 10])),
        zingers=int(rng.choice([0, 50, 300])),
        hot_columns=int(rng.choice([0, 0, 2])),
        beam_stop=stop,  # type: ignore[arg-type]
        seed=int(rng.integers(1 << 30)),
    )
    offset = float(rng.uniform(-0.5, 0.5)), float(rng.uniform(-0.5, 0.5))
    pose = place(distortion, plate, angle_deg=float(rng.uniform(-45, 45)), offset=offset)
    return Scene(distortion, plate, pose, light, camera, faults)


def _lattice(rng: np.random.Generator) -> tuple[float, float]:
    """Ratio of the pitches and angle of the lattice: square mostly, hexagonal or rectangular now and then."""
    kind = rng.random()
    if kind < 0.7:
        return 1.0, 90.0
    return (1.0, 60.0) if kind < 0.85 else (float(rng.uniform(1.1, 1.5)), 90.0)


def _field(rng: np.random.Generator, shape: tuple[int, int], pitch_px: float) -> Field:
    side = max(shape)
    wavy = fields.smooth(shape, pitch_px * rng.uniform(0.05, 0.5), side * rng.uniform(0.35, 1), rng)
    kind = rng.random()
    if kind < 0.4:
        return wavy
    if kind < 0.75:
        centre = tuple(float(n * rng.uniform(0.4, 0.6)) for n in shape)
        return fields.radial(shape, rng.uniform(-0.08, 0.12), centre=(centre[0], centre[1]))
    if kind < 0.9:
        return fields.taper(shape, rng, strength=rng.uniform(0.3, 1))
    tilt = float(rng.uniform(-0.03, 0.03)), float(rng.uniform(-0.03, 0.03))
    return fields.SumField((fields.perspective(shape, tilt), wavy))
