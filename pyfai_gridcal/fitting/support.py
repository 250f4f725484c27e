"""Where a fitted field is known, and how well: the map of its uncertainty and the mask that follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..base.arrays import Bools, Floats
from ..base.frames import raster_places
from ..base.geometry import hull_of, within_hull
from ..records.field import SampledField, bracket
from .neighbours import surely_common
from .recipe import FieldFit, Sample

__all__ = ["Support", "support_of"]

#: Uncertainty beyond which a pixel is masked when nothing else is asked for, px: a tenth, by convention.
MAX_SIGMA_PX = 0.1

#: Share of that beyond which pixels outside of the hull of the points are masked: right to 0.1 px at four sigma.
_OUTSIDE = 0.25

#: Share of the area that is expected to be off by more than a tenth of a pixel, at most, where masking less than a
#: part of it does that: a third of what a good calibration may have, since what is off is off together.
_PROMISED, _LOST = 0.003, 0.9

#: By this factor uncertainties of whole fields may be too small: half of them are off by less.
_TOO_SMALL = 1.15

#: How much more is granted to the last half per cent of the area within the hull, which would else be lost to a rim.
_RIM = 3.0


#: Farther from its nearest point than so many spacings a place lies in no cell of the lattice, whose middle is 0.71 off
#: its corners (1 where one of them is missing: beyond the second nothing is known there). There the angle that so many
#: points around leave free tells where it is: a quarter turn and more in a bay with square corners, a half turn and
#: more beside a rim; a little less than those to allow for crooked rows, radians.
_CELL, _FAR, _AROUND, _BAY, _BESIDE = 0.75, 1.2, 96, 1.4, 2.6

#: Points worse than so many times the usual ones, and than the limit, do not make what lies between them an inside.
_POOR = 3.0


@dataclass(frozen=True, eq=False)
class Support:
    """Uncertainty of a field over a detector, at the nodes of a coarse raster.

    Attributes
    ----------
    y, x : axes of the nodes, px, index frame
    sigma : (ny, nx, 2) standard uncertainty of (dy, dx), px
    near : (ny, nx) whether a node lies within the hull of the points or close to one of them
    inside : (ny, nx) surrounded by well known points
    hull : (V, 2) corners of the hull of those points, px
    """

    y: Floats
    x: Floats
    sigma: Floats
    near: Bools
    inside: Bools
    hull: Floats

    @property
    def field(self) -> SampledField:
        """The uncertainty as a field."""
        return SampledField(self.y, self.x, self.sigma, clamp=True)

    @property
    def rms_inside(self) -> float:
        """Rms of the uncertainty within the hull of the points, px per axis; 0 where no node lies there."""
        return float(np.sqrt((self.sigma[self.inside] ** 2).mean())) if self.inside.any() else 0.0

    def default_limits(self) -> tuple[float, float]:
        """Uncertainty beyond which pixels are masked, px: within the hull of the points, and outside.

        0.1 px within, more where the middle of the field is not known that well either, or where just the rim would be
        lost; less where a small part makes most of the area that may be off by a tenth of a pixel. Less outside, where
        nothing tells whether the field goes on as smoothly.
        """
        worst = self.sigma.max(axis=2)[self.inside]
        if not len(worst):
            return MAX_SIGMA_PX, _OUTSIDE * MAX_SIGMA_PX
        base = max(MAX_SIGMA_PX, 3.0 * float(np.median(worst)))
        rim = min(float(np.quantile(worst, 0.995)), _RIM * MAX_SIGMA_PX)
        # from the best places on, as many as may be taken until too many of them are off
        order = np.argsort(worst)
        off = share_off(np.hypot(*self.sigma[self.inside].T))[order]
        promised = np.cumsum(off) < _PROMISED * np.arange(1, len(off) + 1)
        kept = int(np.flatnonzero(promised).max(initial=-1)) + 1
        tail = float(worst[order][kept - 1]) if _LOST * len(off) < kept < len(off) else np.inf
        return min(max(base, rim), tail), _OUTSIDE * base

    def unknown(
        self, shape: tuple[int, int], limit: float, *, outside: float | None = None, origin: tuple[int, int] = (0, 0)
    ) -> Bools:
        """Mask (slow, fast), True where the uncertainty is above the limit or the points are too far away.

        `outside` is the limit outside the hull of the points, the same if omitted.
        """
        y, x = (np.arange(first, first + n, dtype=float) for first, n in zip(origin, shape, strict=True))
        outside = limit if outside is None else outside
        value = np.where(self.near, self.sigma.max(axis=2), np.inf)
        # a bay of the points is outside, although their hull goes around it
        bay = ~self.inside & within_hull(self.hull, raster_places(self.y, self.x).reshape(-1, 2)).reshape(value.shape)
        value[bay] *= limit / outside
        value = np.minimum(value, 1e3 * limit)
        out = np.zeros(shape, dtype=bool)
        row, v = bracket(self.y, y)
        column, u = bracket(self.x, x)
        left, right = self._rows_of_hull(y)
        # rows between nodes none of which is known need no interpolation
        for k in np.unique(row):
            here = np.flatnonzero(row == k)
            band = slice(int(here[0]), int(here[-1]) + 1)
            if (value[k : k + 2] > limit).all():
                out[band] = True
                continue
            # nor do columns between nodes that all are
            within = (x >= left[band].max()) & (x <= right[band].min())
            highest = value[k : k + 2].max(axis=0)
            some = np.flatnonzero(np.maximum(highest[:-1], highest[1:])[column] > np.where(within, limit, outside))
            at, part = column[some], v[here, None]
            between = value[k : k + 2, at] * (1 - u[some]) + value[k : k + 2, at + 1] * u[some]
            sigma = between[0] * (1 - part) + between[1] * part
            within = (x[some] >= left[band, None]) & (x[some] <= right[band, None])
            out[band, some] = sigma > np.where(within, limit, outside)
        return out

    def _rows_of_hull(self, y: Floats) -> tuple[Floats, Floats]:
        """Where rows of pixels enter and leave the hull of the points, px; an empty interval for rows beside it."""
        left, right = np.full(len(y), np.inf), np.full(len(y), -np.inf)
        for (y0, x0), (y1, x1) in zip(self.hull, np.roll(self.hull, -1, axis=0), strict=True):
            low, high = min(y0, y1), max(y0, y1)
            rows = np.flatnonzero((y >= low) & (y <= high))
            x = x0 + (y[rows] - y0) / (y1 - y0) * (x1 - x0) if y1 != y0 else np.full(len(rows), x0)
            for at in (x, np.full(len(rows), x1)) if y1 == y0 else (x,):
                left[rows], right[rows] = np.minimum(left[rows], at), np.maximum(right[rows], at)
        return left, right


def _region(
    fit: FieldFit, sample: Sample, nodes: Floats, tree: cKDTree, hull: Floats | None, reach: float
) -> tuple[Floats, Bools, Bools]:
    """Corners of the hull, and which of the nodes (K, 2) are inside and near, see :func:`support_of`."""
    # points that are hardly known do not hold the field between them
    sure = sample.sigma[fit.used].max(axis=1) <= max(MAX_SIGMA_PX, _POOR * sample.typical_sigma)
    if 3 <= np.count_nonzero(sure) < tree.n:
        tree = cKDTree(tree.data[sure])
    own = hull_of(np.asarray(tree.data))
    hull = own if hull is None else hull
    away = np.asarray(tree.query(nodes)[0]) / sample.spacing
    inside, near = within_hull(hull, nodes), within_hull(own, nodes) | (away < reach)
    # a hull is convex, what was lit need not be: in no cell, with all points on one side, a place is outside; far from
    # all of them nothing is known
    if np.isfinite(reach):
        free = np.zeros(len(nodes))
        free[away > _CELL] = _free_angle(tree, nodes[away > _CELL])
        inside &= free < _BAY
        near &= (away < _FAR) | (free < _BESIDE)
    return hull, inside, near


def _free_angle(tree: cKDTree, places: Floats) -> Floats:
    """Widest angle (K,) that the points nearest to places (K, 2) leave free, radians."""
    if not len(places):
        return np.zeros(0)
    near = np.asarray(tree.query(places, k=range(1, min(_AROUND, tree.n) + 1))[1])
    off = np.asarray(tree.data)[near] - places[:, None]
    angle = np.sort(np.arctan2(off[..., 0], off[..., 1]), axis=1)
    return np.asarray(np.diff(angle, axis=1, append=angle[:, :1] + 2 * np.pi).max(axis=1))


def share_off(sigma: Floats, limit: float = MAX_SIGMA_PX) -> Floats:
    """Probability that a place is off by more than `limit` px, for the length `sigma` of its uncertainty, px, which may
    itself be too small by a little: that of two normal coordinates (Rayleigh)."""
    return np.asarray(np.exp(-((limit / np.maximum(_TOO_SMALL * sigma, 1e-9)) ** 2)))


def support_of(
    fit: FieldFit, sample: Sample, *, reach: float = 1.5, most_nodes: int = 128, hull: Floats | None = None
) -> Support:
    """Map the uncertainty of a fit over its detector.

    The variance of the fit is scaled by what the held-out residuals around say about it where the field, not the
    noise, makes them; for recipes that do not know their variance, the held-out residuals around are all there is.

    Parameters
    ----------
    fit, sample : the fit and what it was made of
    reach : distance from a point, in spacings, up to which a place outside the hull may still count as known
    most_nodes : of the raster along an axis
    hull : (V, 2) corners of the region to be taken for inside, that of the points if omitted
    """
    step = max(sample.spacing / 2, max(sample.shape) / most_nodes)
    y, x = (
        np.linspace(first, first + n - 1, max(2, int(np.ceil((n - 1) / step)) + 1))
        for first, n in zip(sample.origin, sample.shape, strict=True)
    )
    nodes = raster_places(y, x).reshape(-1, 2)
    # each node of a coarse raster asks the points around it
    tree = sample.tree if fit.used.all() else cKDTree(sample.yx[fit.used])
    found = tree.query(nodes, k=min(24, tree.n))
    distance, around = (np.asarray(v).reshape(len(nodes), -1) for v in found)
    weight = np.exp(-0.5 * (distance / (2 * sample.spacing)) ** 2) + 1e-12
    if fit.uncertainty is not None:
        variance = fit.uncertainty.variance(nodes)
        # the variance of the fit, corrected where the points around scatter more or less than it says; a few points
        # that say it is right (the prior) keep single ones from deciding
        z2 = (fit.z[fit.used] ** 2).mean(axis=1)
        share = fit.leverage[fit.used].mean(axis=1)
        local, made = ((weight * v[around]).sum(axis=1) for v in (np.minimum(z2, 30.0), share))
        prior = 6.0
        total = weight.sum(axis=1)
        factor = 1 + made / total * ((local + prior) / (total + prior) - 1)
        variance = variance * np.clip(factor, 0.25, 25.0)[:, None]
    else:
        # no variance of its own: the held-out residuals around, growing fast where there are none
        square = fit.held_out[fit.used] ** 2
        variance = np.einsum("nk,nkc->nc", weight, square[around]) / weight.sum(axis=1)[:, None]
        variance = variance * (1 + (distance[:, :1] / sample.spacing) ** 4)
    # what neighbours share of what is left over the field does not follow
    variance = variance + 0.5 * surely_common(tree, fit.held_out[fit.used]) ** 2
    if sample.shared is not None:
        # what neighbours have in common no fit makes smaller
        square = sample.shared[fit.used] ** 2
        variance = variance + np.einsum("nk,nkc->nc", weight, square[around]) / weight.sum(axis=1)[:, None]
    region, inside, near = _region(fit, sample, nodes, tree, hull, reach)
    size = (len(y), len(x))
    return Support(y, x, np.sqrt(variance).reshape(*size, 2), near.reshape(size), inside.reshape(size), region)
