"""Noise of the pixels, from what a good fit leaves over."""

from __future__ import annotations

import numpy as np

from ._typing import AnyArray
from .errors import PickingError
from .spots import Noise

__all__ = ["noise_of"]

_BINS = 12
#: So many pixels tell the variance in each bin to one or two per cent.
_PIXELS = 100_000


def noise_of(level: AnyArray, residual: AnyArray, *, quantised: bool) -> Noise:
    """Variance as a straight line of the level, through robust variances of bins.

    Parameters
    ----------
    level, residual : expected counts and what was read minus that, of many pixels, any shape
    quantised : readings are whole numbers, so the variance is at least 1/12

    Raises
    ------
    PickingError
        Fewer than 50 pixels.
    """
    level, residual = np.ravel(level), np.ravel(residual)
    if len(level) < 50:
        raise PickingError(
            f"{len(level)} usable pixels around the spots", expected="at least 50", hint="check the mask"
        )
    step = len(level) // _PIXELS + 1
    level, square = level[::step].astype(float), residual[::step].astype(float) ** 2
    count = int(np.clip(len(level) // 40, 1, _BINS))
    edges = np.quantile(level, np.linspace(0, 1, count + 1))
    where = np.clip(np.searchsorted(edges, level, side="right") - 1, 0, count - 1)
    bins = [b for b in (np.flatnonzero(where == k) for k in range(count)) if len(b) >= 20]
    x = np.array([level[b].mean() for b in bins])
    # the median of the square of a normal variable is 0.4549 of its variance; quantised data want the quartiles'
    # neighbourhood as well
    variance = np.array([_robust_variance(square[b], quantised) for b in bins])
    floor = 1 / 12 if quantised else 1e-12
    variance = np.maximum(variance, floor)
    gain, base = 0.0, float(np.median(variance))
    span = float(np.ptp(x)) if len(x) else 0.0
    if len(x) > 2 and span > 0:
        weight = 1 / variance**2
        xm, vm = np.average(x, weights=weight), np.average(variance, weights=weight)
        slope = np.average((x - xm) * (variance - vm), weights=weight) / np.average((x - xm) ** 2, weights=weight)
        gain = max(0.0, float(slope))
        base = float(vm - gain * (xm - x.min()))
    base = max(base, 0.3 * float(variance.min()), floor)
    return Noise(gain, float(np.sqrt(base)), float(x.min()) if len(x) else 0.0)


def _robust_variance(square: AnyArray, quantised: bool) -> float:
    """Variance from the middle of the distribution; from a trimmed mean where whole numbers make quantiles coarse."""
    median = float(np.median(square)) / 0.4549
    if quantised and median < 4:
        limit = 9 * max(median, 1 / 12, 0.5 * float(square.mean()))
        kept = square[square <= limit]
        return float(kept.mean()) / 0.97 if len(kept) else median
    return median
