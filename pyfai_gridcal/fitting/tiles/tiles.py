"""Fields with jumps: one field per tile, all of them on the same plate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ...base.arrays import AnyArray, Bools, Floats, Ints
from ...base.errors import FittingError
from ...base.geometry import hull_of
from ...base.robust import rms
from ...records.field import Field, SampledField, TiledField, label_at
from ..recipe import SURE, FieldFit, Recipe, Sample, gains, sureness
from ..rigid import Placement, RigidBody, place
from ..support import Support, support_of

__all__ = ["TileFit", "TiledSupport", "common_pixel_size", "fit_tiles"]

#: Fewest points of a tile that gets a field of its own: twelve numbers for the three of a rigid motion.
FEWEST_PER_TILE = 6


@dataclass(frozen=True, eq=False)
class TiledSupport:
    """Uncertainty and mask of tiles, each with its own; the same manners as
    :class:`~pyfai_gridcal.fitting.support.Support`."""

    labels: AnyArray
    boxes: tuple[tuple[slice, slice], ...]
    parts: tuple[Support | None, ...]

    @property
    def field(self) -> TiledField:
        """The uncertainty as a field; infinite on tiles that are not known."""
        ends = np.array([0.0, 1.0])
        nothing = SampledField(ends, ends, np.full((2, 2, 2), np.inf), clamp=True)
        return TiledField(self.labels, tuple(nothing if p is None else p.field for p in self.parts))

    def default_limits(self) -> tuple[float, float]:
        """Uncertainty beyond which pixels are masked, px: within the hull of the points of a tile, and outside."""
        limits = np.array([p.default_limits() for p in self.parts if p is not None])
        inside, outside = limits.max(axis=0)
        return float(inside), float(outside)

    def unknown(self, shape: tuple[int, int], limit: float, *, outside: float | None = None) -> Bools:
        """Mask (slow, fast), True where the uncertainty is above the limit or there are no points."""
        out = np.ones(shape, dtype=bool)
        for k, (box, part) in enumerate(zip(self.boxes, self.parts, strict=True)):
            here = self.labels[box] == k
            if part is not None:
                size = (box[0].stop - box[0].start, box[1].stop - box[1].start)
                out[box][here] = part.unknown(size, limit, outside=outside, origin=(box[0].start, box[1].start))[here]
        return out


@dataclass(frozen=True, eq=False)
class TileFit:
    """Tiles fitted one by one.

    Attributes
    ----------
    fit : all of them together
    support : uncertainty and mask
    empty : tiles without enough points
    """

    fit: FieldFit
    support: TiledSupport
    empty: tuple[int, ...]


def fit_tiles(sample: Sample, labels: AnyArray, recipes: Sequence[Recipe], *, keep_empty: bool = False) -> TileFit:
    """Fit each tile with each recipe and keep, for all tiles alike, the one that predicts left-out points best.

    Parameters
    ----------
    sample : the points of all tiles, displaced with respect to one plate
    labels : (slow, fast) tile of each pixel, 0 .. count - 1
    recipes : simplest first; a later one must predict better by two per cent, and surely
    keep_empty : leave tiles without enough points where they nominally are, instead of masking them

    Raises
    ------
    FittingError
        No tile has enough points.
    """
    labels = np.asarray(labels, dtype=np.int16)
    boxes = tuple((box[0], box[1]) for box in ndimage.find_objects(labels + 1))
    tile = label_at(labels, sample.yx)
    samples = {k: _part(sample, tile == k, box) for k, box in enumerate(boxes)}
    rich = [k for k, s in samples.items() if s.used.sum() >= FEWEST_PER_TILE]
    if not rich:
        raise FittingError(f"none of {len(boxes)} tiles has {FEWEST_PER_TILE} control points")
    # one recipe for all tiles, the simplest that predicts as well as any
    best: dict[int, FieldFit] | None = None
    for recipe in recipes:
        fits = {k: recipe.fit(samples[k]) for k in rich}
        if best is None or (_missed(fits) < 0.98 * _missed(best) and _surely_better(fits, best)):
            best, chosen = fits, recipe
    assert best is not None
    # uncertainty and field of each tile; those without points have none
    parts: list[Support | None] = [None] * len(boxes)
    hull = hull_of(sample.yx[sample.used])
    fields: list[Field] = [_Still()] * len(boxes)
    for k, fit in best.items():
        reach = np.inf if isinstance(chosen, RigidBody) else 1.5
        parts[k], fields[k] = support_of(fit, samples[k], reach=reach, hull=hull), fit.field
    poor = [k for k in range(len(boxes)) if k not in best]
    if keep_empty:
        typical = _missed(best)
        for k in poor:
            parts[k] = _nominal_support(samples[k], typical)
    joint = _joined(sample, tile, best, TiledField(labels, tuple(fields)), chosen.name)
    return TileFit(joint, TiledSupport(labels, boxes, tuple(parts)), tuple(poor))


@dataclass(frozen=True)
class _Still:
    """No displacement."""

    def at(self, yx: AnyArray) -> Floats:
        return np.zeros((len(np.asarray(yx).reshape(-1, 2)), 2))

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        return np.zeros((len(y), len(x), 2))


def _nominal_support(sample: Sample, sigma: float) -> Support:
    ends = [np.array([first, first + n - 1.0]) for first, n in zip(sample.origin, sample.shape, strict=True)]
    yes = np.ones((2, 2), dtype=bool)
    corners = np.array([[ends[0][a], ends[1][b]] for a, b in ((0, 0), (0, 1), (1, 1), (1, 0))])
    return Support(ends[0], ends[1], np.full((2, 2, 2), sigma), yes, yes, corners)


def _part(sample: Sample, here: Bools, box: tuple[slice, slice]) -> Sample:
    size = (box[0].stop - box[0].start, box[1].stop - box[1].start)
    return replace(sample.select(here), shape=size, origin=(float(box[0].start), float(box[1].start)))


def _missed(fits: dict[int, FieldFit]) -> float:
    """Rms held-out residual of all tiles, outliers of a tile aside."""
    held_out = np.concatenate([f.held_out[f.used] for f in fits.values()])
    return rms(held_out, np.concatenate([f.sigma[f.used] for f in fits.values() if f.sigma is not None]))


def _surely_better(fits: dict[int, FieldFit], others: dict[int, FieldFit]) -> bool:
    """Whether chance would not make as large a difference: tiles of few points have many parameters to follow it."""
    return sureness(np.concatenate([gains(fit, others[k]) for k, fit in fits.items()])) > SURE


def _joined(sample: Sample, tile: Ints, fits: dict[int, FieldFit], field: TiledField, name: str) -> FieldFit:
    """The tiles' columns in the order of all points; points on poor tiles are not used."""
    columns = {n: np.zeros_like(sample.d) for n in ("residual", "held_out", "z", "leverage")}
    used = np.zeros(len(sample), dtype=bool)
    for k, fit in fits.items():
        here = tile == k
        used[here] = fit.used
        for column, values in columns.items():
            values[here] = getattr(fit, column)
    weight = np.array([f.used.sum() for f in fits.values()], dtype=float)
    nugget = np.sqrt(np.average([f.nugget**2 for f in fits.values()], weights=weight))
    return FieldFit(
        name=f"tiles ({name})",
        field=field,
        used=used,
        nugget=float(nugget),
        freedom=float(sum(f.freedom for f in fits.values())),
        note=f"{len(fits)} tiles, {'rigid motions' if name == 'rigid' else 'a smooth field each'}",
        residual=columns["residual"],
        held_out=columns["held_out"],
        z=columns["z"],
        leverage=columns["leverage"],
        sigma=sample.sigma,
    )


