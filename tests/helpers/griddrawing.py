"""Small scenes of unlike axes, and their pictures by brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter

from pyfai_gridcal import synthetic
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.synthetic import Light, Scene, fields

SHAPE = (150, 181)
PIXEL = (50e-6, 46e-6)


def make(field=None, *, shape=SHAPE, pitch_px=23.0, hole_px=8.0, angle=90.0, **kwargs) -> Scene:
    field = field or fields.taper(shape, np.random.default_rng(2))
    distortion = Distortion(field, shape, PIXEL, kwargs.pop("mask", None))
    plate = Plate((pitch_px * PIXEL[0], 1.13 * pitch_px * PIXEL[0]), angle, hole_m=hole_px * PIXEL[0])
    return Scene(distortion, plate, synthetic.place(distortion, plate, angle_deg=-7.3), **kwargs)


def brute_force(scene: Scene, fine: int = 10, *, binned: bool = True) -> np.ndarray:
    """Open fraction of each pixel: every fine sample asks for the nearest hole, then one blur, then the mean over the
    pixels; not `binned`, what each fine sample within the picture is."""
    ny, nx = scene.shape
    margin = 8
    y, x = ((np.arange((n + 2 * margin) * fine) + 0.5) / fine - 0.5 - margin for n in (ny, nx))
    field = scene.distortion.field
    plane = (field.on_grid(y, x) + np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)).reshape(-1, 2)
    angle = scene.pose.angle_rad
    metres = (plane + 0.5) * scene.distortion.pixel_size - scene.pose.shift_m
    c, s = np.cos(angle), np.sin(angle)
    on_plate = np.stack([c * metres[:, 0] - s * metres[:, 1], s * metres[:, 0] + c * metres[:, 1]], axis=1)
    node = np.rint(on_plate @ np.linalg.inv(scene.plate.basis))
    distance = np.hypot(*(on_plate - node @ scene.plate.basis).T)
    opened = (distance < scene.plate.hole_m / 2).astype(float).reshape(len(y), len(x))
    if scene.camera.blur:
        opened = gaussian_filter(opened, scene.camera.blur * fine, truncate=5)
    if not binned:
        return opened[margin * fine : -margin * fine, margin * fine : -margin * fine]
    whole = opened.reshape(ny + 2 * margin, fine, nx + 2 * margin, fine).mean(axis=(1, 3))
    return whole[margin:-margin, margin:-margin]


def open_fraction(scene: Scene) -> np.ndarray:
    clean = replace(
        scene, light=Light(1e4, 0, vignetting=0), camera=replace(scene.camera, readout=0, pedestal=0, dtype="float64")
    )
    return clean.render(np.random.default_rng(0), bounds=False).mean.astype(float) / 1e4
