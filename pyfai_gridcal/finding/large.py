"""Large holes: what is known of them on the pixels of the image, and on larger ones.

The windows of a fit grow with the square of a hole's radius, and a rim that is a pixel or two wide fills less and less
of them. On larger pixels, means over blocks of b x b, large holes are like others. The pixel k of them lies at
``b k + (b - 1) / 2`` of the image.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from ..base.arrays import AnyArray, Bools, Floats
from ..records.spots import HoleProfile, Noise, Spots
from .learning import hole_radius
from .search import Found, spacing_of
from .windows import PreparedImage

#: Holes of this radius, px, are large, and of at least half of it on larger pixels: their rims still are some pixels
#: from all that is not theirs, and their windows, 1.3 times as large, fit into the padding of an image.
_LARGE = 24.0
#: A guess is good to some 30 %: what it says to be smaller need not be measured.
_PERHAPS = 0.7


def fitting_bin(image: AnyArray, mask: Bools | None, found: Found) -> int:
    """Binning at which the holes that were found, as large as their mean picture shows them, are fitted."""
    guess, yx = found.guess.radius_px, found.candidates.strong_first
    if guess < _PERHAPS * _LARGE:
        return 1
    prepared = PreparedImage(image, mask, found.guess.polarity, pad=int(2.2 * guess) + 4)
    return max(1, int(hole_radius(prepared, yx, guess, spacing_of(yx)) / (_LARGE / 2)))


def shrunk(found: Found, noise: Noise | None, factor: int) -> tuple[Found, Noise | None]:
    """The same on pixels that are means over blocks of `factor` x `factor`."""
    if factor == 1:
        return found, noise
    candidates = replace(found.candidates, yx=_place(found.candidates.yx, factor))
    points = found.points
    if points is not None:
        sigma, basis = points.sigma_yx / factor, points.basis_px / factor
        points = replace(points, yx=_place(points.yx, factor), sigma_yx=sigma, basis_px=basis)
    if noise is not None:
        noise = replace(noise, gain=noise.gain / factor**2, readout=noise.readout / factor)
    return Found(replace(found.guess, radius_px=found.guess.radius_px / factor), candidates, points), noise


def _place(yx: Floats, factor: int) -> Floats:
    return (yx - (factor - 1) / 2) / factor


def enlarged(spots: Spots, factor: int) -> Spots:
    """Spots as measured on pixels that are means over blocks of `factor` x `factor`, on those of the image."""
    noise, profile, shared = spots.noise, spots.profile, spots.shared_yx
    if noise is not None:
        noise = replace(noise, gain=noise.gain * factor**2, readout=noise.readout * factor)
    return replace(
        spots,
        yx=spots.yx * factor + (factor - 1) / 2,
        sigma_yx=spots.sigma_yx * factor,
        hole_px=spots.hole_px * factor,
        noise=noise,
        profile=None if profile is None else _enlarged_profile(profile, factor),
        shared_yx=None if shared is None else shared * factor,
    )


def _enlarged_profile(profile: HoleProfile, factor: int) -> HoleProfile:
    """The same picture sampled on the pixels of the image, no coarser than it was."""
    fine = -(-profile.oversampling // factor)
    step = profile.oversampling / (factor * fine)
    half = int((profile.table.shape[0] // 2) / step)
    at = np.arange(-half, half + 1) * step + profile.table.shape[0] // 2
    table = ndimage.map_coordinates(profile.table, np.meshgrid(at, at, indexing="ij"), order=3, mode="nearest")
    basis = None if profile.basis_px is None else profile.basis_px * factor
    return HoleProfile(table, fine, basis)
