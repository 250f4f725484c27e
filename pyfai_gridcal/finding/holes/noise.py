"""Noise of the pixels, from what a good fit leaves over."""

from __future__ import annotations

import numpy as np

from ...base.arrays import AnyArray, Bools, Floats
from ...base.errors import PickingError
from ...base.robust import spread
from ...records.spots import HoleProfile, Noise

#: Bins of the level, at most: a line needs few, and each should hold many pixels.
_BINS = 12

#: So many pixels tell the variance in each bin to one or two per cent.
_PIXELS = 100_000
#: A bin that spans so much of all levels lies at the rims of holes.
_WIDE = 0.5


def noise_of(level: AnyArray, residual: AnyArray, *, quantised: bool, factor: int = 1) -> Noise:
    """Variance as a straight line of the level, through robust variances of bins.

    Parameters
    ----------
    level, residual : expected counts and what was read minus that, of many pixels, any shape
    quantised : readings are whole numbers, so the variance is at least 1/12
    factor : each pixel is a mean over blocks of so many readings along each axis

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
    # bins of equal numbers of pixels along the level, a robust variance in each
    step = len(level) // _PIXELS + 1
    level, square = level[::step].astype(float), residual[::step].astype(float) ** 2
    count = int(np.clip(len(level) // 40, 1, _BINS))
    edges = np.quantile(level, np.linspace(0, 1, count + 1))
    where = np.clip(np.searchsorted(edges, level, side="right") - 1, 0, count - 1)
    bins = [part for k in range(count) for part in _of_one_level(np.flatnonzero(where == k), level) if len(part) >= 20]
    x = np.array([level[b].mean() for b in bins])
    # the median of the square of a normal variable is 0.4549 of its variance; quantised data want the quartiles'
    # neighbourhood as well
    variance = np.array([_robust_variance(square[b], quantised and factor == 1) for b in bins])
    floor = 1 / 12 / factor**2 if quantised else 1e-12
    variance = np.maximum(variance, floor)
    # a line through these, weighed by how well each is known; its slope is the gain
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


def _of_one_level(rows: AnyArray, level: Floats) -> list[AnyArray]:
    """The bin with these rows; what holds the levels of both ground and holes says of neither how it scatters, so such
    a bin becomes two."""
    if not len(rows) or np.ptp(level[rows]) < _WIDE * np.ptp(level):
        return [rows]
    upper = level[rows] > 0.5 * (level[rows].min() + level[rows].max())
    return [rows[~upper], rows[upper]]


def _robust_variance(square: AnyArray, quantised: bool) -> float:
    """Variance from the middle of the distribution; from a trimmed mean where whole numbers make quantiles coarse."""
    median = float(np.median(square)) / 0.4549
    if quantised and median < 4:
        limit = 9 * max(median, 1 / 12, 0.5 * float(square.mean()))
        kept = square[square <= limit]
        return float(kept.mean()) / 0.97 if len(kept) else median
    return median


#: Farthest pixels that share noise, px; what farther ones share is taken for light.
_FAR = 2

#: Correlation of next neighbours from which on it counts: independent ones show some hundredths at most, one over
#: the root of their number.
_SEEN = 0.1


def correlation_of(residual: AnyArray, usable: Bools) -> Floats:
    """Correlation (5, 5) of what pixels scatter, at distances of -2 .. 2 px along both axes.

    What pixels four apart still have in common is no noise but light, and is taken off.

    Parameters
    ----------
    residual : (N, m * m) windows of what a fit leaves over
    usable : (N, m * m)
    """
    side = round(np.sqrt(residual.shape[1]))
    known = np.asarray(usable, dtype=bool)
    size = spread(residual[known], about=0.0) if known.any() else 0.0
    out = np.zeros((2 * _FAR + 1, 2 * _FAR + 1))
    out[_FAR, _FAR] = 1.0
    if side <= 2 * _FAR or not size > 0:
        return out
    window = np.where(known, np.clip(residual, -4 * size, 4 * size), 0.0).reshape(-1, side, side)
    good = known.reshape(window.shape)

    def at(dy: int, dx: int) -> float:
        here = (slice(None), slice(0, side - dy), slice(max(0, -dx), side - max(0, dx)))
        there = (slice(None), slice(dy, side), slice(max(0, dx), side + min(0, dx)))
        both = good[here] & good[there]
        a, b = window[here][both], window[there][both]
        return float((a * b).mean() / max(np.sqrt((a * a).mean() * (b * b).mean()), 1e-30)) if len(a) > 50 else 0.0

    common = max(0.0, 0.5 * (at(2 * _FAR, 0) + at(0, 2 * _FAR)))
    for dy in range(_FAR + 1):
        for dx in range(-_FAR, _FAR + 1):
            if dy or dx:
                value = (at(dy, dx) - common) / max(1 - common, 1e-3)
                out[_FAR + dy, _FAR + dx] = out[_FAR - dy, _FAR - dx] = value
    return out


def grain_factor(correlation: Floats, profile: HoleProfile) -> float:
    """How many times less sure than of independent pixels the place of a hole is, at least 1.

    For a place from weights g per pixel (the slope of the profile), its variance is the sum of g g' over all pairs of
    pixels times their correlation.
    """
    if max(correlation[_FAR, _FAR + 1], correlation[_FAR + 1, _FAR]) < _SEEN:
        return 1.0
    fine, total = profile.oversampling, 0.0
    for slope in np.gradient(profile.table):
        padded = np.pad(slope, _FAR * fine)
        for dy in range(-_FAR, _FAR + 1):
            for dx in range(-_FAR, _FAR + 1):
                moved = np.roll(padded, (dy * fine, dx * fine), axis=(0, 1))
                share = float((padded * moved).sum() / max(float((slope**2).sum()), 1e-30))
                total += 0.5 * share * correlation[_FAR + dy, _FAR + dx]
    return float(np.sqrt(max(total, 1.0)))
