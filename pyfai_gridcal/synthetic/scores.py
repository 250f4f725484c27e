"""How near a result is to the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..base.arrays import AnyArray, Bools, Floats
from ..base.frames import raster_places
from ..base.geometry import hull_of, within_hull
from ..base.robust import rms
from ..records.distortion import Distortion
from ..records.points import ControlPoints
from ..records.spots import Spots
from .parts import TruthSpots

__all__ = ["FieldScore", "SpotScore", "field_error", "hull_mask", "match_spots"]


@dataclass(frozen=True)
class FieldScore:
    """Error of a distortion, px, after the best rigid motion.

    Attributes
    ----------
    rms_px, p95_px, max_px : length of the error vector over the pixels known to both
    coverage : part of the true region that the result claims to know
    outside : part of the rest that it claims to know
    outside_p95_px : error there
    angle_deg, shift_px : the rigid motion that was taken out
    """

    rms_px: float
    p95_px: float
    max_px: float
    coverage: float
    outside: float
    outside_p95_px: float
    angle_deg: float
    shift_px: tuple[float, float]


@dataclass(frozen=True)
class SpotScore:
    """Spots or control points beside the truth.

    Attributes
    ----------
    recall : part of the whole true spots that were found
    precision : part of the found spots that are true
    wrong_index : control points that contradict the integer map most of them obey
    rms_px, worst_px : error per coordinate
    over_crlb : rms of error / bound, per coordinate: 1 is perfect
    over_sigma : rms of error / claimed sigma, per coordinate: 1 is honest
    """

    recall: float
    precision: float
    wrong_index: int
    rms_px: float
    worst_px: float
    over_crlb: float
    over_sigma: float


def hull_mask(truth: TruthSpots, shape: tuple[int, int], *, step: int = 1) -> Bools:
    """True inside the convex hull of the spots, for every `step`-th pixel."""
    axes = [np.arange(0, n, step, dtype=float) for n in shape]
    at = raster_places(*axes)
    return within_hull(hull_of(truth.yx), at.reshape(-1, 2)).reshape(at.shape[:2])


def field_error(
    distortion: Distortion, truth: Distortion, *, spots: TruthSpots | None = None, step: int = 5
) -> FieldScore:
    """Compare positions of pixels with the true ones, after the best rigid motion.

    Parameters
    ----------
    distortion : the result; its masked pixels are not counted as errors, but as not covered
    truth : the true one; pixels of its mask do not count at all
    spots : when given, only pixels inside their convex hull are the true region
    step : every step-th pixel along both axes
    """
    centres = [np.arange(0, n, step, dtype=float) for n in truth.shape]
    base = raster_places(*centres)
    got = (base + distortion.field.on_grid(*centres)) * distortion.pixel_size
    true = (base + truth.field.on_grid(*centres)) * truth.pixel_size
    valid = np.isfinite(got).all(axis=-1)
    if distortion.mask is not None:
        valid &= ~distortion.mask[::step, ::step]
    alive = np.ones(base.shape[:2], bool) if truth.mask is None else ~truth.mask[::step, ::step]
    region = alive if spots is None else alive & hull_mask(spots, truth.shape, step=step)
    unit = float(np.mean(truth.pixel_size))
    use, beyond = region & valid, alive & ~region & valid
    rotation, shift = _rigid(got[use], true[use])
    error = np.hypot(*(((got[use] @ rotation + shift) - true[use]) / unit).T)
    outer = np.hypot(*(((got[beyond] @ rotation + shift) - true[beyond]) / unit).T)
    moved = (np.mean(true[use] - got[use], axis=0) / unit) if use.any() else np.full(2, np.nan)
    return FieldScore(
        rms_px=rms(error),
        p95_px=float(np.percentile(error, 95)),
        max_px=float(error.max()),
        coverage=float(use.sum() / region.sum()),
        outside=float(beyond.sum() / max(1, (alive & ~region).sum())),
        outside_p95_px=float(np.percentile(outer, 95)) if len(outer) else 0.0,
        angle_deg=float(np.rad2deg(np.arctan2(rotation[0, 1], rotation[0, 0]))),
        shift_px=(float(moved[0]), float(moved[1])),
    )


def _rigid(source: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Rotation (2, 2) and shift of the least squares motion: target = source @ rotation + shift (Kabsch)."""
    a, b = source.mean(axis=0), target.mean(axis=0)
    u, _, v = np.linalg.svd((source - a).T @ (target - b))
    rotation = u @ np.diag([1.0, np.sign(np.linalg.det(u @ v))]) @ v
    return rotation, b - a @ rotation


def match_spots(found: Spots | ControlPoints, truth: TruthSpots, *, within_px: float | None = None) -> SpotScore:
    """Compare spots (and their indices, when they have some) with the truth.

    `within_px` is how near a spot must be to be the same, a quarter of the distance of true neighbours by default.
    """
    tree = cKDTree(truth.yx)
    if within_px is None:
        within_px = 0.25 * float(np.median(np.asarray(tree.query(truth.yx, k=2)[0])[:, 1]))
    far, k = (np.asarray(v) for v in tree.query(found.yx))
    near: Bools = far < within_px
    seen = np.zeros(len(truth), bool)
    seen[k[near]] = True
    error = found.yx[near] - truth.yx[k[near]]
    wrong = 0
    if isinstance(found, ControlPoints) and near.any():
        wrong = _wrong_indices(truth.ij[k[near]], found.ij[near])
    nan = float("nan")
    return SpotScore(
        recall=float(seen[truth.whole].mean()) if truth.whole.any() else nan,
        precision=float(near.mean()) if len(near) else nan,
        wrong_index=wrong,
        rms_px=rms(error),
        worst_px=float(np.abs(error).max()) if len(error) else nan,
        over_crlb=_rms_ratio(error, truth.sigma_yx[k[near]]),
        over_sigma=_rms_ratio(error, found.sigma_yx[near]),
    )


def _rms_ratio(error: AnyArray, sigma: AnyArray) -> float:
    good = np.isfinite(sigma) & (sigma > 0)
    return rms(error[good] / sigma[good])


def _wrong_indices(true: AnyArray, given: AnyArray) -> int:
    """Points that disobey the best integer affine map given = true @ M + t (found by sampling neighbours)."""
    best = len(true)
    rng = np.random.default_rng(0)
    tree = cKDTree(true)
    for seed in rng.integers(0, len(true), 60):
        _, near = tree.query(true[seed], k=min(9, len(true)))
        near = np.atleast_1d(near)
        design = np.column_stack([true[near], np.ones(len(near))])
        affine = np.rint(np.linalg.lstsq(design, given[near].astype(float), rcond=None)[0])
        predicted = np.column_stack([true, np.ones(len(true))]) @ affine
        best = min(best, int((predicted != given).any(axis=1).sum()))
        if best == 0:
            break
    return best
