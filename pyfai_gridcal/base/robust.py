"""Means that a few wild values do not decide."""

from __future__ import annotations

import numpy as np

from .arrays import Floats


def rms(values: Floats, sigma: Floats | None = None) -> float:
    """Root mean square, NaN of nothing.

    With the uncertainty of the values they count by :func:`shares`.
    """
    if not np.size(values):
        return float("nan")
    if sigma is None:
        return float(np.sqrt(np.mean(np.square(values))))
    weight = shares(sigma)
    return float(np.sqrt((weight * np.square(values)).sum() / weight.sum()))


def shares(sigma: Floats) -> Floats:
    """What values of this uncertainty count in a mean, at most 1.

    Those that are known worse than half of them count less, by the square: a spot at the border of which hardly
    anything is seen says nothing about all others.
    """
    usual = np.median(sigma)
    weight: Floats = np.ones_like(sigma)
    np.divide(usual, sigma, out=weight, where=sigma > usual)
    weight **= 2
    return weight