def _placed_robustly(positions_m: Floats, yx: Floats, limit: float = 5.0) -> Placement:
    """Placement of one tile; points that belong to another one do not count."""
    good = np.ones(len(yx), dtype=bool)
    for _ in range(4):
        found = place(positions_m[good], yx[good])
        miss = np.hypot(*(found.pose.corrected(positions_m, found.pixel_size) - yx).T)
        better = miss < limit * float(np.median(miss[good])) + 1e-9
        if np.array_equal(better, good) or better.sum() < FEWEST_PER_TILE:
            break
        good = better
    return found


def common_pixel_size(positions_m: Floats, yx: Floats, tile: Ints, used: Bools) -> tuple[float, float] | None:
    """Pixel size (slow, fast, metres) that the insides of the tiles agree on, whatever their places; None without
    tiles.

    Parameters
    ----------
    positions_m, yx : (N, 2) on the plate and observed
    tile : (N,) tile of each point
    used : (N,) points that count
    """
    total, weights = np.zeros(2), np.zeros(2)
    for k in np.unique(tile):
        here = used & (tile == k)
        if here.sum() >= FEWEST_PER_TILE:
            try:
                found = _placed_robustly(positions_m[here], yx[here])
            except FittingError:
                continue
            w = 1 / np.diagonal(found.covariance)[1:3]
            total += w * np.log(found.pixel_size)
            weights += w
    if not (weights > 0).all():
        return None
    size = np.exp(total / weights)
    return float(size[0]), float(size[1])
