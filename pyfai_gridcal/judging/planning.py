"""How well would a calibration know the detector? Predicted before a plate is bought or an image is taken.

The same normal equations as in a real fit, for a plate laid on a detector whose distortion is only known by its size: a
random field of `amplitude_px` (rms) and correlation length `length_px`, sigma of the spots from the counting
statistics.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import factorial

import numpy as np

from ..base.arrays import Bools, Floats, in_a_line
from ..base.errors import UsageError
from ..base.frames import edge_from_index, raster_places
from ..base.geometry import as_pair, hull_of, turn_matrix, within_hull
from ..base.robust import rms
from ..base.threads import one_blas_thread
from ..fitting.plates.joint import Exposure, JointProblem
from ..fitting.plates.uncertainty import joint_uncertainty
from ..fitting.recipe import Uncertainty
from ..fitting.spline.basis import Axis, uniform_axes
from ..fitting.spline.problem import SplineProblem
from ..records.budget import PlateBudget, PlateErrors
from ..records.field import SampledField
from ..records.fit import Pose
from ..records.plate import Plate

__all__ = ["Illumination", "Plan", "plan", "spot_sigma"]

#: Degree of the splines and order of the derivatives that are to be small, as in the fit of a spline.
_DEGREE = 4
_ORDER = 4
#: As far apart as this part of a cell, fewer holes that are each known better tell as much of a smooth field.
_HOLES_PER_CELL = 0.7
#: Fewest holes that a calibration can be made with.
_FEWEST = 9


@dataclass(frozen=True)
class Illumination:
    """What an exposure shows.

    Attributes
    ----------
    peak : counts in the middle of a hole above the background
    background : counts beside it
    readout : rms noise without light, counts
    gain : variance per count (1 for photon counting)
    blur_px : standard deviation of the blur, px
    """

    peak: float = 5000.0
    background: float = 500.0
    readout: float = 5.0
    gain: float = 1.0
    blur_px: float = 1.0


@dataclass(frozen=True, eq=False)
class Plan:
    """What is to be expected.

    Attributes
    ----------
    sigma : standard uncertainty of (dy, dx) over the detector, px
    inside : (ny, nx) of its nodes, within the view of the holes
    spots : number of holes seen by one exposure
    spot_sigma_px : uncertainty of one coordinate of a spot
    hole_px : diameter of a hole
    plate_px : what tilt, pitch and temperature of the plate add where the holes are, rms per axis
    """

    sigma: SampledField
    inside: Bools
    spots: int
    spot_sigma_px: float
    hole_px: float
    plate_px: float = 0.0

    __repr__ = in_a_line

    @property
    def rms_px(self) -> float:
        """Root mean square uncertainty per axis where the holes are, px."""
        return float(np.sqrt((self.sigma.values[self.inside] ** 2).mean()))

    @property
    def with_plate_px(self) -> float:
        """The same with what the plate adds, px."""
        return float(np.hypot(self.rms_px, self.plate_px))

    @property
    def worst_px(self) -> float:
        """Largest uncertainty of a coordinate where the holes are, px."""
        return float(self.sigma.values[self.inside].max())

    def coverage(self, limit_px: float = 0.1) -> float:
        """Share of the detector known better than a limit."""
        return float((self.sigma.values.max(axis=2) <= limit_px).mean())


def spot_sigma(hole_px: float, light: Illumination) -> float:
    """Smallest possible uncertainty (Cramér-Rao) of one coordinate of a spot, px.

    Parameters
    ----------
    hole_px : diameter of the image of a hole
    light : counts and blur
    """
    from scipy.ndimage import gaussian_filter

    over = 5
    half = int(np.ceil(hole_px / 2 + 4 * light.blur_px)) + 1
    at = (np.arange(-half * over, half * over) + 0.5) / over
    inside = (np.hypot(at[:, None], at[None, :]) <= hole_px / 2).astype(float)
    fine = light.peak * gaussian_filter(inside, light.blur_px * over)
    pixels = fine.reshape(2 * half, over, 2 * half, over).mean(axis=(1, 3))
    slope = np.gradient(fine, 1 / over, axis=1).reshape(2 * half, over, 2 * half, over).mean(axis=(1, 3))
    variance = light.readout**2 + light.gain * (light.background + pixels)
    information = float((slope**2 / variance).sum())
    return float(1 / np.sqrt(information)) if information > 0 else float("inf")


def plan(
    plate: Plate,
    shape: tuple[int, int],
    *,
    pixel_size: tuple[float, float] | float,
    light: Illumination | None = None,
    sigma_px: float | None = None,
    plate_error_m: float = 0.0,
    exposures: int = 1,
    angle_deg: float = 1.0,
    amplitude_px: float = 10.0,
    length_px: float | None = None,
    nodes: int = 48,
    budget: PlateBudget | None = None,
) -> Plan:
    """Predict the uncertainty of a calibration.

    Parameters
    ----------
    plate : pitch and diameter of the holes
    shape : (slow, fast) pixels
    pixel_size : (slow, fast) or one number, metres
    light : counts and blur of an exposure
    sigma_px : uncertainty of a spot, in place of the one that follows from `light`
    plate_error_m : rms by which the holes are off, metres
    exposures : number of placements; from the second on the plate is turned by quarters and shifted
    angle_deg : of the plate in the first one
    amplitude_px, length_px : rms and correlation length of the distortion to be expected; a third of the detector if
        no length is given
    nodes : of the map along the longer axis
    budget : uncertainties of tilt, pitch and temperature of the plate
    """
    size = as_pair(pixel_size)
    if exposures < 1:
        raise UsageError(f"{exposures} exposures", expected="at least one")
    if sigma_px is None and plate.hole_m is None:
        raise UsageError("a plate without the diameter of its holes", hint="give hole_m, or the sigma of a spot")
    # What one hole tells.
    mean = float(np.sqrt(size[0] * size[1]))
    hole_px = (plate.hole_m or 0.0) / mean
    sigma = spot_sigma(hole_px, light or Illumination()) if sigma_px is None else float(sigma_px)
    # Where holes are seen.
    poses = [_pose(k, angle_deg, shape, size, plate) for k in range(exposures)]
    views = [_visible(plate, pose, shape, size, hole_px / 2)[0] for pose in poses]
    if len(views[0]) < _FEWEST:
        raise UsageError(f"{len(views[0])} holes in view", expected="at least 9", hint="a smaller pitch is needed")
    # What all of them tell of a field of that roughness.
    length = length_px or max(shape) / 3
    known = _solved(plate, shape, size, poses, hole_px / 2, sigma, plate_error_m / mean, amplitude_px, length)
    ay, ax = (np.linspace(0, n - 1, max(8, round(nodes * n / max(shape)))) for n in shape)
    at = raster_places(ay, ax).reshape(-1, 2)
    values = np.sqrt(known.variance(at)).reshape(len(ay), len(ax), 2)
    inside = np.logical_or.reduce([within_hull(hull_of(seen), at) for seen in views]).reshape(len(ay), len(ax))
    at = at[inside.ravel()]
    of_plate = PlateErrors.of(budget or PlateBudget(), at, shape, size).variance(at)
    return Plan(SampledField(ay, ax, values, clamp=True), inside, len(views[0]), sigma, hole_px, rms(np.sqrt(of_plate)))


def _solved(
    plate: Plate,
    shape: tuple[int, int],
    size: tuple[float, float],
    poses: list[Pose],
    radius_px: float,
    sigma: float,
    extra: float,
    amplitude: float,
    length: float,
) -> Uncertainty:
    """The normal equations of a fit to the holes in view, which are off by `extra` px."""
    spacing = float(np.sqrt(abs(np.linalg.det(plate.basis)) / (size[0] * size[1])))
    cells = int(np.clip(max(1.5 * max(shape) / max(spacing, length / 4), 12), 8, 40))
    joint = len(poses) > 1 and extra > 0
    y, x = uniform_axes((0.0, 0.0), shape, min(cells, 22) if joint else cells, _DEGREE)
    few = max(1, int(_HOLES_PER_CELL * y.step / spacing))
    coarse = replace(plate, pitch_m=(few * plate.pitch_m[0], few * plate.pitch_m[1]))
    views = [_visible(coarse, pose, shape, size, radius_px) for pose in poses]
    with one_blas_thread():
        if not joint:
            return _alone(y, x, views, float(np.hypot(sigma, extra)) / few, amplitude, length)
        ratio = float(np.sqrt(size[0] * size[1])) / np.asarray(size)
        return _together(y, x, views, poses, sigma / few, extra / few, amplitude, length, ratio)


def _pose(k: int, angle_deg: float, shape: tuple[int, int], size: tuple[float, float], plate: Plate) -> Pose:
    """Placement number k: about the middle of the detector, turned by quarters and shifted by a few pitches."""
    r = np.random.default_rng(k)
    shift = r.uniform(-3, 3, 2) @ plate.basis if k else np.zeros(2)
    middle = np.array([n / 2 * s for n, s in zip(shape, size, strict=True)])
    at = middle + shift + 0.37 * plate.basis.sum(axis=0)
    return Pose(float(np.deg2rad(angle_deg + 90 * k + (r.uniform(-10, 10) if k else 0))), (float(at[0]), float(at[1])))


def _visible(
    plate: Plate, pose: Pose, shape: tuple[int, int], size: tuple[float, float], radius_px: float
) -> tuple[Floats, Floats]:
    """Places (N, 2) px and nodes (N, 2) of the holes that are wholly in view."""
    edge = np.array([[y, x] for y in (0, shape[0]) for x in (0, shape[1])]) * size - pose.shift_m
    ij = (edge @ turn_matrix(pose.angle_rad)) @ np.linalg.inv(plate.basis)
    low, high = np.floor(ij.min(axis=0)).astype(int) - 1, np.ceil(ij.max(axis=0)).astype(int) + 1
    nodes = raster_places(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True))).reshape(-1, 2)
    at = pose.corrected(plate.positions(nodes), size)
    ok = ((edge_from_index(at) > radius_px) & (edge_from_index(at) < np.asarray(shape) - radius_px)).all(axis=1)
    return at[ok], nodes[ok]


def _roughness_of_field(amplitude: float, length: float, area: float) -> float:
    """Expected roughness of one component: with the correlation exp(-r²/2 length²), <k^2m> = m! (2 / length²)^m."""
    return area * amplitude**2 * factorial(_ORDER) * (2 / length**2) ** _ORDER


def _alone(
    y: Axis, x: Axis, views: list[tuple[Floats, Floats]], sigma: float, amplitude: float, length: float
) -> Uncertainty:
    """All points independent: the smoothness is the one that the expected roughness leads to."""
    yx = np.concatenate([v[0] for v in views])
    problem = SplineProblem(y, x, yx, np.zeros_like(yx), _ORDER)
    problem.weigh(np.full(yx.shape, 1 / sigma**2))
    rough = 2 * _roughness_of_field(amplitude, length, (y.stop - y.start) * (x.stop - x.start))
    smoothness = 10.0 / rough
    for _ in range(8):
        solution = problem.solve(smoothness)
        new = max(float(solution.leverage.sum()) - _ORDER * (_ORDER + 1), 1e-3) / rough
        if abs(np.log(new / smoothness)) < 0.1:
            break
        smoothness = new
    return solution


def _together(
    y: Axis,
    x: Axis,
    views: list[tuple[Floats, Floats]],
    poses: list[Pose],
    sigma: float,
    extra: float,
    amplitude: float,
    length: float,
    ratio: Floats,
) -> Uncertainty:
    """Several exposures of a plate whose holes are off, solved together."""
    holes, row = np.unique(np.concatenate([v[1] for v in views]), axis=0, return_inverse=True)
    rows = np.split(row.reshape(-1), np.cumsum([len(v[0]) for v in views])[:-1])
    seen = []
    for (at, _), pose, hole in zip(views, poses, rows, strict=True):
        turn = turn_matrix(pose.angle_rad) * ratio[:, None]
        noise = np.full(at.shape, sigma)
        seen.append(Exposure(at, at, noise, turn, at.mean(axis=0), hole, np.ones(len(at), dtype=bool)))
    problem = JointProblem(y, x, seen, len(holes), _ORDER)
    rough = 2 * _roughness_of_field(amplitude, length, (y.stop - y.start) * (x.stop - x.start))
    smoothness = 100.0 / rough
    for _ in range(4):
        solution = problem.solve(smoothness, extra)
        new = max(2 * solution.field_freedom - _ORDER * (_ORDER + 1), 1e-3) / rough
        if abs(np.log(new / smoothness)) < 0.2:
            break
        smoothness = new
    return joint_uncertainty(problem, solution)
