"""From control points to a distortion.

The plate is the truth, its placement is free, the rest belongs to the detector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..base.arrays import AnyArray, Bools, Floats
from ..base.errors import FittingError, UsageError
from ..base.geometry import as_pair
from ..base.progress import Progress, untold
from ..base.threads import one_blas_thread
from ..base.units import Lengths, as_lengths, as_positions
from ..records.budget import PlateBudget
from ..records.distortion import Distortion, Gauge
from ..records.field import Field, TiledField
from ..records.fit import DistortionFit, Pose, TrialScore
from ..records.plate import Plate, with_errors, without_errors
from ..records.points import ControlPoints
from .choice import Choice, choose
from .gauge import best_gauge, gauge_point, gauge_words
from .plates.beside import MakeWitness
from .plates.exposures import fit_exposures
from .plates.ordered import ordered_errors
from .plates.positions import Positions, positions_of
from .plates.registration import located
from .prior import updated
from .rigid import Placement, place
from .spline.recipe import BSpline
from .support import support_of
from .view import PlateView

__all__ = ["fit_distortion", "folded_pixels"]

#: Fewest control points that are worth a fit: three by three.
FEWEST_POINTS = 9


@one_blas_thread()
def fit_distortion(
    points: ControlPoints | Sequence[ControlPoints],
    *,
    plate: Plate,
    shape: tuple[int, int],
    mask: AnyArray | None = None,
    pixel_size: Lengths | None = None,
    model: str = "auto",
    gauge: Gauge = "least displacement",
    max_sigma: float | None = None,
    labels: AnyArray | None = None,
    positions: AnyArray | Sequence[tuple[float, float]] | str | None = None,
    hole_diameter_px: float = 0.0,
    prior: Distortion | None = None,
    budget: PlateBudget | None = None,
    witness: MakeWitness | None = None,
    progress: Progress | None = None,
) -> DistortionFit:
    """Find the distortion of a detector from control points.

    The plate is taken for true: the only freedom of its image is a rigid motion. Everything else, shear included, is
    distortion of the detector. Without `pixel_size`, the pixel size is the one that makes the displacement smallest.

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
    positions : (E, 2) where motors had the plate in each of several exposures, (slow, fast) metres: a weak prior of a
        twentieth of the pitch, and the numbers of holes whose errors are too small to tell them
    hole_diameter_px : diameter of the image of a hole, px; tells how near to holes a seam between tiles may pass
    prior : older calibration of the same detector, of which only the change is fitted
    budget : what is known of the tilt of the plate: several exposures before a source tell by how much they differ
    witness : of the same field, besides the plate, such as powder rings
    progress : called with (fraction, what is going on)

    Raises
    ------
    FittingError
        Fewer than nine points, or all on one line, or mirrored indices; a prior of another detector.
    UsageError
        A model, a gauge, a shape or a mask that cannot be.

    References
    ----------
    .. [1] S. N. Wood, M. Fasiolo, Biometrics 73 (2017) 1071, doi:10.1111/biom.12666

    Examples
    --------
    >>> import numpy as np
    >>> from pyfai_gridcal import Plate, Spots, fit_distortion, index_spots
    >>> y, x = np.meshgrid(np.arange(10.0, 150, 20), np.arange(12.0, 250, 25), indexing="ij")
    >>> yx = np.column_stack([y.ravel(), (x + 2 * np.sin(y / 40)).ravel()])
    >>> yx += np.random.default_rng(1).normal(0, 0.05, yx.shape)
    >>> fit = fit_distortion(index_spots(Spots.from_positions(yx)), plate=Plate("1mm,1.25mm"), shape=(160, 260))
    >>> fit.distortion.shape, fit.residual_px < 0.1
    ((160, 260), True)
    """
    # what cannot be is said before anything is fitted
    if not isinstance(plate, Plate):
        raise UsageError(f"plate={plate!r}", expected='a Plate, such as Plate("1mm")')
    if np.shape(shape) != (2,):
        raise UsageError(f"shape={shape!r}", expected="pixels (slow, fast)")
    shape = (int(shape[0]), int(shape[1]))
    exposures = _exposures(points)
    task = _Task(
        plate,
        shape,
        _mask(mask, shape),
        _pixel(pixel_size),
        gauge,
        max_sigma,
        progress or untold,
        hole_diameter_px,
        prior,
    )
    if prior is not None and (len(exposures) > 1 or model != "auto" or labels is not None):
        raise UsageError(f"a prior for {len(exposures)} exposures and the model {model!r}", expected="one, and 'auto'")
    gauge_point(gauge, shape)
    if isinstance(positions, str):
        positions = as_positions(positions)
    where = positions_of(positions, len(exposures), plate)
    if len(exposures) == 1 and witness is None:
        return _one_exposure(task, exposures[0], model, labels)
    if witness is None and (model not in ("auto", "spline") or labels is not None):
        raise UsageError(f"model {model!r} for {len(exposures)} exposures", expected="'auto' or 'spline'")
    return _several_exposures(task, exposures, where, budget, witness)


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
    hole_diameter_px: float
    prior: Distortion | None = None


def _exposures(points: ControlPoints | Sequence[ControlPoints]) -> tuple[ControlPoints, ...]:
    """The control points of each exposure, enough of each."""
    exposures = tuple(points) if isinstance(points, list | tuple) else (points,)
    if not exposures or not all(isinstance(each, ControlPoints) for each in exposures):
        raise UsageError("no control points", expected="those of one or more exposures, as index_spots gives them")
    for k, each in enumerate(exposures):
        if len(each) < FEWEST_POINTS:
            of = f" in exposure {k + 1}" if len(exposures) > 1 else ""
            raise FittingError(f"{len(each)} control points{of}", expected=f"at least {FEWEST_POINTS}")
    return exposures


def _mask(mask: AnyArray | None, shape: tuple[int, int]) -> Bools | None:
    if mask is None:
        return None
    if np.shape(mask) != shape:
        raise UsageError(f"a mask of shape {np.shape(mask)}", expected=f"{shape} as the detector")
    return np.asarray(mask, dtype=bool)


def _pixel(pixel_size: Lengths | None) -> tuple[float, float] | None:
    if pixel_size is None:
        return None
    return as_pair(as_lengths(pixel_size, name="pixel size"))


def _one_exposure(task: _Task, points: ControlPoints, model: str, labels: AnyArray | None) -> DistortionFit:
    plate, notes = _handed(task.plate, points)
    view, on_map = _on_map(PlateView(points, plate, task.shape, task.pixel_size))
    task.progress(0.1, "fitting the field")
    if task.prior is not None:
        choice = updated(view, task.prior)
        # its pixel size is kept: a change of scale is a change of the field
        task = replace(task, pixel_size=task.prior.pixel_size)
        return _finish(task, (view,), (choice.start.pose,), choice, (*notes, *on_map, *choice.notes))
    choice = choose(
        view, model=model, mask=task.mask, labels=labels, hole_diameter_px=task.hole_diameter_px, progress=task.progress
    )
    task.progress(0.7, "uncertainty")
    return _finish(task, (view,), (choice.start.pose,), choice, (*notes, *on_map, *choice.notes))


def _on_map(view: PlateView) -> tuple[PlateView, tuple[str, ...]]:
    """The exposure in the numbering of the map of its plate, if there is one."""
    if view.plate.error_ij is None:
        return view, ()
    parts = ordered_errors(view.plate)
    ideal = replace(view, plate=without_errors(view.plate))
    start, sample = ideal.placed()
    found = located(view.points.ij, view.plate, start, BSpline().fit(sample))
    if found is None:
        lost = "the exposure was not found on the map of the plate: its known errors are not used"
        if parts is None or not parts.longer:
            return ideal, (lost,)
        # which way a plate lies does not matter for its mean pitch
        return replace(ideal, plate=ideal.plate.scaled(1 + parts.scale)), (f"{lost}, but for its mean pitch",)
    points = view.points.reindexed(found.matrix, found.offset)
    note = f"found on the map of the plate by {found.shared} holes ({found.significance:.0f} sigma)"
    return replace(view, points=points), (note, *([] if parts is None else [parts.words()]))


def _several_exposures(
    task: _Task,
    exposures: Sequence[ControlPoints],
    positions: Positions | None,
    budget: PlateBudget | None,
    witness: MakeWitness | None,
) -> DistortionFit:
    handed = [_handed(task.plate, p) for p in exposures]
    views = [PlateView(p, h[0], task.shape, task.pixel_size) for p, h in zip(exposures, handed, strict=True)]
    joint = fit_exposures(views, positions=positions, budget=budget, witness=witness, progress=task.progress)
    fit = joint.fit
    start = Placement(joint.poses[0], joint.pixel_size, np.zeros((5, 5)))
    trial = TrialScore(fit.name, fit.held_out_px, True, note=fit.note)
    choice = Choice(fit, support_of(fit, joint.sample), start, (trial,), np.zeros(task.shape, dtype=bool))
    notes = (*dict.fromkeys(n for h in handed for n in h[1]), *joint.notes)
    done = _finish(task, joint.views, joint.poses, choice, notes)
    done = replace(done, distortion=replace(done.distortion, depth=joint.depth))
    on_plate = joint.on_plate
    plate = with_errors(
        views[0].plate, joint.hole_ij[on_plate], joint.error_yx[on_plate], joint.error_sigma_yx[on_plate]
    )
    parts = ordered_errors(plate)
    return replace(done, plate=plate, notes=done.notes if parts is None else (*done.notes, parts.words()))


def _handed(plate: Plate, points: ControlPoints) -> tuple[Plate, list[str]]:
    """The plate with the angle between its axes as the indices count them.

    An oblique lattice turned by 90 degrees shows 180 - angle.
    """
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


def _finish(
    task: _Task, views: Sequence[PlateView], poses: Sequence[Pose], choice: Choice, notes: tuple[str, ...]
) -> DistortionFit:
    """Mask, gauge and bookkeeping."""
    # what is not known well enough, or folds over, or is masked anyway, is masked
    fit, support, size = choice.fit, choice.support, choice.start.pixel_size
    limit, outside = support.default_limits() if task.max_sigma is None else (task.max_sigma, task.max_sigma)
    unknown = support.unknown(task.shape, limit, outside=outside) | choice.strips
    fold = folded_pixels(fit.field, task.shape)
    unknown |= fold
    if fold.any():
        notes = (*notes, "masked where the field is not one-to-one")
    if task.mask is not None:
        unknown |= task.mask
    valid = some_valid(unknown)
    if len(valid) < 3:
        raise FittingError(
            "the control points determine the displacement of no pixel", hint="more or better spots are needed"
        )
    # of all rigid motions the one that the gauge asks for, over the pixels that are left
    nominal = task.pixel_size is not None
    change = best_gauge(fit.field, valid, size, gauge=task.gauge, shape=task.shape, nominal=nominal or choice.rigid)
    distortion = Distortion(
        change.field(fit.field),
        task.shape,
        change.new,
        unknown,
        support.field,
        gauge_words(task.gauge, task.shape, nominal=nominal),
    )
    # residuals turn with the frame; each exposure gets its own back
    cuts = np.cumsum([len(v.points) for v in views])[:-1]
    return DistortionFit(
        distortion=distortion,
        plate=views[0].plate,
        points=tuple(v.points for v in views),
        poses=tuple(change.pose(p) for p in poses),
        residual_yx=tuple(np.split(fit.residual @ change.matrix.T, cuts)),
        held_out_yx=tuple(np.split(fit.held_out @ change.matrix.T, cuts)),
        used=tuple(np.split(fit.used, cuts)),
        plate_sigma_px=fit.nugget,
        pixel_sigma_m=(0.0, 0.0) if nominal else _pixel_sigma(views, fit.used, fit.nugget),
        trials=choice.trials,
        notes=notes,
    )


def _pixel_sigma(views: Sequence[PlateView], used: Bools, nugget: float) -> tuple[float, float]:
    """Uncertainty of the pixel size, metres, from the scatter of the points of the exposure that tells most."""
    best = (np.inf, np.inf)
    cuts = np.cumsum([len(v.points) for v in views])[:-1]
    for view, good in zip(views, np.split(used, cuts), strict=True):
        variance = np.maximum((view.points.sigma_yx**2).mean(axis=1) + nugget**2, 1e-12)
        if good.sum() >= 3:
            found = place(view.positions, view.points.yx, weights=np.where(good, 1 / variance, 0.0))
            best = min(best, found.pixel_sigma_m)
    return best


def folded_pixels(field: Field, shape: tuple[int, int], step: int = 8) -> Bools:
    """Pixels near which the Jacobian of the correction is not positive; steps between tiles do not count."""
    sign = Distortion(field, shape, (1.0, 1.0)).jacobian_sign(step) <= 0
    if sign.any() and isinstance(field, TiledField):
        rows, columns = (np.append(np.arange(0, n - 1, step), n - 1) for n in shape)
        corner = field.labels[np.ix_(rows, columns)]
        one = (corner[:-1, :-1] == corner[1:, 1:]) & (corner[1:, :-1] == corner[:-1, 1:])
        sign &= one & (corner[:-1, :-1] == corner[1:, :-1])
    if not sign.any():
        return np.zeros(shape, dtype=bool)
    out = np.repeat(np.repeat(sign, step, axis=0), step, axis=1)[: shape[0], : shape[1]]
    # the last pixel lies on the rim of the last cell, in none where the cells come out even
    return np.pad(out, [(0, n - m) for n, m in zip(shape, out.shape, strict=True)], mode="edge")


def some_valid(unknown: Bools, most: int = 100) -> Floats:
    """Valid pixels on a coarse raster, (N, 2) px; all of them where few are valid."""
    step = max(1, max(unknown.shape) // most)
    at = np.argwhere(~unknown[::step, ::step]) * step
    return (at if len(at) >= 100 else np.argwhere(~unknown)).astype(float)
