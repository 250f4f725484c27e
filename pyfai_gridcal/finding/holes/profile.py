"""The picture of a hole, learned from the image.

As in effective-PSF photometry (J. Anderson and I. R. King, PASP 112 (2000) 1360, doi:10.1086/316632) the profile is a
table of samples, finer than the pixels, of what a pixel reads at a given offset from the centre of a hole: blur and
pixel area are included. It is made symmetric about its centre, which is what defines the position of a spot.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil

import numpy as np
from scipy import ndimage, special

from ...base.arrays import AnyArray, Floats, frozen_array
from ...records.spots import HoleProfile

#: Samples per px of the blurred disk that a search starts with, along its radius: what lies between is then right to
#: 1e-4; and the sharpest Gaussian, px, beside the area of the pixels.
_FINE, _SHARPEST = 64, 0.15
#: A Gaussian is nothing so many standard deviations away: 3e-7 of it lies beyond.
_FAR = 5.0
#: Smoothing of what a profile is corrected by, in bins of its table; and the lightest, which fills empty bins.
_WIDTH, _LIGHT = 1.6, 0.5
#: Steps of a fit of radius and blur at most, and the last one of them, px: a thousandth moves no template.
_STEPS, _LAST_PX = 12, 1e-3


def disk_profile(
    radius_px: float, blur_px: float, reach: int, oversampling: int = 4, *, sharpest: float = _SHARPEST
) -> HoleProfile:
    """A blurred disk as a start: 1 inside `radius_px`, of standard deviation `blur_px`, known up to `reach` px.

    Of the blur the mean over the square of a pixel is a part, which sharp images show; the rest is at least `sharpest`.
    """
    gauss = np.sqrt(max(blur_px**2 - 1 / 12, sharpest**2))
    # samples fine enough for the Gaussian, in a radius and in the plane
    finer = ceil(1 / (oversampling * 0.25 * min(gauss, 1.0)))
    step = finer * oversampling
    r = _distances((reach + 2) * step, step)
    along = np.linspace(0, r.max(), int(_FINE * r.max()) + 2)
    table = np.interp(r, along, blurred_disk(radius_px, float(gauss), along))
    pixel = np.convolve(np.full(step, 1 / step), (0.5, 0.5))
    for axis in (0, 1):
        table = ndimage.convolve1d(table, pixel, axis=axis)
    return HoleProfile(table[step:-step:finer, step:-step:finer], oversampling)


def _distances(n: int, oversampling: int) -> Floats:
    """(2 n + 1, 2 n + 1) distances of the samples of a table from its middle, px."""
    offset = np.arange(-n, n + 1) / oversampling
    return np.hypot(offset[:, None], offset[None, :])


def profile_radius(profile: HoleProfile) -> float:
    """Radius of the disk of the same area as the part of the profile above half height, px."""
    return float(np.sqrt(np.count_nonzero(profile.table > 0.5) / np.pi) / profile.oversampling)


def learned_profile(
    profile: HoleProfile,
    offsets: tuple[AnyArray, AnyArray],
    residual: AnyArray,
    weight: AnyArray,
    *,
    fourfold: bool,
    disk: bool = False,
) -> HoleProfile:
    """Correct a profile by what a fit with it left over.

    Parameters
    ----------
    profile : the one that was fitted
    offsets : (y, x) of each pixel from the centre of its spot, px; arrays of one shape
    residual : (image - model) / amplitude of these pixels
    weight : of these pixels, 0 to leave one out
    fourfold : average over the eight symmetries of a square (few spots), else only over point reflection
    disk : return the blurred disk that comes nearest. Smoothing takes from a sharp profile what its correction should
        bring, and a profile that is less sharp than the image moves spots with their sub-pixel phases.
    """
    table, s = profile.table, profile.oversampling
    n = table.shape[0]
    k = [np.rint(np.asarray(o) * s).astype(np.int32) + n // 2 for o in offsets]
    inside = (k[0] >= 0) & (k[0] < n) & (k[1] >= 0) & (k[1] < n) & (weight > 0)
    # residuals fall into the bins of the table, and each bin shares with those that symmetry makes its equals
    flat = (k[0] * n + k[1])[inside]
    total = np.bincount(flat, weights=(residual * weight)[inside], minlength=n * n).reshape(n, n)
    count = np.bincount(flat, weights=weight[inside], minlength=n * n).reshape(n, n)
    for sums in (total, count):
        sums += sums[::-1, ::-1]
        if fourfold:
            sums += sums[::-1]
            sums += sums.T
    # bins are filled from their neighbours where a bin saw few pixels: a light Gaussian smoothing of sums and weights
    # (finer structure than that of a blurred disk is in no real profile)
    width = _LIGHT if disk else _WIDTH
    smooth = ndimage.gaussian_filter(total, width, mode="nearest") / np.maximum(
        ndimage.gaussian_filter(count, width, mode="nearest"), 1e-9 * max(float(count.max()), 1e-30)
    )
    known = ndimage.gaussian_filter(count, 1.0, mode="nearest") > 1e-3 * float(count.mean())
    out = HoleProfile(table + np.where(known, smooth, 0.0), s)
    if not disk:
        return out
    # bins, the rings of these and their smoothing have blurred it, too
    radius, blur = disk_and_blur(out)
    return disk_profile(radius, np.sqrt(blur**2 - (width**2 + 2 / 12) / s**2), n // (2 * s) - 1, s)


def normalised(profile: HoleProfile, fit_reach: float) -> HoleProfile:
    """Scale a profile to 0 at the rim of the fitted window and 1 in its plateau."""
    table, s = profile.table, profile.oversampling
    r = _distances(table.shape[0] // 2, s)
    rim = float(np.median(table[(r > fit_reach - 1) & (r <= fit_reach)]))
    top = float(np.quantile(table[r <= 0.5 * fit_reach], 0.97))
    return HoleProfile((table - rim) / max(top - rim, 1e-6), s)


def blurred_disk(radius_px: float, blur_px: float, r: Floats) -> Floats:
    """Disk of 1 convolved with a Gaussian, at distances `r` (N,) px from its centre; (N,).

    Integral over the disk of the Rice density: ``p(r) = int_0^R rho / s**2 exp(-(r**2 + rho**2) / (2 s**2)) I0(r rho
    / s**2) drho``.
    """
    # of a sharp disk all but the rim is 1, and nothing but the rim counts there
    low = max(0.0, radius_px - 2 * _FAR * blur_px)
    # a Gauss rule with some nodes for each blur along the radius is right to 1e-5
    node, weight = _gauss_rule(int(np.clip(np.ceil(3 * (radius_px - low) / blur_px), 12, 64)))
    part = 0.5 * (radius_px - low)
    rho, s2 = low + part * (1 + node), blur_px**2
    scaled = special.ive(0, r[:, None] * rho[None, :] / s2) * np.exp(-((r[:, None] - rho[None, :]) ** 2) / (2 * s2))
    out: Floats = scaled @ (rho * part * weight) / s2
    return np.where((low > 0) & (r < radius_px - _FAR * blur_px), 1.0, out)


@lru_cache(maxsize=64)
def _gauss_rule(count: int) -> tuple[Floats, Floats]:
    """Nodes and weights of Gauss and Legendre on -1..1."""
    node, weight = np.polynomial.legendre.leggauss(count)
    return frozen_array(node), frozen_array(weight)


def disk_and_blur(profile: HoleProfile) -> tuple[float, float]:
    """Radius and blur (standard deviation, pixel area included) of the blurred disk nearest to a profile, px."""
    table, s = profile.table, profile.oversampling
    n = table.shape[0] // 2
    ring = np.rint(_distances(n, s) * s).astype(int).ravel()
    count = np.bincount(ring)[:n]
    mean = np.bincount(ring, table.ravel())[:n] / count
    r, count, mean = (np.arange(n) / s)[::2], count[::2], mean[::2]
    # the mean over rings, weighed by their number of samples, against a blurred disk of free height on a free ground: a
    # profile is made 0 at the end of its window, but between soft holes it is never dark
    half, weight = profile_radius(profile), count / count.sum()

    def misfit(p: Floats) -> Floats:
        model = blurred_disk(p[0], p[1], r)
        about, level = model - weight @ model, mean - weight @ mean
        size = (weight * about) @ level / max(float((weight * about) @ about), 1e-12)
        return np.asarray((level - size * about) * np.sqrt(count))

    start = np.array([half, max(0.5, 0.2 * half)])
    radius, blur = _least_squares(misfit, start, np.array([0.3, 0.25]), np.array([2 * half + 1, half + 1]))
    return float(radius), float(blur)


def _least_squares(misfit: Callable[[Floats], Floats], start: Floats, low: Floats, high: Floats) -> Floats:
    """Parameters within a box at which the sum of squares is least (K. Levenberg, D. W. Marquardt), for a few of them.

    Importing scipy's ``optimize``, which nothing else needs here, takes longer than all fits of a calibration.
    """
    best = np.clip(start, low, high)
    left, damping = misfit(best), 1e-3
    for _ in range(_STEPS):
        # slopes by differences, then steps that are damped until one leads downhill
        width = 1e-4 * np.maximum(best, 0.1)
        slope = np.stack([(misfit(best + w) - left) / w.sum() for w in np.diag(width)])
        normal, pull = slope @ slope.T, slope @ left
        for _ in range(_STEPS):
            turn = normal + np.diag(damping * np.diag(normal) + 1e-12)
            tried = np.clip(best - np.linalg.solve(turn, pull), low, high)
            over = misfit(tried)
            if over @ over <= left @ left:
                break
            damping *= 10
        else:
            return best
        moved = np.abs(tried - best).max()
        best, left, damping = tried, over, damping / 10
        if moved < _LAST_PX:
            break
    return best


def window_reach(radius_px: float, spacing_px: float) -> int:
    """Pixels on each side of a spot that its fit looks at: the hole and its rim, but not its neighbours'."""
    wanted = ceil(1.3 * radius_px + 3.5)
    room = int(min(0.5 * spacing_px, 1000))
    return max(3, min(wanted, room), min(wanted, ceil(radius_px + 1)))
