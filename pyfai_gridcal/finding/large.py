"""Large holes: their windows are larger, and those of very large ones are looked at on larger pixels.

A rim that is a pixel or two wide fills less and less of a window that grows with the hole. On larger pixels, means over
blocks of b x b, large holes are like others. The pixel k of them lies at ``b k + (b - 1) / 2`` of the image.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from ..base.arrays import AnyArray, Bools, Floats
from ..records.spots import HoleProfile, Noise, Spots
from .holes.learning import hole_radius
from .holes.windows import PreparedImage
from .search import Found, spacing_of

#: Holes of this radius, px, are large: windows 1.3 times as large fit into the usual padding of an image. On larger
#: pixels they are at least as large, and smaller than twice as large: a rim that is sharper than half a pixel would
#: not tell where between the pixels it lies.
_LARGE = 24.0
#: Padding for windows of holes of twice this radius, px.
_PAD = 70
#: A guess is good to some 30 %: what it says to be smaller need not be measured.
_PERHAPS = 0.7


def prepared_for(image: AnyArray, mask: Bools | None, saturation: float | None, found: Found) -> PreparedImage:
    """The image, ready to fit the holes that were found, which are as large as their mean picture shows them."""
    guess, polarity = found.guess.radius_px, found.guess.polarity
    if guess >= _PERHAPS * _LARGE:
        wide = PreparedImage(image, mask, polarity, pad=int(2.2 * guess) + 4)
        yx = found.candidates.strong_first
        radius = hole_radius(wide, yx, guess, spacing_of(yx))
        if radius >= _LARGE:
            return PreparedImage(image, mask, polarity, saturation, _PAD, max(1, int(radius / _LARGE)))
    return PreparedImage(image, mask, polarity, saturation)


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
