"""How the places of the nodes go over the whole lattice: one polynomial, where that says more than neighbours do.

At the rim of a lattice neighbours lie on one side. What bends there more and more, as a strong barrel does, is seen by
them too straight; a polynomial through all points knows the way it has come.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from ..base.arrays import Floats, Ints

__all__ = ["Trend"]

#: Highest total degree: of a barrel that moves the corners by a tenth of the image this leaves 0.01 px of 12.
_DEGREE = 11
#: Points for each coefficient at least, and points that tell a polynomial as well as all of them.
_EACH, _ENOUGH = 6, 4000


@dataclass(frozen=True, eq=False)
class Trend:
    """A polynomial through the nodes of a lattice.

    Attributes
    ----------
    middle, half : (2,) of the nodes, which makes them -1 to 1
    series : (n, n, 2) coefficients of products of Chebyshev polynomials, px
    """

    middle: Floats
    half: Floats
    series: Floats

    @classmethod
    def of(cls, ij: Ints, yx: Floats) -> Trend | None:
        """Through points (M, 2) px at the nodes (M, 2); None of too few."""
        terms = [(n + 1) * (n + 2) // 2 for n in range(_DEGREE + 1)]
        degree = int(np.searchsorted(terms, len(ij) / _EACH, side="right")) - 1
        if degree < 3:  # neighbours know all of a quadratic
            return None
        low, high = ij.min(axis=0), ij.max(axis=0)
        middle, half = (low + high) / 2, np.maximum(high - low, 1) / 2
        some = np.s_[:: len(ij) // _ENOUGH + 1]
        u, v = ((ij[some] - middle) / half).T
        i, j = np.nonzero(np.add.outer(np.arange(degree + 1), np.arange(degree + 1)) <= degree)
        design = chebyshev.chebvander2d(u, v, [degree, degree])[:, i * (degree + 1) + j]
        series = np.zeros((degree + 1, degree + 1, 2))
        series[i, j] = np.linalg.lstsq(design, yx[some])[0]
        return cls(middle, half, series)

    def quadratic_at(self, at: Ints, terms: int = 6) -> Floats:
        """Coefficients (K, terms, 2) of 1, i, j, i i, i j, j j around the nodes `at` (K, 2), px."""
        u, v = ((at - self.middle) / self.half).T
        out = np.empty((len(at), terms, 2))
        for k, (m, n) in enumerate(((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))[:terms]):
            slope = chebyshev.chebder(chebyshev.chebder(self.series, m, axis=0), n, axis=1)
            factor = 1 / (self.half[0] ** m * self.half[1] ** n) / (2 if 2 in (m, n) else 1)
            out[:, k] = factor * chebyshev.chebval2d(u, v, slope).T
        return out
