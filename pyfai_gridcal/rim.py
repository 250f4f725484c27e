"""Where the field bends within a hole, the rim of its picture is bent alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._typing import AnyArray, Floats
from .windows import powers

__all__ = ["BentRims"]

#: Nearer to the middle than this share (square) of the rim's distance a picture is flat: no matter where it is from.
_FLAT = 0.15


@dataclass(frozen=True, eq=False)
class BentRims:
    """How the rims of N holes are displaced, ellipses about the hole's centre to the first order.

    A field that bends moves what lies at the offset d from the centre by the quadratic form u(d). A picture has
    gradients at its rim only, and there, at the offset ρ n, the rim moves by u(ρ n). So all of the picture in the
    direction n moves by that, at whichever distance it is seen: u(d) itself would be too much outside and too little
    inside of the rim, and a fit that believes the dark outside more would be misled. The blur comes afterwards. It
    moves a rim by s²/2 times its curvature, and of what u does to the curvature nothing looks like a shift.

    Attributes
    ----------
    bend : (N, 3, 2) coefficients (per px) of y y, y x and x x in u
    inverse : (N, 3) coefficients of the same in r²/ρ², the square of an offset relative to the rim in its direction
    """

    bend: Floats
    inverse: Floats

    @classmethod
    def of(cls, bend: Floats, stretch: Floats, radius: float) -> BentRims:
        """Rims of round holes of `radius` px after a `stretch` (N, 2, 2), symmetric."""
        back = np.linalg.inv(stretch)
        form = np.matmul(back, back.transpose(0, 2, 1)) / radius**2
        return cls(bend, np.stack([form[:, 0, 0], 2 * form[:, 0, 1], form[:, 1, 1]], axis=1))

    def select(self, rows: AnyArray) -> BentRims:
        """The holes `rows`."""
        return BentRims(self.bend[rows], self.inverse[rows])

    def at(self, offset: Floats, reach: int) -> tuple[AnyArray, AnyArray]:
        """By how much the picture is moved: (y, x) px, each (N, (2 reach + 1)**2), over windows in which the centres
        lie at the `offset` (N, 2) px from the middle."""
        window = powers(reach, 2)

        def over(form: Floats) -> AnyArray:
            return _about(offset, form).astype(np.float32) @ window

        size = np.maximum(over(self.inverse), np.float32(_FLAT))
        y, x = (over(self.bend[..., k]) / size for k in (0, 1))
        return y, x


def _about(offset: Floats, form: Floats) -> Floats:
    """Quadratic forms (N, 3: y y, y x, x x) about the `offset` (N, 2) as polynomials of the place, see
    :func:`~pyfai_gridcal.windows.powers`; (N, 6)."""
    y, x = offset.T
    yy, yx, xx = form.T
    constant = y * y * yy + y * x * yx + x * x * xx
    return np.stack([constant, -2 * y * yy - x * yx, -2 * x * xx - y * yx, yy, yx, xx], axis=1)
