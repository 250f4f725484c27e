"""Rigid placement: the plate on the detector plane, and the raster that comes nearest to what was observed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..base.arrays import AnyArray, Floats, in_a_line
from ..base.errors import FittingError
from ..base.frames import edge_from_index, raster_places
from ..base.geometry import turn_matrix
from ..records.fit import Pose
from .recipe import FieldFit, Sample

__all__ = ["Placement", "RigidBody", "RigidField", "place"]

#: Points whose extent in one direction is less than this part of that in the other lie on a line: the bow of a row of
#: holes is no second direction.
_NARROW = 5e-3
#: A longer last step, radians and share of the size, has arrived nowhere: from what a plate shows the tenth is zero.
_ARRIVED = 1e-3


@dataclass(frozen=True, eq=False)
class Placement:
    """A pose and the pixel size of the raster that go together.

    Attributes
    ----------
    pose : of the plate
    pixel_size : (slow, fast) metres
    covariance : (5, 5) of angle (rad), log pixel size (slow, fast), shift (y, x) in px, for weights that are 1 /
    variance (px)
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
    share = w / w.sum()
    plate_centre, centre = share @ positions_m, share @ edge
    # an affine map tells about the turn and the pixels, and whether there are two directions at all
    p, q = positions_m - plate_centre, edge - centre
    pp, pq = (p * w[:, None]).T @ p, (p * w[:, None]).T @ q
    extent = np.sqrt(np.maximum(np.linalg.eigvalsh(pp), 0.0))
    if not extent[0] > _NARROW * extent[1]:
        raise FittingError("the control points lie on one line", expected="points in two directions")
    affine = np.linalg.solve(pp, pq)
    if np.linalg.det(affine) <= 0:
        raise FittingError(
            "the indices of the control points are mirrored",
            expected="i growing along slow and j along fast as on the plate",
        )
    angle, size = _start(np.asarray(affine, dtype=np.float64), pixel_size)
    # Newton's steps in turn and log pixel size need the second moments only
    for _ in range(50):
        step, normal = _step(pp, pq, angle, size, free=pixel_size is None)
        angle += step[0]
        size = size * np.exp(np.clip(step[1:], -1.0, 1.0))
        if not 1e-13 < np.abs(step).max() < np.inf:
            break
    if not np.abs(step).max() < _ARRIVED:
        raise FittingError("the control points tell no size of the pixels", expected="points on a lattice")
    # the shift follows from the rest
    turned = p @ turn_matrix(angle).T / size
    shift_px = centre + share @ (q - turned)
    shift_m = shift_px * size - plate_centre @ turn_matrix(angle).T
    covariance = np.zeros((5, 5))
    inside = slice(0, 3) if pixel_size is None else slice(0, 1)
    covariance[inside, inside] = np.linalg.inv(normal)
    covariance[3, 3] = covariance[4, 4] = 1 / w.sum()
    return Placement(
        Pose(float(angle), (float(shift_m[0]), float(shift_m[1]))), (float(size[0]), float(size[1])), covariance
    )


def _start(affine: Floats, pixel_size: tuple[float, float] | None) -> tuple[float, Floats]:
    """Angle and pixel size near those of a free affine map (metres @ affine = px)."""
    size = 1 / np.linalg.norm(affine, axis=0) if pixel_size is None else np.asarray(pixel_size, float)
    m = affine * size
    return float(np.arctan2(m[1, 0] - m[0, 1], m[0, 0] + m[1, 1])), size


