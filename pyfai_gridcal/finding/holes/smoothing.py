"""Smooth fields through values that spots have: robust, and with gradients that are right at the border, too."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ...base.arrays import Floats
from ...base.robust import cauchy_weights, spread

#: A value that is out of the common is none by chance when two of eight neighbours are like it, to this share of how
#: far it is off. So many spots at least have such neighbours.
_SHARED, _FEWEST = 0.35, 12
#: So many spots allow a quadratic polynomial for the large; higher ones swing at the border.
_LEAST = 30
#: More spots do not make the large better known than the rest, for which local fits are there.
_MANY = 4000


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
    """Gaussian-weighted local linear fits of values at scattered places `yx` (N, 2), on a raster of cells, evaluated
    there and at other places, `at` (K, 2) px."""

    def __init__(self, yx: Floats, at: Floats, cell: float):
        self.yx, self.both, self.cell = yx, np.concatenate([yx, at]), cell
        low = self.both.min(axis=0) - 4 * cell
        self.size = np.ceil((self.both.max(axis=0) - low) / cell).astype(int) + 5
        p = (self.both - low) / cell
        flat = np.rint(p).astype(int) @ np.array([self.size[1], 1])
        self.flat, self.near = flat[: len(yx)], flat
        self.y, self.x = y, x = p[: len(yx)].T
        self.weight = np.maximum(self._mean(np.ones(len(y)), 1.0), 1e-12)
        # covariances of the places, kept regular where few spots lie on a line
        ridge = 0.02
        my, mx, yy, xx, yx_ = (self._mean(v, self.weight) for v in (y, x, y * y, x * x, y * x))
        cyy, cxx, cyx = yy - my**2 + ridge, xx - mx**2 + ridge, yx_ - my * mx
        self.means, det = (my, mx), cyy * cxx - cyx**2
        self.inverse = cxx / det, cyx / det, cyy / det
        self.away = p[:, 0] - my, p[:, 1] - mx

    def _mean(self, values: Floats, weight: Floats | float) -> Floats:
        """Weighted sum of what the places hold, at all places, over the `weight`."""
        raster = np.bincount(self.flat, weights=values, minlength=int(self.size.prod())).reshape(self.size)
        # the wide tail serves places with few spots around; it does not count where there are many
        wide = ndimage.gaussian_filter(raster, 3.0)
        return np.asarray((ndimage.gaussian_filter(raster, 1.0, truncate=4) + 1e-3 * wide).take(self.near) / weight)

    def through(self, values: Floats) -> tuple[Floats, Floats]:
        """Value (N + K,) and gradient (N + K, 2) per px at all places."""
        v, vy, vx = (self._mean(one, self.weight) for one in (values, values * self.y, values * self.x))
        (my, mx), (xx, yx, yy) = self.means, self.inverse
        cvy, cvx = vy - v * my, vx - v * mx
        slope = np.stack([xx * cvy - yx * cvx, yy * cvx - yx * cvy], axis=1)
        value = v + slope[:, 0] * self.away[0] + slope[:, 1] * self.away[1]
        return value, slope / self.cell


def smoothed(lines: LocalLines, values: Floats) -> tuple[Floats, Floats, float]:
    """Value (K,), gradient (K, 2) per px and robust scatter of a polynomial, for the large, plus local linear fits, for
    the rest, and once more for what these leave over.

    A local linear fit alone makes the gradient at the border that of some place farther inside, and every gradient that
    varies over some spots too small by some per cent; all spots around are then moved the same way.
    """
    # for the large a polynomial; what it leaves over is cut where it is wild, and neighbours are not
    yx, count = lines.yx, len(lines.yx)
    trend = _Trend(yx, values)
    value, gradient = trend.value(lines.both), trend.gradient(lines.both[count:])
    rest = values - value[:count]
    wild = 8 * (spread(rest, about=0.0) + 1e-12)
    out = np.flatnonzero(np.abs(rest) > wild)
    if len(out) and count >= _FEWEST:
        around = np.asarray(cKDTree(yx).query(yx[out], k=9)[1])[:, 1:]
        second = np.sort(np.abs(rest[around] - rest[out, None]), axis=1)[:, 1]
        out = out[second >= np.maximum(wild, _SHARED * np.abs(rest[out]))]
    clean = rest.copy()
    clean[out] = np.clip(rest[out], -wild, wild)
    # for the rest local lines, twice
    for _ in range(2):
        more, steeper = lines.through(clean)
        value, gradient, clean = value + more, gradient + steeper[count:], clean - more[:count]
    scatter = spread(values - value[:count], about=0.0)
    scatter += 1e-9 * abs(float(np.median(values))) + 1e-12
    return value[count:], gradient, 1.3 * scatter
