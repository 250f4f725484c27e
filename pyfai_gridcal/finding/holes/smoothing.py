"""Smooth fields through values that spots have: robust, and with gradients that are right at the border, too."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ...base.arrays import Floats, Ints
from ...base.robust import cauchy_weights, spread

#: A value that is out of the common is none by chance when two of eight neighbours are like it, to this share of how
#: far it is off. So many spots at least have such neighbours.
_SHARED, _FEWEST = 0.35, 12
#: So many spots allow a quadratic polynomial for the large; higher ones swing at the border.
_LEAST = 30
#: More spots do not make the large better known than the rest, for which local fits are there.
_MANY = 4000
#: Width of the weights of local lines, in cells, and how many times these go through what the ones before left over.
#: Wider ones more often follow light as well and its noise less: of gradients in vignettes, lamps, uneven light and
#: half shadows as wide as one or two holes, (1, 2) leaves more, (1.4, 4) less, but light that ends within a hole is
#: smeared by these until learned profiles suffer.
_WIDTH, _PASSES = 1.2, 3
#: Cells around the outermost places: beyond the wide tail, four times three of them, there is nothing but the trend.
_MARGIN = 14


class _Trend:
    """Quadratic polynomial, or a constant, through values at scattered places; robust."""

    def __init__(self, yx: Floats, values: Floats):
        self.middle = 0.5 * (yx.min(axis=0) + yx.max(axis=0))
        self.reach = 0.5 * np.ptp(yx, axis=0) + 1.0
        step = len(yx) // _MANY + 1
        yx, values = yx[::step], values[::step]
        degree = 2 if len(yx) >= _LEAST else 0
        self.powers = [(i, k - i) for k in range(degree + 1) for i in range(k + 1)]
        design = self._design(yx)
        self.coefficients: Floats = np.zeros(len(self.powers))
        self.coefficients[0] = np.median(values)
        # least squares whose weights fall off with the residual (Cauchy), four times
        for _ in range(4):
            weight = cauchy_weights(np.abs(values - design @ self.coefficients))
            normal = (design * weight[:, None]).T @ design
            normal[np.diag_indices_from(normal)] += 1e-9 * len(values)
            self.coefficients = np.asarray(np.linalg.solve(normal, (design * weight[:, None]).T @ values), np.float64)

    def _design(self, yx: Floats, slope: int | None = None) -> Floats:
        """Monomials at `yx` (N, 2), or their derivatives along an axis; beyond the data they stay what they are at its
        rim."""
        v, u = np.clip((yx - self.middle) / self.reach, -1.1, 1.1).T
        columns = []
        for i, j in self.powers:
            if slope is None:
                columns.append(v**i * u**j)
            elif slope == 0:
                columns.append(i * v ** max(i - 1, 0) * u**j / self.reach[0])
            else:
                columns.append(j * v**i * u ** max(j - 1, 0) / self.reach[1])
        return np.stack(columns, axis=1)

    def value(self, yx: Floats) -> Floats:
        """(N,)"""
        return np.asarray(self._design(yx) @ self.coefficients)

    def gradient(self, yx: Floats) -> Floats:
        """(N, 2) per px."""
        return np.stack([self._design(yx, k) @ self.coefficients for k in (0, 1)], axis=1)


class LocalLines:
    """Gaussian-weighted local linear fits of values at scattered places `yx` (N, 2) px, in each `cell` of a raster."""

    def __init__(self, yx: Floats, cell: float):
        self.yx, self.cell = yx, cell
        self.low = yx.min(axis=0) - _MARGIN * cell
        self.size = np.ceil((yx.max(axis=0) - self.low) / cell).astype(int) + _MARGIN + 1
        self.near, (y, x) = self.placed(yx)
        self.y, self.x = y, x
        self.weight = np.maximum(self._around(np.ones(len(yx))), 1e-12)
        # covariances of the places, kept regular where few spots lie on a line
        ridge = 0.02
        my, mx, yy, xx, yx_ = (self._around(v) / self.weight for v in (y, x, y * y, x * x, y * x))
        cyy, cxx, cyx = yy - my**2 + ridge, xx - mx**2 + ridge, yx_ - my * mx
        self.means, det = (my, mx), cyy * cxx - cyx**2
        self.inverse = cxx / det, cyx / det, cyy / det

    def placed(self, yx: Floats) -> tuple[Ints, Floats]:
        """Cells (N,) of the flattened raster, and coordinates (2, N) in cells, of places (N, 2) px."""
        at = ((yx - self.low) / self.cell).T
        row, column = (np.clip(np.rint(one).astype(int), 0, n - 1) for one, n in zip(at, self.size, strict=True))
        return row * self.size[1] + column, at

    def _around(self, values: Floats) -> Floats:
        """Weighted sum of what the places hold, for each cell."""
        raster = np.bincount(self.near, weights=values, minlength=int(self.size.prod())).reshape(self.size)
        # the wide tail serves places with few spots around; it does not count where there are many
        wide = ndimage.gaussian_filter(raster, 3.0)
        return np.asarray(ndimage.gaussian_filter(raster, _WIDTH, truncate=4) + 1e-3 * wide)

    def through(self, values: Floats) -> Floats:
        """Value at the origin of the raster, and gradient per cell, of the line of each cell; (3, ny, nx)."""
        v, vy, vx = (self._around(one) / self.weight for one in (values, values * self.y, values * self.x))
        (my, mx), (xx, yx, yy) = self.means, self.inverse
        cvy, cvx = vy - v * my, vx - v * mx
        along_y, along_x = xx * cvy - yx * cvx, yy * cvx - yx * cvy
        return np.stack([v - along_y * my - along_x * mx, along_y, along_x])


@dataclass(frozen=True, eq=False)
class SmoothField:
    """A polynomial for the large plus local lines for the rest.

    Attributes
    ----------
    trend, lines : the polynomial; the raster of the lines
    rest : (3, ny, nx) of :meth:`LocalLines.through`
    scatter : of single values around the field
    """

    trend: _Trend
    lines: LocalLines
    rest: Floats
    scatter: float

    @cached_property
    def bend(self) -> Floats:
        """(2, 2, ny, nx) second derivatives of the rest, per cell squared."""
        slopes = self.rest[1:].reshape(2, -1)[:, self.lines.near]
        return np.stack([self.lines.through(slope)[1:] for slope in slopes])

    def value(self, yx: Floats) -> Floats:
        """(K,) at places (K, 2) px."""
        cell, (y, x) = self.lines.placed(yx)
        value, along_y, along_x = self.rest.reshape(3, -1)[:, cell]
        return self.trend.value(yx) + (value + (along_y * y + along_x * x))

    def gradient(self, yx: Floats) -> tuple[Floats, Floats]:
        """Gradient (K, 2) per px at places (K, 2) px, and what it has from its bend: a line has the slope of the middle
        of what it goes through, which at the border lies farther inside."""
        cell, place = self.lines.placed(yx)
        off = place - np.stack([mean.reshape(-1)[cell] for mean in self.lines.means])
        turned = np.einsum("abn,bn->na", self.bend.reshape(2, 2, -1)[:, :, cell], off) / self.lines.cell
        slope = self.rest.reshape(3, -1)[1:, cell].T / self.lines.cell
        return self.trend.gradient(yx) + (slope + turned), turned


def smoothed(lines: LocalLines, values: Floats) -> SmoothField:
    """A field through values (N,) at the places of `lines`: a polynomial, for the large, plus local linear fits, for
    the rest, and again for what these leave over; robust.

    A local linear fit alone makes every gradient that varies over some spots too small by some per cent, and that at
    the border the one of some place farther inside; all spots around are then moved the same way.
    """
    trend = _Trend(lines.yx, values)
    rest = clean = values - trend.value(lines.yx)
    fields = np.zeros((3, *lines.size))
    for _ in range(_PASSES):
        more = lines.through(clean := _tamed(lines.yx, rest, clean))
        value, along_y, along_x = more.reshape(3, -1)[:, lines.near]
        value += along_y * lines.y + along_x * lines.x
        fields, clean, rest = fields + more, clean - value, rest - value
    scatter = spread(rest, about=0.0)
    scatter += 1e-9 * abs(float(np.median(values))) + 1e-12
    return SmoothField(trend, lines, fields, 1.3 * scatter)


def _tamed(yx: Floats, rest: Floats, cut: Floats) -> Floats:
    """What is left (N,) at places (N, 2), but where it is wild, and neighbours are not, what is left of it as it was
    `cut` so far, and cut to what is wild now."""
    wild = 8 * (spread(rest, about=0.0) + 1e-12)
    out = np.flatnonzero(np.abs(rest) > wild)
    if len(out) and len(rest) >= _FEWEST:
        around = np.asarray(cKDTree(yx).query(yx[out], k=9)[1])[:, 1:]
        second = np.sort(np.abs(rest[around] - rest[out, None]), axis=1)[:, 1]
        out = out[second >= np.maximum(wild, _SHARED * np.abs(rest[out]))]
    tame = rest.copy()
    tame[out] = np.clip(cut[out], -wild, wild)
    return tame
