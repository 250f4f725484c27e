"""A detector by powder rings alone: geometries of all images, and modules or a smooth field, in one solution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..base.arrays import Bools, Floats
from ..base.errors import FittingError, UsageError
from ..base.progress import Progress, untold
from ..base.robust import rms, spread
from ..fitting.fitting import some_valid
from ..fitting.gauge import best_gauge, gauge_words
from ..fitting.plates.joint import JointSolution
from ..fitting.spline.basis import Axis, uniform_axes
from ..fitting.support import MAX_SIGMA_PX
from ..fitting.tiles.seams import labels_of_mask
from ..io.nexus.groups import no_displacement
from ..records.distortion import Distortion, Gauge
from .bends import bends
from .geometry import NAMES, best_geometry, numbers_of, places_of
from .inversions import averaged, joined
from .knowledge import Knowledge
from .points import RingPoints, require_rings
from .record import RingCalibration
from .witness import RingWitness

#: Intervals of a smooth field along the longer axis, degree of its pieces; to begin with, a smoothness that lets fields
#: bend by a pixel over some hundred.
_CELLS, _DEGREE, _SMOOTHNESS = 14, 3, 1e8
#: Fields have six mean second derivatives (two components, yy, yx, xx), taken to be of one size. Rings tell four well.
#: Two are inversions, which make circles of circles and go with tilts and distances: that they are as large as the
#: others is all that is known of them. Their size by four values, s² = sum of squares / 4, is uncertain itself, and is
#: taken to be the mean of what it may be, sqrt(π/2) s: of errors that are then Student's, 72 and 93 % are within one
#: sigma and within 1.96. Of the sum of all six, whose two unknown squares are 2 (π/2) s², it is this part.
_BENDS = 2 + 8 / np.pi
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
    for one in images:
        require_rings(one, Distortion(no_displacement(shape), shape, pixel_size))
    begun = witness_of(
        images, shape, pixel_size, mask=mask, modules=modules, smooth=smooth, depths=depths, distances=distances
    )
    y, x = uniform_axes((0.0, 0.0), shape, _CELLS if begun.smooth else 2, _DEGREE)
    witness, smoothness, covariance = _solved(begun, y, x, say)
    say(0.8, "leaving parts of the rings out")
    held_out = _held_out(witness, y, x, smoothness)
    say(0.95, "uncertainty")
    known = Knowledge(witness, y, x, shape, covariance)
    return _result(known, begun, held_out, mask=mask, gauge=gauge, max_sigma=max_sigma)


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
    """Rings before anything is known, with the best geometries of perfect pixels; see :func:`fit_rings`."""
    plain = Distortion(no_displacement(shape), shape, pixel_size)
    labels, many = None, len(images)
    if modules is not False and mask is not None:
        found = labels_of_mask(mask)
        labels = np.where(mask, -1, found) if found.max() > 0 else None
    if labels is None and (modules or depths):
        raise UsageError("modules of a detector without gaps", expected="a mask, or --detector, that separates them")
    if distances is not None and len(distances[0]) != many:
        raise UsageError(f"{len(distances[0])} distances for {many} images of rings", expected="one for each")
    geometry = [best_geometry(places_of(plain, p.yx), p.two_theta, numbers_of(p.geometry)) for p in images]
    off = [p.off_px(plain, g) for p, g in zip(images, geometry, strict=True)]
    motions = np.zeros((0 if labels is None else int(labels.max()) + 1, 3))
    return RingWitness(
        images=tuple(images),
        geometry=np.array(geometry),
        pixel_size=pixel_size,
        present=plain.field,
        labels=labels,
        motions=motions,
        depth=motions if depths else motions[:0],
        smooth=labels is None if smooth is None else smooth,
        extra=np.array([spread(o, about=0.0) ** 2 for o in off]),
        distances=None
        if distances is None
        else (np.array(distances[0]), (np.eye(many) - 1 / many) / distances[1] ** 2),
        scaled=distances is not None,
    )


def _solved(witness: RingWitness, y: Axis, x: Axis, say: Progress) -> tuple[RingWitness, float, Floats]:
    """Solutions about each other until nothing moves: the witness then, the smoothness, and the covariance.

    Where nothing tells the scale, the mean distance stays that of the PONI files.
    """
    smoothness, most = _SMOOTHNESS, np.inf
    if witness.smooth and not witness.scaled:
        told = np.array([p.geometry["dist"] for p in witness.images])
        witness = replace(witness, distances=(told, np.full((len(told),) * 2, (_HELD * told.sum()) ** -2)))
    for round_ in range(_ROUNDS):
        say(0.1 + 0.7 * round_ / _ROUNDS, "modules, field and geometries together")
        while True:
            try:
                new, solution = _solve(witness, y, x, smoothness)
                break
            except np.linalg.LinAlgError:  # next to such a smoothness, what little else is known is rounded away
                smoothness = most = smoothness / 10
        probe = np.concatenate([p.yx[:: max(1, len(p) // 200)] for p in witness.images])
        moved = np.abs(new.present.at(probe) - witness.present.at(probe)).max()
        noise = np.array([np.median(np.nan_to_num(p.sigma)) ** 2 + 1e-6 for p in witness.images])
        steady = np.abs(np.log((new.extra + noise) / (witness.extra + noise))).max() < 0.02
        found = solution.next_smoothness
        change = abs(np.log(min(found, most) / smoothness)) if witness.smooth else 0.0
        witness = new
        if moved < _STILL and steady and change < 0.1:
            break
        # the first solution is about a geometry that holds the whole distortion: its roughness says nothing yet
        if witness.smooth:
            smoothness = float(np.clip(found, smoothness / 30, min(smoothness * 30, most)))
    if not witness.smooth or witness.scaled:
        return witness, smoothness, solution.covariance
    witness, covariance = averaged(witness, y, x, solution)
    return witness, smoothness, covariance


def _solve(witness: RingWitness, y: Axis, x: Axis, smoothness: float) -> tuple[RingWitness, JointSolution]:
    solution = joined(witness.beside(y, x), y, x, smoothness)
    new = witness.after(y, x, solution.coefficients, solution.further)
    if witness.smooth:
        u, bent = solution.coefficients.transpose(2, 0, 1).ravel(), bends(y, x, witness.aspect)
        square = ((bent @ u) ** 2).sum() + np.vdot(bent, bent @ solution.covariance[: len(u), : len(u)])
        new = replace(new, flat=_BENDS / float(square))
    return new, solution


def _held_out(witness: RingWitness, y: Axis, x: Axis, smoothness: float) -> float:
    """Rms error, px, of points in parts of the rings that were left out."""
    fold = []
    for points in witness.images:
        middle = points.yx - np.median(points.yx, axis=0)
        sector = np.floor(np.degrees(np.arctan2(*middle.T)) / _SECTOR).astype(int)
        fold.append((sector + 2 * points.ring) % _FOLDS)
    off, sigma = [], []
    for k in range(_FOLDS):
        others, here = (
            tuple(p.select((f == k) == out) for p, f in zip(witness.images, fold, strict=True)) for out in (False, True)
        )
        new = replace(_solve(replace(witness, images=others), y, x, smoothness)[0], images=here)
        for f, seen, whole in zip(fold, new.seen, witness.seen, strict=True):
            counts = whole.weight[f == k] > 0
            off.append(seen.off[counts])
            sigma.append(np.sqrt(whole.variance[f == k][counts]))
    return rms(np.concatenate(off), np.concatenate(sigma))


def _result(
    known: Knowledge, begun: RingWitness, held_out: float, *, mask: Bools | None, gauge: Gauge, max_sigma: float | None
) -> RingCalibration:
    """Gauge, mask, uncertainty and what is not determined, in the units of the records."""
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
    new = replace(witness, present=field, depth=known.deep[0] if len(witness.depth) else witness.depth)
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
        before_px=tuple(seen.off for seen in begun.seen),
        after_px=tuple(seen.off for seen in witness.seen),
        held_out_px=held_out,
        scatter_px=tuple(float(np.sqrt(np.median(s.variance))) for s in witness.seen),
        modules=known.motions(),
        scale=known.scale,
        aspect=known.aspect,
        undetermined=known.undetermined(),
    )
