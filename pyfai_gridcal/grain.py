"""Noise that neighbouring pixels share.

Colour cameras interpolate between their pixels, JPEG writes blocks of waves, and resampled images are averages: the
noise comes in grains larger than a pixel. A fit that takes pixels for independent then finds the same places, but
believes in them too much.
"""

from __future__ import annotations

import numpy as np

from ._typing import AnyArray, Bools, Floats
from .spots import HoleProfile

__all__ = ["correlation_of", "grain_factor"]

#: Farthest pixels that share noise.
_FAR = 2
#: Correlation of next neighbours from which on it counts.
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
    size = 1.4826 * float(np.median(np.abs(residual[known]))) if known.any() else 0.0
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
