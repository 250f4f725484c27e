"""From control points to a distortion: the plate is the truth, its placement is free, the rest belongs to the detector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ._typing import AnyArray, Bools, Floats
from .distortion import Distortion
from .errors import FittingError, UsageError
from .field import Field
from .fit import DistortionFit, TrialScore
from .gauge import Gauge, best_gauge, gauge_point, gauge_words
from .neighbours import gross_outliers, scatter_of_neighbours
from .plate import Plate
from .points import ControlPoints
from .recipe import FieldFit, Recipe, Sample
from .rigid import Placement, place
from .smoothing import BSpline
from .support import Support, support_of

__all__ = ["MODELS", "fit_distortion"]

Progress = Callable[[float, str], None]

#: Fewest control points that are worth a fit.
FEWEST_POINTS = 9

MODELS: dict[str, Callable[[], Recipe]] = {"spline": BSpline}


def fit_distortion(
    points: ControlPoints | Sequence[ControlPoints],
    *,
    plate: Plate,
    shape: tuple[int, int],
    mask: AnyArray | None = None,
    pixel_size: tuple[float, float] | float | None = None,
    model: str = "auto",
    gauge: Gauge = "least displacement",
    max_sigma: float | None = None,
    labels: AnyArray | None = None,
    hole_px: float | None = None,
    progress: Progress | None = None,
) -> DistortionFit:
    """Find the distortion of a detector from control points.

    The plate is taken for true: the only freedom of its image is a rigid motion. Everything else, shear included, is distortion of the
    detector. Without `pixel_size`, the pixel size is the one that makes the displacement smallest.

    Parameters
    ----------
    points : control points of one exposure, or of several exposures of one plate
    plate : the plate
    shape : (slow, fast) pixels of the detector
    mask : (slow, fast), True = ignore this pixel
    pixel_size : (slow, fast) or one number, metres; the displacement is relative to it
    model : "auto", or one of the recipes
    gauge : "least displacement", "centre", or the pixel (y, x) that stays in place
    max_sigma : uncertainty beyond which pixels are masked, px; 0.1 px when omitted (more when the spots are poor)
    labels : (slow, fast) tile of each pixel
    hole_px : diameter of the image of a hole, px: corrects for the field's bending within a hole
    progress : called with (fraction, what is going on)

    Raises
    ------
    FittingError
        Fewer than nine points, or all on one line, or mirrored indices.
    UsageError
        A model, a gauge, a shape or a mask that cannot be.
    """
    exposures = (points,) if isinstance(points, ControlPoints) else tuple(points)
    shape = (int(shape[0]), int(shape[1]))
    task = _Task(
        plate,
        shape,
        _mask(mask, shape),
        _pixel(pixel_size),
        gauge,
        max_sigma,
        progress or (lambda _fraction, _what: None),
    )
    gauge_point(gauge, shape)
    if len(exposures) != 1:
        raise NotImplementedError("several exposures")
    return _one_exposure(task, exposures[0], model)


@dataclass(frozen=True, eq=False)
class _Task:
    """What was asked for, checked."""

    plate: Plate
    shape: tuple[int, int]
    mask: Bools | None
    pixel_size: tuple[float, float] | None
    gauge: Gauge
    max_sigma: float | None
    progress: Progress


def _mask(mask: AnyArray | None, shape: tuple[int, int]) -> Bools | None:
    if mask is None:
        return None
    if np.shape(mask) != shape:
        raise UsageError(f"a mask of shape {np.shape(mask)}", expected=f"{shape} as the detector")
    return np.asarray(mask, dtype=bool)


def _pixel(pixel_size: tuple[float, float] | float | None) -> tuple[float, float] | None:
    if pixel_size is None:
        return None
    size = np.broadcast_to(np.asarray(pixel_size, dtype=float), (2,))
    if not (np.isfinite(size).all() and (size > 0).all()):
        raise UsageError(f"pixel size of {pixel_size} m", expected="one or two positive lengths in metres")
    return float(size[0]), float(size[1])


def _one_exposure(task: _Task, points: ControlPoints, model: str) -> DistortionFit:
    if len(points) < FEWEST_POINTS:
        raise FittingError(f"{len(points)} control points", expected=f"at least {FEWEST_POINTS}")
    plate, notes = _handed(task.plate, points)
    positions = plate.positions(points.ij)
    start = place(positions, points.yx, pixel_size=task.pixel_size)
    node = start.pose.corrected(positions, start.pixel_size)
    sample = _sample(points, node - points.yx, task.shape)
    task.progress(0.1, "fitting the field")
    fit = BSpline().fit(sample)
    task.progress(0.7, "uncertainty")
    return _finish(task, plate, points, sample, fit, start, tuple(notes))


def _handed(plate: Plate, points: ControlPoints) -> tuple[Plate, list[str]]:
    """The plate with the angle between its axes as the indices count them: an oblique lattice turned by 90 degrees shows 180 - angle."""
    if abs(plate.angle_deg - 90) < 1:
        return plate, []
    other = replace(plate, angle_deg=180 - plate.angle_deg)
    shears = [_shear(p.basis, points.basis_px) for p in (plate, other)]
    if shears[1] < 0.5 * shears[0]:
        return other, [f"the axes of the indices meet at {other.angle_deg:g} degrees in this image"]
    return plate, []


def _shear(basis_m: Floats, basis_px: Floats) -> float:
    """How far the map from plate to pixels is from a similarity, 0 for none."""
    m = np.linalg.solve(basis_m, basis_px)
    s = np.linalg.svd(m, compute_uv=False)
    return float(np.log(s[0] / s[1])) + (100.0 if np.linalg.det(m) < 0 else 0.0)


def _sample(points: ControlPoints, d: Floats, shape: tuple[int, int]) -> Sample:
    """Displacements with a first opinion on outliers and scatter."""
    spacing = float(np.sqrt(abs(np.linalg.det(points.basis_px))))
    used = np.isfinite(d).all(axis=1) & np.isfinite(points.sigma_yx).all(axis=1) & (points.sigma_yx > 0).all(axis=1)
    wrong = gross_outliers(points.yx, points.ij, d, least=0.03 * spacing)
    scatter = scatter_of_neighbours(points.ij[used & ~wrong], d[used & ~wrong])
    sigma = np.where(used[:, None], points.sigma_yx, 1.0)
    nugget = float(np.sqrt(max(scatter**2 - np.median(sigma) ** 2, 0.0))) if np.isfinite(scatter) else 0.1 * spacing
    return Sample(points.yx, np.where(used[:, None], d, 0.0), sigma, shape, spacing, used & ~wrong, 1.3 * nugget)


def _finish(
    task: _Task,
    plate: Plate,
    points: ControlPoints,
    sample: Sample,
    fit: FieldFit,
    start: Placement,
    notes: tuple[str, ...],
) -> DistortionFit:
    """Mask, gauge and bookkeeping."""
    support = support_of(fit, sample)
    limit = support.default_limit() if task.max_sigma is None else task.max_sigma
    unknown = support.unknown(task.shape, limit)
    fold = _folds(fit.field, task.shape)
    unknown |= fold
    if fold.any():
        notes = (*notes, "masked where the field folds over")
    if task.mask is not None:
        unknown |= task.mask
    if unknown.all():
        raise FittingError(
            "the control points determine the displacement of no pixel", hint="more or better spots are needed"
        )
    change = best_gauge(
        fit.field,
        _valid_nodes(support, unknown),
        start.pixel_size,
        gauge=task.gauge,
        shape=task.shape,
        nominal=task.pixel_size is not None,
    )
    variance = np.maximum((sample.sigma**2).mean(axis=1) + fit.nugget**2, 1e-12)
    free = place(plate.positions(points.ij)[fit.used], points.yx[fit.used], weights=1 / variance[fit.used])
    distortion = Distortion(
        change.field(fit.field),
        task.shape,
        change.new,
        unknown,
        support.field,
        gauge_words(task.gauge, task.shape, nominal=task.pixel_size is not None),
    )
    return DistortionFit(
        distortion=distortion,
        plate=plate,
        points=(points,),
        poses=(change.pose(start.pose),),
        residual_yx=(fit.residual @ change.matrix.T,),
        held_out_yx=(fit.held_out @ change.matrix.T,),
        used=(fit.used,),
        plate_sigma_px=fit.nugget,
        pixel_sigma_m=(0.0, 0.0) if task.pixel_size is not None else free.pixel_sigma_m,
        trials=(TrialScore(fit.name, fit.held_out_px, True, fit.curve, fit.note),),
        notes=notes,
    )


def _folds(field: Field, shape: tuple[int, int], step: int = 8) -> Bools:
    """Pixels near which the Jacobian of the correction is not positive."""
    sign = Distortion(field, shape, (1.0, 1.0)).jacobian_sign(step) <= 0
    if not sign.any():
        return np.zeros(shape, dtype=bool)
    return np.repeat(np.repeat(sign, step, axis=0), step, axis=1)[: shape[0], : shape[1]]


def _valid_nodes(support: Support, unknown: Bools) -> Floats:
    """Nodes of the raster on valid pixels, (N, 2) px."""
    y, x = np.rint(support.y).astype(int), np.rint(support.x).astype(int)
    valid = ~unknown[np.ix_(y, x)]
    if valid.sum() < 3:
        rows, columns = np.nonzero(~unknown)
        return np.stack([rows, columns], axis=1).astype(float)
    gy, gx = np.meshgrid(support.y, support.x, indexing="ij")
    return np.stack([gy[valid], gx[valid]], axis=1)
