"""Regular errors of a plate apart from those of single holes: pitch, angle, bend and rows.

What is regular aliases into the distortion of one exposure; what single holes are off by only scatters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...base.arrays import Floats
from ...base.robust import rms
from ...base.units import format_length
from ...records.plate import Plate

#: Fewest holes that tell the twelve numbers of a bent plate from noise.
FEWEST = 30
#: A part is named when it stands out by so many standard deviations.
_SEEN = 5.0


@dataclass(frozen=True, eq=False)
class OrderedErrors:
    """Parts of the errors of the holes.

    Attributes
    ----------
    scale, stretch, shear : relative: both pitches longer, the first longer and the second shorter, the axes off square
    sigma : of each of these
    bend_m : rms of the quadratic part, metres
    rows_m : rms by which whole rows, of either direction, are off beyond that
    single_m : rms of what is left of the single holes, per axis
    smooth : (H, 2) scale, stretch, shear and bend at the holes, with a shift and a turn, metres
    """

    scale: float
    stretch: float
    shear: float
    sigma: float
    bend_m: float
    rows_m: float
    single_m: float
    smooth: Floats

    @property
    def longer(self) -> bool:
        """Whether the mean pitch is surely another."""
        return abs(self.scale) > _SEEN * self.sigma

    def words(self) -> str:
        """What stands out, in words."""
        parts = {
            f"pitch longer by {1e6 * self.scale:+.3g} ppm": self.longer,
            f"axes differ by {2e6 * self.stretch:+.3g} ppm": abs(self.stretch) > _SEEN * self.sigma,
            f"axes off square by {2e3 * self.shear:+.3g} mrad": abs(self.shear) > _SEEN * self.sigma,
            f"bent by {format_length(self.bend_m, digits=2)} rms": self.bend_m > 0,
            f"rows off by {format_length(self.rows_m, digits=2)} rms": self.rows_m > 0,
        }
        regular = ", ".join(text for text, seen in parts.items() if seen) or "no regular ones"
        return f"errors of the plate: {regular}; single holes {format_length(self.single_m, digits=2)} rms"


def ordered_errors(plate: Plate) -> OrderedErrors | None:
    """The parts of the known errors of a plate; None of fewer than 30 holes."""
    if plate.error_ij is None or plate.error_yx is None or len(plate.error_ij) < FEWEST:
        return None
    ij, error = plate.error_ij, plate.error_yx
    p = ij @ plate.basis
    p = p - p.mean(axis=0)
    reach = max(float(np.abs(p).max()), 1e-12)
    y, x = p.T / reach
    design = np.stack([np.ones_like(y), y, x, y * y, y * x, x * x], axis=1)
    some, *_ = np.linalg.lstsq(design, error, rcond=None)
    left = error - design @ some
    # a parameter that is only noise makes a part that is as large as the noise that it fits
    inverse = np.linalg.pinv(design.T @ design)
    noise = rms(left)
    sigma = noise * float(np.sqrt(inverse[1, 1] + inverse[2, 2])) / 2 / reach
    quadratic = rms(design[:, 3:] @ some[3:])
    expected = noise * np.sqrt(3 / len(ij))
    rows, spare = [], 0
    for axis in (0, 1):
        _, row = np.unique(ij[:, axis], return_inverse=True)
        count = np.bincount(row)
        mean = np.stack([np.bincount(row, column) / count for column in left.T], axis=1)[row]
        rows.append(mean)
        spare += len(count)
    # single holes make means of rows, too: by so much, and it scatters by the root of their number
    chance = noise**2 * spare / len(ij)
    common = float((rows[0] ** 2 + rows[1] ** 2).mean()) - chance
    seen = common > _SEEN * chance / np.sqrt(spare)
    along, across, turn, other = some[1, 0] / reach, some[2, 1] / reach, some[1, 1] / reach, some[2, 0] / reach
    return OrderedErrors(
        scale=float(along + across) / 2,
        stretch=float(along - across) / 2,
        shear=float(turn + other) / 2,
        sigma=sigma,
        bend_m=quadratic if quadratic > _SEEN * expected else 0.0,
        rows_m=float(np.sqrt(common)) if seen else 0.0,
        single_m=rms(left - sum(rows)) if seen else noise,
        smooth=np.asarray(design @ some),
    )
