"""Smooth fields through values that spots have: robust, and with gradients that are right at the border, too."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..base.arrays import AnyArray, Floats
from ..base.robust import cauchy_weights, spread

#: A value that is out of the common is none by chance when two of eight neighbours are like it, to this share of how
#: far it is off. So many spots at least have such neighbours.
_SHARED, _FEWEST = 0.35, 12
#: So many spots allow a quadratic polynomial for the large; higher ones swing at the border.
_LEAST = 30


def neighbours_of(yx: Floats) -> AnyArray:
    """Rows (N, 8) of the places nearest to each one, or (N, 0) of too few."""
    if len(yx) < _FEWEST:
        return np.zeros((len(yx), 0), int)
    return np.asarray(cKDTree(yx).query(yx, k=9)[1])[:, 1:]


class _Trend:
    """Quadratic polynomial, or a constant, through values at scattered places; robust."""

    def __init__(self, yx: Floats, values: Floats):
        self.middle = 0.5 * (yx.min(axis=0) + yx.max(axis=0))
        self.reach = 0.5 * np.ptp(yx, axis=0) + 1.0
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
    """Gaussian-weighted local linear fits of values at scattered places, on a raster of cells."""

    def __init__(self, yx: Floats, at: Floats, cell: float):
        self.cell = cell
        self.low = np.minimum(yx.min(axis=0), at.min(axis=0)) - 4 * cell
        self.size = np.ceil((np.maximum(yx.max(axis=0), at.max(axis=0)) - self.low) / cell).astype(int) + 5
        k = (yx - self.low) / cell
        self.flat = np.rint(k).astype(int) @ np.array([self.size[1], 1])
        self.y, self.x = y, x = k[:, 0], k[:, 1]
        names = {"1": np.ones(len(y)), "y": y, "x": x, "yy": y * y, "xx": x * x, "yx": y * x}
        self.moments = {name: self._raster(v) for name, v in names.items()}

    def _raster(self, values: Floats) -> Floats:
        raster = np.bincount(self.flat, weights=values, minlength=int(self.size.prod())).reshape(self.size)
        # the wide tail serves places with few spots around; it does not count where there are many
        wide = ndimage.gaussian_filter(raster, 3.0)
        return np.asarray(ndimage.gaussian_filter(raster, 1.0, truncate=4) + 1e-3 * wide)

    def through(self, values: Floats, places: AnyArray) -> tuple[Floats, Floats]:
        """Value (K,) and gradient (K, 2) per px at `places` (K, 2) px."""
        p = (places - self.low) / self.cell
        near = tuple(np.rint(p).astype(int).T)
        weight = np.maximum(self.moments["1"][near], 1e-12)
        m = {name: raster[near] / weight for name, raster in self.moments.items()}
        for name, v in (("v", values), ("vy", values * self.y), ("vx", values * self.x)):
            m[name] = self._raster(v)[near] / weight
        # covariances of the places, kept regular where few spots lie on a line
        ridge = 0.02
        cyy, cxx = m["yy"] - m["y"] ** 2 + ridge, m["xx"] - m["x"] ** 2 + ridge
        cyx = m["yx"] - m["y"] * m["x"]
        cvy, cvx = m["vy"] - m["v"] * m["y"], m["vx"] - m["v"] * m["x"]
        det = cyy * cxx - cyx**2
        slope = np.stack([(cxx * cvy - cyx * cvx) / det, (cyy * cvx - cyx * cvy) / det], axis=1)
        value = m["v"] + slope[:, 0] * (p[:, 0] - m["y"]) + slope[:, 1] * (p[:, 1] - m["x"])
        return value, slope / self.cell


def smoothed(
    yx: Floats, values: Floats, at: Floats, lines: LocalLines, around: AnyArray
) -> tuple[Floats, Floats, float]:
    """Value (N,), gradient (N, 2) per px and robust scatter of a polynomial, for the large, plus local linear fits, for
    the rest, and once more for what these leave over.

    A local linear fit alone makes the gradient at the border that of some place farther inside, and every gradient that
    varies over some spots too small by some per cent; all spots around are then moved the same way.
    """
    # for the large a polynomial; what it leaves over is cut where it is wild, and neighbours are not
    trend = _Trend(yx, values)
    rest = values - trend.value(yx)
    wild = 8 * (spread(rest, about=0.0) + 1e-12)
    out = np.flatnonzero(np.abs(rest) > wild)
    if len(out) and around.shape[1]:
        second = np.sort(np.abs(rest[around[out]] - rest[out, None]), axis=1)[:, 1]
        out = out[second >= np.maximum(wild, _SHARED * np.abs(rest[out]))]
    clean = rest.copy()
    clean[out] = np.clip(rest[out], -wild, wild)
    # for the rest local lines, twice
    both = np.concatenate([yx, at])
    value, gradient = trend.value(both), trend.gradient(both)
    for _ in range(2):
        more, steeper = lines.through(clean, both)
        value, gradient, clean = value + more, gradient + steeper, clean - more[: len(yx)]
    count = len(yx)
    scatter = spread(values - value[:count], about=0.0)
    scatter += 1e-9 * abs(float(np.median(values))) + 1e-12
    return value[count:], gradient[count:], 1.3 * scatter
