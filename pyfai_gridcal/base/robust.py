"""Means that a few wild values do not decide."""

from __future__ import annotations

import numpy as np

from .arrays import AnyArray, Floats

#: Standard deviation over median absolute deviation of a normal distribution: 1 / quantile(3/4).
NORMAL = 1.4826


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


def spread(values: AnyArray, *, about: float | None = None) -> float:
    """Standard deviation of the bulk of normal values, from their median distance to `about`.

    Parameters
    ----------
    values : any shape, finite
    about : what they scatter around; their median if omitted

    Returns
    -------
    float
        NaN of nothing.
    """
    if not np.size(values):
        return float("nan")
    middle = np.median(values) if about is None else about
    return NORMAL * float(np.median(np.abs(values - middle)))


def cauchy_weights(off: Floats) -> Floats:
    """Weights (N,) that fall off with how far values are off (N,), not negative: a half at three times the spread."""
    weight: Floats = 1 / (1 + (off / (3 * NORMAL * float(np.median(off)) + 1e-12)) ** 2)
    return weight
