"""The picture of a hole, learned from the image, and its templates at all sub-pixel phases.

As in effective-PSF photometry (J. Anderson and I. R. King, PASP 112 (2000) 1360, doi:10.1086/316632) the profile is a table of samples,
finer than the pixels, of what a pixel reads at a given offset from the centre of a hole: blur and pixel area are included. It is made
symmetric about its centre, which is what defines the position of a spot.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from scipy import ndimage, special

from ._typing import AnyArray, Floats
from .spots import HoleProfile

__all__ = ["Templates", "disk_profile", "learned_profile", "profile_radius"]

#: Sub-pixel phases per axis for which templates are kept; in between a first-order expansion is good to 2e-4 of the amplitude.
PHASES = 16


def disk_profile(radius_px: float, blur_px: float, reach: int, oversampling: int = 4) -> HoleProfile:
    """A blurred disk as a start: 1 inside `radius_px`, edge of width `blur_px`, known up to `reach` px."""
    n = (reach + 1) * oversampling
    offset = np.arange(-n, n + 1) / oversampling
    r = np.hypot(offset[:, None], offset[None, :])
    return HoleProfile(0.5 * special.erfc((r - radius_px) / (np.sqrt(2) * blur_px)), oversampling)


def profile_radius(profile: HoleProfile) -> float:
    """Radius of the disk of the same area as the part of the profile above half height, px."""
    return float(np.sqrt(np.count_nonzero(profile.table > 0.5) / np.pi) / profile.oversampling)


def learned_profile(
    profile: HoleProfile, offsets: tuple[AnyArray, AnyArray], residual: AnyArray, weight: AnyArray, *, fourfold: bool
) -> HoleProfile:
    """Correct a profile by what a fit with it left over.

    Parameters
    ----------
    profile : the one that was fitted
    offsets : (y, x) of each pixel from the centre of its spot, px; arrays of one shape
    residual : (image - model) / amplitude of these pixels
    weight : of these pixels, 0 to leave one out
    fourfold : average over the eight symmetries of a square (few spots), else only over point reflection
    """
    table, s = profile.table, profile.oversampling
    n = table.shape[0]
    k = [np.rint(np.asarray(o) * s).astype(np.int32) + n // 2 for o in offsets]
    inside = (k[0] >= 0) & (k[0] < n) & (k[1] >= 0) & (k[1] < n) & (weight > 0)
    flat = (k[0] * n + k[1])[inside]
    total = np.bincount(flat, weights=(residual * weight)[inside], minlength=n * n).reshape(n, n)
    count = np.bincount(flat, weights=weight[inside], minlength=n * n).reshape(n, n)
    for sums in (total, count):
        sums += sums[::-1, ::-1]
        if fourfold:
            sums += sums[::-1]
            sums += sums.T
    # bins are filled from their neighbours where a bin saw few pixels: a light Gaussian smoothing of sums and weights
    width = 1.6
    smooth = ndimage.gaussian_filter(total, width, mode="nearest") / np.maximum(
        ndimage.gaussian_filter(count, width, mode="nearest"), 1e-9 * max(float(count.max()), 1e-30)
    )
    known = ndimage.gaussian_filter(count, 1.0, mode="nearest") > 1e-3 * float(count.mean())
    return HoleProfile(table + np.where(known, smooth, 0.0), s)


def normalised(profile: HoleProfile, fit_reach: float) -> HoleProfile:
    """Scale a profile to 0 at the rim of the fitted window and 1 in its plateau."""
    table, s = profile.table, profile.oversampling
    n = table.shape[0] // 2
    offset = np.arange(-n, n + 1) / s
    r = np.hypot(offset[:, None], offset[None, :])
    rim = float(np.median(table[(r > fit_reach - 1) & (r <= fit_reach)]))
    top = float(np.quantile(table[r <= 0.5 * fit_reach], 0.97))
    return HoleProfile((table - rim) / max(top - rim, 1e-6), s)


@dataclass(frozen=True, eq=False)
class Templates:
    """A profile on the pixels of a window, for all sub-pixel phases.

    Attributes
    ----------
    reach : the window has 2 reach + 1 pixels along each axis
    value, slow, fast : (PHASES**2, (2 reach + 1)**2) profile and its derivatives with respect to the position of the *hole*, per px
    """

    reach: int
    value: Floats
    slow: Floats
    fast: Floats

    @classmethod
    def of(cls, profile: HoleProfile, reach: int) -> Templates:
        """Sample `profile` by cubic splines for a window of +- `reach` px."""
        phases = (np.arange(PHASES) + 0.5) / PHASES - 0.5
        pixels = np.arange(-reach, reach + 1)
        s, n = profile.oversampling, profile.table.shape[0] // 2
        coefficients = ndimage.spline_filter(profile.table, order=3, mode="nearest")
        h = 1.0 / PHASES

        def sample(dy: float, dx: float) -> AnyArray:
            y = (pixels[None, :] - phases[:, None] - dy) * s + n
            x = (pixels[None, :] - phases[:, None] - dx) * s + n
            shape = (PHASES, PHASES, len(pixels), len(pixels))
            yy = np.broadcast_to(y[:, None, :, None], shape)
            xx = np.broadcast_to(x[None, :, None, :], shape)
            out = ndimage.map_coordinates(coefficients, [yy.ravel(), xx.ravel()], order=3, mode="nearest", prefilter=False)
            return np.asarray(out).reshape(PHASES**2, -1)

        return cls(
            reach,
            sample(0, 0).astype(np.float32),
            ((sample(h, 0) - sample(-h, 0)) / (2 * h)).astype(np.float32),
            ((sample(0, h) - sample(0, -h)) / (2 * h)).astype(np.float32),
        )

    @staticmethod
    def phase(fraction_yx: Floats) -> tuple[AnyArray, Floats]:
        """Row of the nearest template and the remaining (y, x) shift, for fractions (N, 2) in [-0.5, 0.5]."""
        k = np.clip(np.floor((fraction_yx + 0.5) * PHASES).astype(int), 0, PHASES - 1)
        rest = fraction_yx - ((k + 0.5) / PHASES - 0.5)
        return k[:, 0] * PHASES + k[:, 1], rest


def window_reach(radius_px: float, spacing_px: float) -> int:
    """Pixels on each side of a spot that its fit looks at: the hole and its rim, but not its neighbours'."""
    wanted = ceil(1.3 * radius_px + 3.5)
    room = int(0.5 * spacing_px)
    return max(3, min(wanted, room), min(wanted, ceil(radius_px + 1)))
