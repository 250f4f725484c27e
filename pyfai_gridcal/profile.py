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

__all__ = [
    "TemplateBank",
    "Templates",
    "disk_profile",
    "learned_profile",
    "normalised",
    "profile_radius",
    "window_reach",
]

#: Sub-pixel phases per axis for which templates are kept; in between a first-order expansion is good to 5e-4 of the amplitude.
PHASES = 8
#: Widest difference of rims within one class of stretch, px.
_RIM_SHIFT = 0.8


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
    # (a blur of at least half a pixel keeps finer structure out of any real profile)
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


def profile_blur(profile: HoleProfile) -> float:
    """Standard deviation of the blur (pixel area included) from the steepest mean slope of the rim, px."""
    table, s = profile.table, profile.oversampling
    n = table.shape[0] // 2
    offset = np.arange(-n, n + 1) / s
    r = np.hypot(offset[:, None], offset[None, :])
    slow, fast = (np.gradient(table, axis=k) * s for k in (0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        radial = -(slow * offset[:, None] + fast * offset[None, :]) / np.maximum(r, 1 / s)
    ring = np.rint(r * s).astype(int)
    steepest = float((np.bincount(ring.ravel(), radial.ravel())[:n] / np.bincount(ring.ravel())[:n]).max())
    return 1 / (np.sqrt(2 * np.pi) * max(steepest, 1e-3))


@dataclass(frozen=True, eq=False)
class _FineTables:
    """A profile and its second derivatives (per px squared) on a raster fine enough for linear interpolation."""

    value: AnyArray
    yy: AnyArray
    yx: AnyArray
    xx: AnyArray
    oversampling: int
    blur: float

    @classmethod
    def of(cls, profile: HoleProfile, factor: int = 4) -> _FineTables:
        n = profile.table.shape[0]
        fine = np.arange((n - 1) * factor + 1) / factor
        coefficients = ndimage.spline_filter(profile.table, order=3, mode="nearest")
        grid = np.meshgrid(fine, fine, indexing="ij")
        value = ndimage.map_coordinates(coefficients, grid, order=3, mode="nearest", prefilter=False)
        oversampling = profile.oversampling * factor
        # second derivatives of a noisy table want a little smoothing
        slow, fast = (np.gradient(ndimage.gaussian_filter(value, factor), axis=k) * oversampling for k in (0, 1))
        yy, yx = (np.gradient(slow, axis=k) * oversampling for k in (0, 1))
        xx = np.gradient(fast, axis=1) * oversampling
        return cls(value, yy, yx, xx, oversampling, profile_blur(profile))

    def stretched(self, back: Floats) -> AnyArray:
        """Table for holes stretched by ``inv(back)``: the blur belongs to the detector and is not stretched with them."""
        c = (back.T @ back - np.eye(2)) * min(self.blur, 3.0) ** 2
        return self.value + 0.5 * (c[0, 0] * self.yy + 2 * c[0, 1] * self.yx + c[1, 1] * self.xx)


@dataclass(frozen=True, eq=False)
class Templates:
    """A profile on the pixels of a window, for all sub-pixel phases.

    Attributes
    ----------
    reach : the window has 2 reach + 1 pixels along each axis
    value, slow, fast : (PHASES**2, (2 reach + 1)**2) profile and its derivatives with respect to the place of the *hole*, per px
    """

    reach: int
    value: AnyArray
    slow: AnyArray
    fast: AnyArray

    @classmethod
    def of(cls, profile: HoleProfile, reach: int, stretch: Floats | None = None) -> Templates:
        """Sample `profile` by cubic splines for a window of +- `reach` px.

        `stretch` (2, 2) takes offsets (y, x) of the hole that was learned to those of the hole seen here, as rows: ``d @ stretch``.
        """
        return cls.sampled(_FineTables.of(profile), reach, stretch)

    @classmethod
    def sampled(cls, tables: _FineTables, reach: int, stretch: Floats | None) -> Templates:
        """The same from tables fine enough for linear interpolation."""
        phases = (np.arange(PHASES) + 0.5) / PHASES - 0.5
        pixels = np.arange(-reach, reach + 1)
        shape = (PHASES, PHASES, len(pixels), len(pixels))
        offset = pixels[None, :] - phases[:, None]
        y = np.broadcast_to(offset[:, None, :, None], shape).ravel()
        x = np.broadcast_to(offset[None, :, None, :], shape).ravel()
        back = np.eye(2) if stretch is None else np.linalg.inv(stretch)
        table = tables.value if stretch is None else tables.stretched(back)
        n = table.shape[0] // 2
        at = [(y * back[0, k] + x * back[1, k]) * tables.oversampling + n for k in (0, 1)]

        def sample(values: AnyArray) -> AnyArray:
            out = ndimage.map_coordinates(values.astype(np.float32), at, order=1, mode="nearest")
            return np.asarray(out, dtype=np.float32).reshape(PHASES**2, -1)

        down, right = (sample(np.gradient(table, axis=k) * tables.oversampling) for k in (0, 1))
        # moving the hole by t moves the profile's argument by -t @ back
        slow = -(back[0, 0] * down + back[0, 1] * right)
        fast = -(back[1, 0] * down + back[1, 1] * right)
        return cls(reach, sample(table), slow.astype(np.float32), fast.astype(np.float32))

    @staticmethod
    def phase(fraction_yx: Floats) -> tuple[AnyArray, Floats]:
        """Row of the nearest template and the remaining (y, x) shift, for fractions (N, 2) in [-0.5, 0.5]."""
        k = np.clip(np.floor((fraction_yx + 0.5) * PHASES).astype(int), 0, PHASES - 1)
        rest = fraction_yx - ((k + 0.5) / PHASES - 0.5)
        return k[:, 0] * PHASES + k[:, 1], rest


@dataclass(frozen=True, eq=False)
class TemplateBank:
    """Templates for holes that are stretched differently over the image.

    Attributes
    ----------
    templates : one for each class of similar stretch
    label : (N,) class of each spot
    rest : (N, 2, 2) what is left of its stretch, minus the identity; first order is enough for it
    """

    templates: tuple[Templates, ...]
    label: AnyArray
    rest: Floats

    def select(self, rows: AnyArray) -> TemplateBank:
        """The same templates for the spots `rows`."""
        return TemplateBank(self.templates, self.label[rows], self.rest[rows])

    @classmethod
    def of(cls, profile: HoleProfile, reach: int, stretch: Floats | None, count: int) -> TemplateBank:
        """Group `stretch` (N, 2, 2) into classes within which a rim moves by half a pixel at most; None stands for no stretch."""
        tables = _FineTables.of(profile)
        if stretch is None:
            return cls((Templates.sampled(tables, reach, None),), np.zeros(count, int), np.zeros((count, 2, 2)))
        radius = max(profile_radius(profile), 1.0)
        flat = np.rint((stretch - np.eye(2)).reshape(-1, 4) * min(radius / _RIM_SHIFT, 25.0)).astype(int)
        codes, label = np.unique(flat, axis=0, return_inverse=True)
        label = label.ravel()
        means = np.stack([stretch[label == k].mean(axis=0) for k in range(len(codes))])
        # first order moves the rim; that of a blurred disk moves less than its radius grows (see `_FineTables.stretched`)
        rest = (np.linalg.solve(means[label], stretch) - np.eye(2)) * (1 - min(tables.blur / radius, 0.7) ** 2)
        return cls(tuple(Templates.sampled(tables, reach, m) for m in means), label, rest)


def window_reach(radius_px: float, spacing_px: float) -> int:
    """Pixels on each side of a spot that its fit looks at: the hole and its rim, but not its neighbours'."""
    wanted = ceil(1.3 * radius_px + 3.5)
    room = int(0.5 * spacing_px)
    return max(3, min(wanted, room), min(wanted, ceil(radius_px + 1)))
