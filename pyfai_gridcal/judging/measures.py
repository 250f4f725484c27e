"""Figures that tell whether residuals are noise: distances of pairs, correlation of neighbours, pulls, sub-pixel bias.

First neighbours alone flatter a calibration: two spots that are wrong together have the right distance. So distances
are compared at all ranges, up to the longest that the image holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..base.arrays import Bools, Floats, Ints
from ..base.robust import rms, shares, spread
from ..records.fit import DistortionFit, used_rows, used_sigmas
from ..records.nodes import NodeTable
from ..records.spots import SpotFlag, Spots

__all__ = [
    "NAMED",
    "PairDistances",
    "WorstSpot",
    "edges_around",
    "histogram_of",
    "largest_rows",
    "pair_distances",
    "pairs_of_nodes",
    "pulls",
    "quality",
    "residual_correlation",
    "standardised_residuals",
    "subpixel_bias",
    "width_of",
    "worst_rows",
    "worst_spots",
]

Two = tuple[float, float]

#: Spots that are named, in reports and windows: more are not looked at one by one.
NAMED = 5
#: What a flag of a spot says about its residual.
_WHY = {
    SpotFlag.BORDER: "cut by the border",
    SpotFlag.MASKED: "partly masked",
    SpotFlag.SATURATED: "saturated",
    SpotFlag.CLIPPED: "odd pixels left out",
    SpotFlag.PREDICTED: "found at the second look",
    SpotFlag.USER: "placed by hand",
}
#: A misfit this many times the usual one is another shape, not noise: of some hundred pixels it scatters by a tenth.
_OTHER_SHAPE = 2.0
#: A residual beyond this many times its uncertainty wants a reason.
_BEYOND = 3.0

#: Fewest pairs that a range is judged by.
_FEWEST = 30


@dataclass(frozen=True, eq=False)
class PairDistances:
    """Deviations of distances between nodes that lie `steps` apart along one axis of the lattice, px.

    Attributes
    ----------
    steps : distance in pitches
    before : measured in the image as recorded, with the pixel size of the corrected one, minus true
    after : measured between corrected positions, minus true
    held_out : the same when each point was left out of the fit that corrects it
    sigma : what each deviation is expected to be from the uncertainty of its two spots
    """

    steps: int
    before: Floats
    after: Floats
    held_out: Floats
    sigma: Floats

    def rms(self, values: Floats) -> float:
        """Rms of one of the above; pairs with a spot that is hardly known count less, as in
        :func:`~pyfai_gridcal.base.robust.rms`."""
        known = np.isfinite(values)
        return rms(values[known], self.sigma[known])


def pairs_of_nodes(ij: Ints, step: tuple[int, int], used: Bools | None = None) -> tuple[Ints, Ints]:
    """Rows (a, b) of points with ``ij[b] = ij[a] + step``, both of them used."""
    b = NodeTable.of(ij).rows(ij + np.array(step))
    good = b >= 0 if used is None else (b >= 0) & used & used[b]
    a = np.flatnonzero(good)
    return a, b[a]


def _span(fit: DistortionFit) -> int:
    """Pitches along the longest side of the points."""
    return max((int(np.ptp(p.ij, axis=0).max()) for p in fit.points), default=0)


def _ranges(span: int) -> list[int]:
    """Distances that are looked at, pitches: each half as long again as the one before."""
    steps = [1, 2, 3]
    while steps[-1] * 3 // 2 < span:
        steps.append(steps[-1] * 3 // 2)
    return steps


def pair_distances(fit: DistortionFit) -> tuple[PairDistances, ...]:
    """Deviations at all ranges that have enough pairs, shortest first."""
    size = np.asarray(fit.distortion.pixel_size)
    unit = float(np.sqrt(size.prod()))
    out = []
    for steps in _ranges(_span(fit)):
        rows: list[tuple[Floats, ...]] = []
        for k, (points, used) in enumerate(zip(fit.points, fit.used, strict=True)):
            node = fit.poses[k].corrected(fit.plate.positions(points.ij), fit.distortion.pixel_size)
            square = (points.sigma_yx**2).mean(axis=1) + fit.plate_sigma_px**2
            places = points.yx, node + fit.residual_yx[k], node + fit.held_out_yx[k]
            for step in ((steps, 0), (0, steps)):
                a, b = pairs_of_nodes(points.ij, step, used)
                true, *seen = (np.hypot(*((at[b] - at[a]) * size).T) for at in (node, *places))
                rows.append((*((one - true) / unit for one in seen), np.sqrt(square[a] + square[b])))
        if sum(len(one[0]) for one in rows) >= _FEWEST:
            out.append(PairDistances(steps, *map(np.concatenate, zip(*rows, strict=True))))
    return tuple(out)


def residual_correlation(fit: DistortionFit) -> list[tuple[int, float, float]]:
    """(distance in pitches, correlation of the residuals of points that far apart, its standard error): 0 for noise."""
    span = _span(fit)
    out = []
    for steps in (n for n in _ranges(span) if n <= max(span // 2, 1)):
        product, square, count = 0.0, 0.0, 0
        for points, used, residual in zip(fit.points, fit.used, fit.residual_yx, strict=True):
            residual = residual * np.sqrt(shares(np.hypot(points.sigma_yx, fit.plate_sigma_px)))
            for step in ((steps, 0), (0, steps)):
                a, b = pairs_of_nodes(points.ij, step, used)
                product += float((residual[a] * residual[b]).sum())
                square += float((residual[a] ** 2).sum() + (residual[b] ** 2).sum()) / 2
                count += 2 * len(a)
        if count >= 2 * _FEWEST and square > 0:
            out.append((steps, product / square, 1 / float(np.sqrt(count))))
    return out


def pulls(fit: DistortionFit) -> Floats:
    """(M, 2) held-out residuals of the used points over their sigma (with what they scatter beyond it)."""
    z: Floats = used_rows(fit, fit.held_out_yx) / used_sigmas(fit)
    return z


def subpixel_bias(fit: DistortionFit, bins: int = 10) -> Iterator[tuple[float, Two, Two]]:
    """For each phase of a spot within its pixel: (middle of the bin, mean residual (y, x), its standard error), px.

    Spots that are hardly known count less, as in :func:`~pyfai_gridcal.base.robust.rms`.
    """
    yx, value = used_rows(fit, [p.yx for p in fit.points]), used_rows(fit, fit.residual_yx)
    weight = shares(used_sigmas(fit))
    which = np.clip(((yx - np.rint(yx) + 0.5) * bins).astype(int), 0, bins - 1)
    for k in range(bins):
        mean, error = [], []
        for axis in range(2):
            inside = which[:, axis] == k
            middle, spread = _mean(value[inside, axis], weight[inside, axis])
            mean.append(middle)
            error.append(spread)
        yield (k + 0.5) / bins - 0.5, (mean[0], mean[1]), (error[0], error[1])


def _mean(values: Floats, weight: Floats) -> Two:
    """Weighted mean and its standard error from the scatter, NaN of fewer than two values."""
    n = len(values)
    if n < 2:
        return float("nan"), float("nan")
    part = weight / weight.sum()
    mean = float((part * values).sum())
    return mean, float(np.sqrt((part**2 * (values - mean) ** 2).sum() * n / (n - 1)))


def edges_around(values: Floats, bins: int) -> list[float]:
    """Edges of the bins of a histogram about zero, a fifth wider than all but the wildest 0.5 % of the values."""
    size = np.abs(values[np.isfinite(values)])
    reach = 1.2 * float(np.percentile(size, 99.5)) if size.size else 1.0
    return [float(edge) for edge in np.linspace(-(reach or 1.0), reach or 1.0, bins + 1)]


def histogram_of(fit: DistortionFit, bins: int = 41) -> dict[str, object]:
    """Histogram of residuals and held-out residuals, both coordinates together."""
    inside, outside = used_rows(fit, fit.residual_yx).ravel(), used_rows(fit, fit.held_out_yx).ravel()
    outside = outside[np.isfinite(outside)]
    edges = edges_around(outside, bins)
    counts = [np.histogram(values, edges)[0] for values in (inside, outside)]
    return {"edges_px": edges, "residual": counts[0], "held_out": counts[1]}


def width_of(values: Floats) -> float | None:
    """Robust standard deviation of those that are finite, None of nothing."""
    values = values[np.isfinite(values)]
    return spread(values) if len(values) else None


def quality(fit: DistortionFit) -> dict[str, object]:
    """All of the above as plain numbers (arrays are left to the caller to make plain)."""
    z = pulls(fit)
    z = z[np.isfinite(z).all(axis=1)]
    flat = np.abs(z.ravel())
    bias = list(subpixel_bias(fit))
    return {
        "pulls": {
            "width_yx": [width_of(c) for c in z.T],
            "standardised_width_yx": [width_of(c) for c in standardised_residuals(fit).T],
            "within_1_sigma": float((flat < 1).mean()) if len(flat) else None,
            "within_2_sigma": float((flat < 2).mean()) if len(flat) else None,
        },
        "histogram": histogram_of(fit),
        "pair_distances": [
            {
                "steps": p.steps,
                "pairs": len(p.before),
                "before_px": p.rms(p.before),
                "after_px": p.rms(p.after),
                "held_out_px": p.rms(p.held_out),
            }
            for p in pair_distances(fit)
        ],
        "residual_correlation": [
            {"steps": steps, "correlation": value, "sigma": sigma} for steps, value, sigma in residual_correlation(fit)
        ],
        "subpixel_bias": [{"phase_px": phase, "mean_px": mean, "sigma_px": error} for phase, mean, error in bias],
    }


def standardised_residuals(fit: DistortionFit) -> Floats:
    """(M, 2) residuals of the used points over the standard deviation that they should have.

    A point pulls the field towards itself, so that its residual r is smaller than its sigma s, by ``sqrt(1 - h)`` with
    h its leverage, and its held-out residual ``r / (1 - h)`` larger. The geometric mean of both is free of that: for a
    linear fit ``sign(r) sqrt(r r_held_out) / s`` has unit variance [1]_.

    References
    ----------
    .. [1] R. D. Cook and S. Weisberg, Residuals and Influence in Regression, Chapman and Hall (1982), section 2.2
    """
    inside, outside = used_rows(fit, fit.residual_yx), used_rows(fit, fit.held_out_yx)
    return np.sign(inside) * np.sqrt(np.maximum(inside * outside, 0)) / used_sigmas(fit)


@dataclass(frozen=True)
class WorstSpot:
    """One of the spots with the largest residuals, for people who want to look at it.

    Attributes
    ----------
    exposure : counted from 0
    node_ij, place_yx_px : of the spot; index frame
    residual_px, sigma_px : lengths of the residual and of its expected uncertainty
    why : what is special about the spot, in words
    """

    exposure: int
    node_ij: tuple[int, int]
    place_yx_px: Two
    residual_px: float
    sigma_px: float
    why: str


def largest_rows(sizes: Floats, used: Bools, count: int = NAMED) -> Ints:
    """Rows of the largest of the sizes (N,) that are used (N,), the largest first."""
    rows = np.flatnonzero(used)
    return rows[np.argsort(-sizes[rows], kind="stable")[:count]]


def worst_rows(fit: DistortionFit, count: int = NAMED) -> list[tuple[int, int]]:
    """(exposure, row) of the used points with the largest residuals, the largest first."""
    sizes = [np.hypot(*residual.T) for residual in fit.residual_yx]
    rows = [(k, int(row)) for k, used in enumerate(fit.used) for row in largest_rows(sizes[k], used, count)]
    return sorted(rows, key=lambda one: -sizes[one[0]][one[1]])[:count]


def worst_spots(fit: DistortionFit, spots: Sequence[Spots], count: int = NAMED) -> list[WorstSpot]:
    """The used spots with the largest residuals, the largest first, with what is special about each."""
    return [_worst(fit, spots[k], k, row) for k, row in worst_rows(fit, count)]


def _worst(fit: DistortionFit, spots: Spots, exposure: int, row: int) -> WorstSpot:
    points = fit.points[exposure]
    residual = float(np.hypot(*fit.residual_yx[exposure][row]))
    sigma = float(np.hypot(*np.hypot(points.sigma_yx[row], fit.plate_sigma_px)))
    why = [text for flag, text in _WHY.items() if points.flags[row] & flag]
    if spots.chi2[points.spot[row]] > _OTHER_SHAPE * np.median(spots.chi2):
        why.append("another shape than the others (dirt?)")
    if residual <= _BEYOND * sigma:
        why.append("within its uncertainty")
    (i, j), (y, x) = points.ij[row].tolist(), points.yx[row].tolist()
    return WorstSpot(exposure, (i, j), (y, x), residual, sigma, ", ".join(why) or "looks normal (error of the plate?)")
