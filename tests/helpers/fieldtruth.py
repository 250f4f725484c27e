"""Control points of a plate seen through a known field, without any image: exact places, known noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyfai_gridcal.base.frames import pixel_centres
from pyfai_gridcal.base.geometry import leaning
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import Field, TiledField
from pyfai_gridcal.records.fit import Pose
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.points import ControlPoints

SHAPE = (350, 420)
PIXEL = (48e-6, 52e-6)
PLATE = Plate((1.05e-3, 0.93e-3))
SQUARE = Plate((1e-3, 1e-3))


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known about a made-up exposure."""

    points: ControlPoints
    plate: Plate
    pose: Pose
    field: Field
    shape: tuple[int, int]
    pixel_size: tuple[float, float]
    exact_yx: np.ndarray

    def places(self, yx: np.ndarray) -> np.ndarray:
        """True places (N, 2) of observed points on the detector plane, metres."""
        return (yx + self.field.at(yx) + 0.5) * self.pixel_size

    def grid(self, step: int = 7, margin: float = 0.0) -> np.ndarray:
        """Observed places (N, 2) px within the extent of the points."""
        y, x = pixel_centres(self.shape)
        yx = np.stack(np.meshgrid(y[::step], x[::step], indexing="ij"), axis=-1).reshape(-1, 2)
        low, high = self.points.yx.min(axis=0) + margin, self.points.yx.max(axis=0) - margin
        return yx[((yx > low) & (yx < high)).all(axis=1)]

    def errors(self, distortion: Distortion, yx: np.ndarray) -> np.ndarray:
        """Errors (N, 2) px of the places that a distortion gives to pixels, after the best rigid motion."""
        got = (yx + distortion.displacement(yx) + 0.5) * distortion.pixel_size
        want = self.places(yx)
        a, b = got - got.mean(axis=0), want - want.mean(axis=0)
        u, _, vt = np.linalg.svd(a.T @ b)
        turn = u @ np.diag([1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
        return (a @ turn - b) / self.pixel_size


def observe(
    field: Field,
    *,
    plate: Plate = PLATE,
    shape: tuple[int, int] = SHAPE,
    pixel_size: tuple[float, float] = PIXEL,
    angle_deg: float = 3.7,
    offset: tuple[float, float] = (0.21, -0.37),
    sigma: float = 0.01,
    seed: int = 0,
    keep: float = 1.0,
    border: float = 3.0,
    tilt: tuple[float, float] = (0.0, 0.0),
    source: float = np.inf,
    stretch: float = 1.0,
) -> Truth:
    """Holes of a plate about the middle of the detector, as seen through a field.

    Indices counted along the image's axes.
    """
    rng = np.random.default_rng(seed)
    middle = np.array(shape) / 2 * pixel_size
    angle = np.deg2rad(angle_deg)
    pose = Pose(float(angle), tuple(float(v) for v in middle + np.array(offset) @ plate.basis))
    reach = int(1.2 * np.hypot(*(np.array(shape) * pixel_size)) / min(plate.pitch_m))
    ij = np.stack(np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1), indexing="ij"), axis=-1)
    ij = ij.reshape(-1, 2)
    corrected = pose.corrected(plate.positions(ij), pixel_size)
    # a plate that leans, touching the detector in its middle, and whose pitch is another than is said
    off = (corrected + 0.5) * pixel_size - middle
    corrected = (leaning(off * stretch, tilt, source) + middle) / pixel_size - 0.5
    near = ((corrected > -60) & (corrected < np.array(shape) + 60)).all(axis=1)
    ij, corrected = ij[near], corrected[near]
    yx = _seen(field, corrected, shape, pixel_size)
    ok = np.isfinite(yx).all(axis=1)
    ok[ok] = ((yx[ok] > border) & (yx[ok] < np.array(shape) - 1 - border)).all(axis=1)
    ok &= rng.random(len(ij)) < keep
    ij, yx = ij[ok], yx[ok]
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    basis = plate.basis @ turn.T / pixel_size
    points = ControlPoints(
        yx + rng.normal(0, 1, yx.shape) * sigma,
        np.full(yx.shape, sigma),
        ij,
        np.arange(len(ij)),
        np.zeros(len(ij), np.uint8),
        basis,
        plate.angle_deg,
    )
    return Truth(points, plate, pose, field, shape, pixel_size, yx)


def _seen(field: Field, corrected: np.ndarray, shape: tuple[int, int], pixel: tuple[float, float]) -> np.ndarray:
    """Observed places of corrected ones; each must lie on its own tile."""
    if not isinstance(field, TiledField):
        return Distortion(field, shape, pixel).distort(corrected, tolerance=1e-9)
    out = np.full_like(corrected, np.nan)
    for k, own in enumerate(field.fields):
        yx = Distortion(own, shape, pixel).distort(corrected, tolerance=1e-9)
        here = np.isfinite(yx).all(axis=1)
        inside = ((yx[here] >= -0.5) & (yx[here] < np.array(shape) - 0.5)).all(axis=1)
        here[here] = inside & (field.label_at(yx[here]) == k)
        out[here] = yx[here]
    return out


def turned_indices(points: ControlPoints, quarters: int, offset: tuple[int, int] = (0, 0)) -> ControlPoints:
    """The same points in the numbering of somebody who turned the axes by quarters."""
    matrix = np.linalg.matrix_power(np.array([[0, 1], [-1, 0]]), quarters)
    return points.reindexed(matrix, offset)
