"""Holes that are not much larger than a pixel, and hardly blurred.

A profile and the places that it makes go along with each other there: each place moves a little with its sub-pixel
phase, until what is left over tells hardly anything against the profile (chi square is a few hundredths too large). So
radius and blur are those of the disk with which least is left over when all spots may move.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from ...base.arrays import Floats
from ...records.spots import HoleProfile, Noise
from .model import SpotState
from .profile import disk_profile, profile_radius
from .refinement import fit_spots
from .templates import TemplateMaker
from .windows import PreparedImage

#: Radius of holes that may be undersampled, px, and the largest blur (pixel area included) at which they are: of 0.5 a
#: wrong profile moves places by less than a hundredth.
UNDERSAMPLED, _SHARP = 1.1, 0.5
#: Disks to begin with; first steps of the radius, far from the best or near to it, and the last; those of the blur
#: are half as long.
_FIRST = tuple(product((0.5, 0.8, 1.1), (0.33, 0.42, 0.55)))
_FAR, _NEAR, _LAST = 0.1, 0.05, 0.025
_STEPS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, -1), (-1, 1)]) * (1, 0.5)
_LEAST = (0.2, 0.3)
#: Spots that are asked, at most; a spot counts with at most so many times the usual chi square.
_SPOTS, _WILD = 400, 3.0

#: The sharpest Gaussian beside the area of a pixel, px: that of direct detectors, which share charges along edges.
_SHARPEST = 0.08

Disk = tuple[float, float]


def sharp_profile(disk: Disk, reach: int, oversampling: int = 4) -> HoleProfile:
    """The picture of a disk of such a radius and blur, known up to `reach` px."""
    return disk_profile(*disk, reach, oversampling, sharpest=_SHARPEST)


def sharp_disk(
    image: PreparedImage,
    state: SpotState,
    profile: HoleProfile,
    noise: Noise | None,
    *,
    known: Disk | None,
    limit: float,
    workers: int,
) -> Disk | None:
    """Radius and blur, px, of the disk that undersampled holes are; None of others.

    Parameters
    ----------
    state : spots to learn from
    profile : of their picture so far
    known : what was found before, with less known of the noise
    """
    if known is None and profile_radius(profile) >= UNDERSAMPLED:
        return None
    state, reach = state.select(np.arange(0, len(state), len(state) // _SPOTS + 1)), int(profile.reach) - 1

    def left(disk: Disk) -> float:
        maker = TemplateMaker(sharp_profile(disk, reach, profile.oversampling), reach, coarseness=2.0, workers=workers)
        bank = maker.bank(state.stretch, len(state))
        fitted = fit_spots(image, state, bank, noise, iterations=4, limit=limit, workers=workers)
        chi2: Floats = fitted.chi2[fitted.good]
        return float(np.minimum(chi2, _WILD * np.median(chi2)).mean()) if len(chi2) else np.inf

    tried = {disk: left(disk) for disk in ([known] if known else _FIRST)}
    step = _NEAR if known else _FAR
    while step >= _LAST:
        best = min(tried, key=tried.__getitem__)
        around = [(float(radius), float(blur)) for radius, blur in best + step * _STEPS]
        tried |= {d: left(d) for d in around if d not in tried and d[0] > _LEAST[0] and d[1] > _LEAST[1]}
        if min(tried, key=tried.__getitem__) == best:
            step /= 2
    return best if best[1] < _SHARP else None
