"""Rigid placement: the plate on the detector plane, and the raster that comes nearest to what was observed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._typing import Floats
from .errors import FittingError
from .fit import Pose
from .frames import edge_from_index

__all__ = ["Placement", "place"]


@dataclass(frozen=True, eq=False)
class Placement:
    """A pose and the pixel size of the raster that go together.

    Attributes
    ----------
    pose : of the plate
    pixel_size : (slow, fast) metres
    covariance : (5, 5) of angle (rad), log pixel size (slow, fast), shift (y, x) in px, for weights that are 1 / variance (px)
    """

    pose: Pose
    pixel_size: tuple[float, float]
    covariance: Floats

    @property
    def pixel_sigma_m(self) -> tuple[float, float]:
        """Standard uncertainty of the pixel size, metres."""
        sigma = np.sqrt(np.diagonal(self.covariance)[1:3])
        return float(sigma[0] * self.pixel_size[0]), float(sigma[1] * self.pixel_size[1])


def place(
    positions_m: Floats, yx: Floats, *, weights: Floats | None = None, pixel_size: tuple[float, float] | None = None
) -> Placement:
    """Pose (and pixel size, if none is given) that bring positions on the plate nearest to the observed points.

    Only a turn, a shift and the two pixel sizes are free; a shear is not.

    Parameters
    ----------
    positions_m : (N, 2) on the plate, metres
    yx : (N, 2) observed, px, index frame
    weights : (N,) optional
    pixel_size : (slow, fast) metres, optional

    Raises
    ------
    FittingError
        The points lie on a line, or the indices run against the pixels (a reflection).
    """
    w = np.ones(len(yx)) if weights is None else weights
    edge = edge_from_index(yx)
    plate_centre, centre = np.average(positions_m, axis=0, weights=w), np.average(edge, axis=0, weights=w)
    p, q = positions_m - plate_centre, edge - centre
    root = np.sqrt(w)[:, None]
    affine, _, rank, _ = np.linalg.lstsq(p * root, q * root, rcond=1e-9)
    if rank < 2:
        raise FittingError("the control points lie on one line", expected="points in two directions")
    if np.linalg.det(affine) <= 0:
        raise FittingError(
            "the indices of the control points are mirrored",
            expected="i growing along slow and j along fast as on the plate",
        )
    angle, size = _start(affine, pixel_size)
    for _ in range(50):
        step, normal = _step(p, q, w, angle, size, free=pixel_size is None)
        angle += step[0]
        size = size * np.exp(step[1:])
        if np.abs(step).max() < 1e-13:
            break
    turned = p @ _turn(angle).T / size
    shift_px = centre + np.average(q - turned, axis=0, weights=w)
    shift_m = shift_px * size - plate_centre @ _turn(angle).T
    covariance = np.zeros((5, 5))
    inside = slice(0, 3) if pixel_size is None else slice(0, 1)
    covariance[inside, inside] = np.linalg.inv(normal)
    covariance[3, 3] = covariance[4, 4] = 1 / w.sum()
    return Placement(
        Pose(float(angle), (float(shift_m[0]), float(shift_m[1]))), (float(size[0]), float(size[1])), covariance
    )


def _turn(angle: float) -> Floats:
    """Matrix that turns (y, x) on the plane by an angle as :class:`Pose` counts it."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s], [-s, c]])


def _start(affine: Floats, pixel_size: tuple[float, float] | None) -> tuple[float, Floats]:
    """Angle and pixel size near those of a free affine map (metres @ affine = px)."""
    size = 1 / np.linalg.norm(affine, axis=0) if pixel_size is None else np.asarray(pixel_size, float)
    m = affine * size
    return float(np.arctan2(m[1, 0] - m[0, 1], m[0, 0] + m[1, 1])), size


def _step(p: Floats, q: Floats, w: Floats, angle: float, size: Floats, *, free: bool) -> tuple[Floats, Floats]:
    """One Gauss-Newton step of (angle, log sizes) and its normal matrix."""
    turned = p @ _turn(angle).T / size
    slope = p @ _turn(angle + np.pi / 2).T / size
    zero = np.zeros(len(p))
    columns = [slope.ravel()]
    if free:
        columns += [np.stack([-turned[:, 0], zero], 1).ravel(), np.stack([zero, -turned[:, 1]], 1).ravel()]
    a = np.stack(columns, axis=1)
    weight = np.repeat(w, 2)[:, None]
    normal = a.T @ (a * weight)
    step = np.zeros(3)
    step[: len(columns)] = np.linalg.solve(normal, a.T @ ((q - turned).ravel() * weight[:, 0]))
    return step, normal
