"""A detector by powder rings alone: geometries of all images, and modules or a smooth field, in one solution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..base.arrays import Bools, Floats
from ..base.errors import FittingError, UsageError
from ..base.progress import Progress, untold
from ..base.robust import rms
from ..base.threads import one_blas_thread
from ..fitting.fitting import some_valid
from ..fitting.gauge import best_gauge, gauge_words
from ..fitting.plates.joint import JointProblem
from ..fitting.spline.basis import Axis, uniform_axes
from ..fitting.support import MAX_SIGMA_PX
from ..fitting.tiles.seams import labels_of_mask
from ..io.nexus.groups import no_displacement
from ..records.distortion import Distortion, Gauge
from .geometry import NAMES, best_geometry, numbers_of, places_of
from .knowledge import ORDER, Knowledge
from .points import RingPoints, require_rings
from .record import RingCalibration
from .witness import RingWitness, centres_of, mean_bend

#: Intervals of a smooth field along the longer axis, degree of its pieces; to begin with, a smoothness that lets fields
#: bend by a pixel over some hundred.
_CELLS, _DEGREE, _SMOOTHNESS = 14, 3, 1e8
#: Fields have six mean second derivatives (two components, yy, yx, xx), taken to be of one size. Rings tell four well.
#: Two are inversions, which make circles of circles and go with tilts and distances: that they are as large as the
#: others is all that is known of them. The mean of a variance by n values is their sum of squares over n - 2.
_BENDS = 6 - 2
#: What is held, in parts of a distance.
_HELD = 1e-8
#: Rounds, at most, until nothing moves by more than this, px.
_ROUNDS, _STILL = 25, 2e-4
#: Parts of the rings, by ring and azimuth, left out one after the other; and the sectors, degrees.
_FOLDS, _SECTOR = 5, 30.0


def fit_rings(
    images: Sequence[RingPoints],
    *,
    shape: tuple[int, int],
    pixel_size: tuple[float, float],
    mask: Bools | None = None,
    modules: bool | None = None,
    smooth: bool | None = None,
    depths: bool = False,
    distances: tuple[Sequence[float], float] | None = None,
    gauge: Gauge = "least displacement",
    max_sigma: float | None = None,
    progress: Progress | None = None,
) -> RingCalibration:
    """Find modules, or a smooth field, or both, and the geometries, by the points of rings.

    Parameters
    ----------
    images : points of rings of each image
    shape : (slow, fast) pixels
    pixel_size : (slow, fast) metres
    mask : (ny, nx) True = no pixel; its gaps separate modules
    modules : whether modules move; None: where the mask has gaps
    smooth : whether there is a smooth field; None: where there are no modules
    depths : whether modules are out of the plane and tilted too
    distances : of all images by a motor, metres, of which only the steps count, and their uncertainty
    gauge : what fixes the corrected frame
    max_sigma : uncertainty beyond which pixels are masked, px

    Raises
    ------
    FittingError
        Points that are not on the rings that they say, or determine no pixel.
    UsageError
        Modules without gaps, or distances that are not one for each image.

    Notes
    -----
    What no point tells (where the whole detector is, how it is turned; without steps of the distance its scale) is
    fixed by the least displacement, and listed.
    """
    say = progress or untold
    plain = Distortion(no_displacement(shape), shape, pixel_size)
    for one in images:
        require_rings(one, plain)
    witness = witness_of(
        images, shape, pixel_size, mask=mask, modules=modules, smooth=smooth, depths=depths, distances=distances
    )
    before = [best_geometry(places_of(plain, p.yx), p.two_theta, numbers_of(p.geometry)) for p in images]
    off = [p.off_px(plain, g) for p, g in zip(images, before, strict=True)]
    witness = _begun(witness, before, off)
    y, x = uniform_axes((0.0, 0.0), shape, _CELLS if witness.smooth else 2, _DEGREE)
    witness, smoothness, covariance = _solved(witness, y, x, say)
    say(0.8, "leaving parts of the rings out")
    held_out = _held_out(witness, y, x, smoothness)
    say(0.95, "uncertainty")
    known = Knowledge(witness, y, x, shape, smoothness, covariance)
    return _result(known, off, held_out, mask=mask, gauge=gauge, max_sigma=max_sigma)


def witness_of(
    images: Sequence[RingPoints],
    shape: tuple[int, int],
    pixel_size: tuple[float, float],
    *,
    mask: Bools | None = None,
    modules: bool | None = None,
    smooth: bool | None = None,
    depths: bool = False,
    distances: tuple[Sequence[float], float] | None = None,
) -> RingWitness:
    """Rings before anything is known but where they are; see :func:`fit_rings`."""
    labels = None
    if modules is not False and mask is not None:
        found = labels_of_mask(mask)
        labels = np.where(mask, -1, found) if found.max() > 0 else None
    if labels is None and (modules or depths):
        raise UsageError("modules of a detector without gaps", expected="a mask, or --detector, that separates them")
    if distances is not None and len(distances[0]) != len(images):
        raise UsageError(f"{len(distances[0])} distances for {len(images)} images of rings", expected="one for each")
    centres = centres_of(labels)
    count, many = len(centres), len(images)
    steps = None if distances is None else (np.array(distances[0]), (np.eye(many) - 1 / many) / distances[1] ** 2)
    return RingWitness(
        images=tuple(images),
        geometry=np.array([numbers_of(p.geometry) for p in images]),
        pixel_size=pixel_size,
        present=no_displacement(shape),
        labels=labels,
        centres=centres,
        further=np.zeros(3 * count),
        depth=np.zeros(3 * count if depths else 0),
        smooth=labels is None if smooth is None else smooth,
        extra=np.ones(len(images)),
        distances=steps,
        scaled=steps is not None,
    )


def _begun(witness: RingWitness, geometry: Sequence[Floats], off: Sequence[Floats]) -> RingWitness:
    """From the best geometries of perfect pixels, and how far points are off then, px; where nothing tells the scale,
    the mean distance stays that of the PONI files."""
    extra = np.array([np.median(np.abs(o)) ** 2 * 2.2 for o in off])
    known = witness.distances
    if witness.smooth and not witness.scaled:
        told = np.array([p.geometry["dist"] for p in witness.images])
        known = told, np.full((len(told),) * 2, (_HELD * told.sum()) ** -2)
    return replace(witness, geometry=np.array(geometry), extra=extra, distances=known)


def _solved(witness: RingWitness, y: Axis, x: Axis, say: Progress) -> tuple[RingWitness, float, Floats]:
    """Solutions about each other until nothing moves: the witness then, the smoothness, and the covariance."""
    smoothness, most = _SMOOTHNESS, np.inf
    for round_ in range(_ROUNDS):
        say(0.1 + 0.7 * round_ / _ROUNDS, "modules, field and geometries together")
        while True:
            try:
                new, found, covariance = _solve(witness, y, x, smoothness)
                break
            except np.linalg.LinAlgError:  # next to such a smoothness, what little else is known is rounded away
                smoothness = most = smoothness / 10
        probe = np.concatenate([p.yx[:: max(1, len(p) // 200)] for p in witness.images])
        moved = np.abs(new.present.at(probe) - witness.present.at(probe)).max()
        noise = np.array([np.median(np.nan_to_num(p.sigma)) ** 2 + 1e-6 for p in witness.images])
        steady = np.abs(np.log((new.extra + noise) / (witness.extra + noise))).max() < 0.02
        change = abs(np.log(min(found, most) / smoothness)) if witness.smooth else 0.0
        witness = new
        if moved < _STILL and steady and change < 0.1:
            break
        # the first solution is about a geometry that holds the whole distortion: its roughness says nothing yet
        if witness.smooth:
            smoothness = float(np.clip(found, smoothness / 30, min(smoothness * 30, most)))
    return witness, smoothness, covariance


def _solve(witness: RingWitness, y: Axis, x: Axis, smoothness: float) -> tuple[RingWitness, float, Floats]:
    problem = JointProblem(y, x, (), 0, ORDER, beside=witness.beside(y, x))
    with one_blas_thread():
        solution = problem.solve(smoothness, 1.0)
    new = witness.after(y, x, solution.coefficients, solution.further)
    if witness.smooth:
        u, bend = solution.coefficients.transpose(2, 0, 1).ravel(), mean_bend(y, x)
        new = replace(new, flat=_BENDS / float(u @ bend @ u + np.vdot(solution.covariance[: len(u), : len(u)], bend)))
    return new, solution.next_smoothness, solution.covariance


def _held_out(witness: RingWitness, y: Axis, x: Axis, smoothness: float) -> float:
    """Rms error, px, of points in parts of the rings that were left out."""
    fold = []
    for points in witness.images:
        middle = points.yx - np.median(points.yx, axis=0)
        sector = np.floor(np.degrees(np.arctan2(*middle.T)) / _SECTOR).astype(int)
        fold.append((sector + 2 * points.ring) % _FOLDS)
    off, sigma = [], []
    for k in range(_FOLDS):
        without = replace(witness, left_out=tuple(f == k for f in fold))
        new, _, _ = _solve(without, y, x, smoothness)
        for f, seen, whole in zip(fold, new.seen, witness.seen, strict=True):
            which = (f == k) & (whole.weight > 0)
            off.append(seen.off[which])
            sigma.append(np.sqrt(whole.variance[which]))
    return rms(np.concatenate(off), np.concatenate(sigma))


def _result(
    known: Knowledge,
    before: list[Floats],
    held_out: float,
    *,
    mask: Bools | None,
    gauge: Gauge,
    max_sigma: float | None,
) -> RingCalibration:
    """Gauge, mask, uncertainty and what is not determined, in the units of the records; how far the points (of each
    image) were off before, px, and are when left out."""
    witness, shape = known.witness, known.shape
    sigma, limit = known.sigma(), MAX_SIGMA_PX if max_sigma is None else max_sigma
    unknown = sigma.on_grid(*(np.arange(n, dtype=float) for n in shape)).max(axis=-1) > limit
    for hidden in (mask, None if witness.labels is None else witness.labels < 0):
        unknown |= False if hidden is None else hidden
    valid = some_valid(unknown)
    if len(valid) < 3:
        raise FittingError(
            f"the rings determine the displacement of no pixel within {limit:g} px",
            hint="more rings, images with the beam elsewhere, --distances, or a larger --max-sigma",
        )
    change = best_gauge(witness.present, valid, witness.pixel_size, gauge=gauge, shape=shape, nominal=True)
    field = change.field(witness.present)
    new = replace(witness, present=field, depth=known.deep[0].ravel() if len(witness.depth) else witness.depth)
    words, depth = gauge_words(gauge, shape, nominal=True), new.depth_map()
    distortion = Distortion(field, shape, witness.pixel_size, unknown, sigma, words, depth=depth)
    geometries = []
    for points, numbers, seen in zip(witness.images, witness.geometry, witness.seen, strict=True):
        best = best_geometry(new.places(points.yx), points.two_theta, numbers, seen.weight)
        geometries.append({**points.geometry, **dict(zip(NAMES, map(float, best), strict=True))})
    return RingCalibration(
        distortion=distortion,
        images=witness.images,
        geometries=tuple(geometries),
        used=tuple(seen.weight > 0 for seen in witness.seen),
        before_px=tuple(before),
        after_px=tuple(seen.off for seen in witness.seen),
        held_out_px=held_out,
        scatter_px=tuple(float(np.sqrt(np.median(s.variance))) for s in witness.seen),
        modules=known.motions(),
        scale=known.scale,
        aspect=known.aspect,
        undetermined=known.undetermined(),
    )
