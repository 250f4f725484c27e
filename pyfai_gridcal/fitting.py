"""From control points to a distortion: the plate is the truth, its placement is free, the rest belongs to the detector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ._typing import AnyArray, Bools, Floats
from .choice import MODELS, Choice, View, choose
from .distortion import Distortion
from .errors import FittingError, UsageError
from .field import Field, TiledField
from .fit import DistortionFit
from .gauge import Gauge, best_gauge, gauge_point, gauge_words
from .plate import Plate
from .points import ControlPoints
from .recipe import FieldFit
from .rigid import place

__all__ = ["MODELS", "fit_distortion"]

Progress = Callable[[float, str], None]

#: Fewest control points that are worth a fit.
FEWEST_POINTS = 9


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
    return _one_exposure(task, exposures[0], model, labels)


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


def _one_exposure(task: _Task, points: ControlPoints, model: str, labels: AnyArray | None) -> DistortionFit:
    if len(points) < FEWEST_POINTS:
        raise FittingError(f"{len(points)} control points", expected=f"at least {FEWEST_POINTS}")
    plate, notes = _handed(task.plate, points)
    view = View(points, plate, task.shape, task.pixel_size)
    task.progress(0.1, "fitting the field")
    choice = choose(view, model=model, mask=task.mask, labels=labels, progress=task.progress)
    task.progress(0.7, "uncertainty")
    return _finish(task, view, choice, tuple(notes) + choice.notes)


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


def _finish(task: _Task, view: View, choice: Choice, notes: tuple[str, ...]) -> DistortionFit:
    """Mask, gauge and bookkeeping."""
    fit, support, start = choice.fit, choice.support, choice.start
    limit = support.default_limit() if task.max_sigma is None else task.max_sigma
    unknown = support.unknown(task.shape, limit) | choice.strips
    fold = _folds(fit.field, task.shape)
    unknown |= fold
    if fold.any():
        notes = (*notes, "masked where the field folds over")
    if task.mask is not None:
        unknown |= task.mask
    valid = _some_valid(unknown)
    if len(valid) < 3:
        raise FittingError(
            "the control points determine the displacement of no pixel", hint="more or better spots are needed"
        )
    nominal = task.pixel_size is not None
    change = best_gauge(
        fit.field, valid, start.pixel_size, gauge=task.gauge, shape=task.shape, nominal=nominal or choice.rigid
    )
    distortion = Distortion(
        change.field(fit.field),
        task.shape,
        change.new,
        unknown,
        support.field,
        gauge_words(task.gauge, task.shape, nominal=nominal),
    )
    return DistortionFit(
        distortion=distortion,
        plate=view.plate,
        points=(view.points,),
        poses=(change.pose(start.pose),),
        residual_yx=(fit.residual @ change.matrix.T,),
        held_out_yx=(fit.held_out @ change.matrix.T,),
        used=(fit.used,),
        plate_sigma_px=fit.nugget,
        pixel_sigma_m=(0.0, 0.0) if nominal else _pixel_sigma(view, fit),
        trials=choice.trials,
        notes=notes,
    )


def _pixel_sigma(view: View, fit: FieldFit) -> tuple[float, float]:
    """Uncertainty of the pixel size, metres, from the scatter of the points."""
    variance = np.maximum((view.points.sigma_yx**2).mean(axis=1) + fit.nugget**2, 1e-12)
    weights = np.where(fit.used, 1 / variance, 0.0)
    return place(view.positions, view.points.yx, weights=weights).pixel_sigma_m


def _folds(field: Field, shape: tuple[int, int], step: int = 8) -> Bools:
    """Pixels near which the Jacobian of the correction is not positive; steps between tiles do not count."""
    sign = Distortion(field, shape, (1.0, 1.0)).jacobian_sign(step) <= 0
    if sign.any() and isinstance(field, TiledField):
        rows, columns = (np.append(np.arange(0, n - 1, step), n - 1) for n in shape)
        corner = field.labels[np.ix_(rows, columns)]
        one = (corner[:-1, :-1] == corner[1:, 1:]) & (corner[1:, :-1] == corner[:-1, 1:])
        sign &= one & (corner[:-1, :-1] == corner[1:, :-1])
    if not sign.any():
        return np.zeros(shape, dtype=bool)
    return np.repeat(np.repeat(sign, step, axis=0), step, axis=1)[: shape[0], : shape[1]]


def _some_valid(unknown: Bools, most: int = 100) -> Floats:
    """Valid pixels on a coarse raster, (N, 2) px; all of them where few are valid."""
    step = max(1, max(unknown.shape) // most)
    at = np.argwhere(~unknown[::step, ::step]) * step
    return (at if len(at) >= 100 else np.argwhere(~unknown)).astype(float)