def _step(pp: Floats, pq: Floats, angle: float, size: Floats, *, free: bool) -> tuple[Floats, Floats]:
    """One step of (angle, log sizes), by Gauss and Newton, and its normal matrix.

    Of the points only their second moments matter: pp = Σ w p pᵀ and pq = Σ w p qᵀ, (2, 2) each.
    """
    turn, ahead = turn_matrix(angle) / size[:, None], turn_matrix(angle + np.pi / 2) / size[:, None]
    turned, crossed, slope = (np.diagonal(m) for m in (turn @ pp @ turn.T, ahead @ pp @ turn.T, ahead @ pp @ ahead.T))
    on_turned, on_slope = np.diagonal(turn @ pq), np.diagonal(ahead @ pq)
    count = 3 if free else 1
    normal, right = np.zeros((3, 3)), np.zeros(3)
    normal[0, 0], right[0] = slope.sum(), (on_slope - crossed).sum()
    normal[0, 1:] = normal[1:, 0] = -crossed
    normal[[1, 2], [1, 2]] = turned
    right[1:] = turned - on_turned
    step = np.zeros(3)
    if free:
        try:
            step[:] = np.linalg.solve(normal, right)
        except np.linalg.LinAlgError:
            step[:] = np.inf
    else:
        # with a wrong size much is left over, and how that bends counts (Newton's step): without it turns overshoot
        bent = float((slope - turned + on_turned).sum())
        step[0] = right[0] / (bent if bent > 0 else normal[0, 0])
    return step, normal[:count, :count]


@dataclass(frozen=True, eq=False)
class RigidField:
    """Displacement of a rigid motion: corrected = pose of the observed place, with pixels that need not be square.

    Attributes
    ----------
    pose : of the observed plane on the corrected one
    pixel_size : (slow, fast) metres
    """

    pose: Pose
    pixel_size: tuple[float, float]

    __repr__ = in_a_line

    def at(self, yx: AnyArray) -> Floats:
        yx = np.asarray(yx, float).reshape(-1, 2)
        return np.asarray(self.pose.corrected(edge_from_index(yx) * self.pixel_size, self.pixel_size) - yx)

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        y, x = np.asarray(y, float), np.asarray(x, float)
        grid = raster_places(y, x)
        return self.at(grid.reshape(-1, 2)).reshape(len(y), len(x), 2)


@dataclass(frozen=True, eq=False)
class _Lever:
    """Variance of a rigid motion: of the shift, and of the turn times the distance from the centre."""

    centre: Floats
    shift: float
    turn: float

    def variance(self, yx: Floats) -> Floats:
        """(N, 2) px²."""
        off = yx - self.centre
        return np.stack([self.shift + self.turn * off[:, 1] ** 2, self.shift + self.turn * off[:, 0] ** 2], axis=1)


@dataclass(frozen=True)
class RigidBody:
    """Shift and turn only: one module of a detector whose pixels are a perfect raster."""

    limit: float = 5.0
    name: str = "rigid"

    def fit(self, sample: Sample) -> FieldFit:
        """Robust least squares of the motion; rotation in metres, so that pixels may be oblong."""
        observed = edge_from_index(sample.yx) * sample.pixel_size
        used, nugget = sample.used.copy(), 0.0
        for _ in range(8):
            variance = (sample.sigma**2).mean(axis=1) + nugget**2
            w = np.where(used, 1 / variance, 0.0)
            found = place(observed, sample.yx + sample.d, weights=w, pixel_size=sample.pixel_size)
            field = RigidField(found.pose, sample.pixel_size)
            residual = field.at(sample.yx) - sample.d
            centre = np.average(sample.yx, axis=0, weights=w)
            lever = _Lever(centre, float(found.covariance[3, 3]), float(found.covariance[0, 0]))
            leverage = np.clip(lever.variance(sample.yx) * w[:, None], 0.0, 1 - 1e-9)
            z = residual / np.sqrt(variance[:, None] * np.where(used[:, None], 1 - leverage, 1.0))
            size = np.sqrt((z**2).mean(axis=1))
            typical = max(1.0, float(np.median(size[used])) / 0.83)
            before, old = used, nugget
            used = sample.used & ~(size > self.limit * typical)
            square = float((residual[used] ** 2).mean() * used.sum() / max(used.sum() - 1.5, 1.0))
            nugget = float(np.sqrt(max(square - (sample.sigma[used] ** 2).mean(), 0.0)))
            if np.array_equal(used, before) and abs(nugget - old) < 0.02 * (old + 1e-4):
                break
        return FieldFit(
            name=self.name,
            field=field,
            residual=residual,
            held_out=residual / (1 - leverage),
            used=before,
            z=z,
            leverage=leverage,
            uncertainty=lever,
            nugget=old,
            freedom=1.5,
            sigma=sample.sigma,
        )
