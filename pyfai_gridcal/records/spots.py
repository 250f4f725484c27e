"""Spots: images of holes, as measured."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntFlag
from typing import Literal

import numpy as np

from ..base.arrays import AnyArray, Floats, freeze, in_a_line, join_rows, select_rows
from ..base.errors import UsageError

__all__ = ["HoleProfile", "Noise", "Polarity", "SpotFlag", "Spots"]

Polarity = Literal["bright", "dark"]


class SpotFlag(IntFlag):
    """What is special about a spot; 0 is a whole, clean one."""

    BORDER = 1  #: cut by the border of the image
    MASKED = 2  #: on one side under the mask (gap, dead line)
    SATURATED = 4  #: flat top
    CLIPPED = 8  #: outlying pixels (zingers) were left out
    PREDICTED = 16  #: not seen at first, found where the lattice said it should be
    USER = 32  #: placed by hand


@dataclass(frozen=True)
class Noise:
    """Variance of a pixel: ``variance = readout**2 + gain * (value - pedestal)``, all in counts of the image.

    ``gain`` is the variance per count (1 for photon counting).
    """

    gain: float
    readout: float
    pedestal: float = 0.0

    def variance(self, value: AnyArray) -> AnyArray:
        """Variance, counts squared, of pixels that should read `value` (any shape); never below half of what pixels
        have at the pedestal, where readings tell no more."""
        out = np.multiply(value, self.gain)
        out += self.readout**2 - self.gain * self.pedestal
        return np.maximum(out, 0.5 * self.readout**2 + 1e-12)


@dataclass(frozen=True, eq=False)
class HoleProfile:
    """Picture of one hole, learned from the image: 1 in the plateau, 0 far outside, blur and pixel area included.

    Attributes
    ----------
    table : (n, n), n odd
        Values at offsets ``(k - n // 2) / oversampling`` px from the centre of the hole, axis order (y, x).
    oversampling : samples per px
    basis_px : (2, 2) lattice vectors, px, of the place whose stretch the profile has; None where no lattice was known
    """

    table: Floats
    oversampling: int
    basis_px: Floats | None = None

    __repr__ = in_a_line

    def __post_init__(self) -> None:
        freeze(self, 2, "table", "basis_px")

    @property
    def reach(self) -> float:
        """Largest offset along an axis that the table knows, px."""
        return (self.table.shape[0] // 2) / self.oversampling


#: What :class:`Spots` has for each spot.
_COLUMNS = ("yx", "sigma_yx", "amplitude", "background", "chi2", "flags")


@dataclass(frozen=True, eq=False)
class Spots:
    """N measured spots; all positions in px, index frame, order (y, x).

    Attributes
    ----------
    yx : (N, 2) positions
    sigma_yx : (N, 2) standard uncertainty of each coordinate, px
    amplitude, background : (N,) counts; the amplitude is positive for both polarities
    chi2 : (N,) reduced chi square of the profile fit
    flags : (N,) uint8, bits of :class:`SpotFlag`
    polarity : whether holes are brighter or darker than the plate
    hole_px : diameter of a hole, px (mean over the image)
    noise : the noise model behind `sigma_yx`
    profile : the profile that was fitted, if any
    shared_yx : (N, 2) error that a spot has in common with its neighbours, px, so that no number of them makes it
        smaller: of light that the picture of a hole does not know; None where nobody looked
    passed_over : number of places that stand out and lie on a lattice as the spots do, but do not look like holes, per
        spot

    Examples
    --------
    >>> from pyfai_gridcal import Spots
    >>> spots = Spots.from_positions([(10.0, 12.5), (10.2, 36.5)], sigma=0.02, hole_px=6.0)
    >>> spots
    <Spots: 2 bright holes of 6.0 px, 2 of them whole, sigma 0.0200 px>
    >>> spots.select([1]).yx.tolist()
    [[10.2, 36.5]]
    """

    yx: Floats
    sigma_yx: Floats
    amplitude: Floats
    background: Floats
    chi2: Floats
    flags: AnyArray
    polarity: Polarity = "bright"
    hole_px: float = float("nan")
    noise: Noise | None = None
    profile: HoleProfile | None = field(default=None, repr=False)
    shared_yx: Floats | None = field(default=None, repr=False)
    passed_over: float = 0.0

    def __post_init__(self) -> None:
        freeze(self, 2, "yx", "sigma_yx", "shared_yx")
        freeze(self, 1, "amplitude", "background", "chi2")
        freeze(self, 1, "flags", dtype=np.uint8)
        lengths = {name: len(getattr(self, name)) for name in _COLUMNS}
        if len(set(lengths.values())) > 1:
            raise UsageError(f"columns of different lengths {lengths}, expected one length")

    def __len__(self) -> int:
        return len(self.yx)

    def __repr__(self) -> str:
        sigma = f", sigma {np.median(self.sigma_yx):.4f} px" if len(self) else ""
        size = f" of {self.hole_px:.1f} px" if np.isfinite(self.hole_px) else ""
        whole = int((self.flags == 0).sum())
        return f"<Spots: {len(self)} {self.polarity} holes{size}, {whole} of them whole{sigma}>"

    def select(self, which: AnyArray) -> Spots:
        """The spots of a boolean mask or an array of indices, in that order."""
        return select_rows(self, which, *_COLUMNS, "shared_yx")

    def joined(self, more: Spots) -> Spots:
        """These spots and, after them, those of the same image that are `more`."""
        both = self.shared_yx is not None and more.shared_yx is not None
        return join_rows(replace(self, shared_yx=self.shared_yx if both else None), more, *_COLUMNS, "shared_yx")

    @classmethod
    def from_positions(
        cls, yx: AnyArray, *, sigma: float = 0.05, polarity: Polarity = "bright", hole_px: float = float("nan")
    ) -> Spots:
        """Spots known by their positions only, (N, 2) px index frame, all with the same `sigma` (px)."""
        yx = np.asarray(yx, dtype=np.float64).reshape(-1, 2)
        n = len(yx)
        return cls(
            yx, np.full((n, 2), sigma), np.ones(n), np.zeros(n), np.ones(n), np.zeros(n, np.uint8), polarity, hole_px
        )
