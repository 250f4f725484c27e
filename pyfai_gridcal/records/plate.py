"""The plate: where its holes are, in metres.

Plate frame: y and x in metres; the node (i, j) = (0, 0) is the origin, the axis of j points along +x and the axis of i
lies at `angle_deg` from it, towards +y (90 for square and rectangular plates, 60 for hexagonal ones). With b_i, b_j the
two basis vectors, hole (i, j) is at ``i b_i + j b_j + error(i, j)``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..base.arrays import AnyArray, Floats, Ints, freeze
from ..base.errors import UsageError
from ..base.geometry import as_pair
from ..base.robust import rms
from ..base.units import Length, Lengths, as_length, as_lengths, format_length
from .nodes import NodeTable

__all__ = ["LatticeKind", "Plate", "error_sigma", "with_errors", "without_errors"]


@dataclass(frozen=True, eq=False)
class Plate:
    """A plate of holes. Lengths are metres, or texts with their unit, which become metres here.

    Attributes
    ----------
    pitch_m : (along i, along j) distance of neighbouring holes, metres
    angle_deg : angle from the axis of j to the axis of i, degrees
    hole_m : diameter of the holes, metres, None when not known
    error_ij : (H, 2) indices of holes whose true place is known to differ from the ideal one
    error_yx : (H, 2) true minus ideal place of those, plate frame, metres
    error_sigma_yx : (H, 2) its standard uncertainty, metres

    Examples
    --------
    >>> from pyfai_gridcal import Plate
    >>> plate = Plate("3mm,2mm", hole_m="500 um")
    >>> plate
    <Plate: pitch 3 mm × 2 mm, 90°, holes of 500 µm>
    >>> plate.positions([(1, 2)]).round(6).tolist()
    [[0.003, 0.004]]
    """

    pitch_m: tuple[float, float]
    angle_deg: float = 90.0
    hole_m: float | None = None
    error_ij: Ints | None = None
    error_yx: Floats | None = None
    error_sigma_yx: Floats | None = None

    if TYPE_CHECKING:  # what may be given is more than what is kept

        def __init__(
            self, pitch_m: Lengths, angle_deg: float = 90.0, hole_m: Length | None = None,
            error_ij: Ints | None = None, error_yx: Floats | None = None, error_sigma_yx: Floats | None = None,
        ) -> None: ...  # fmt: skip

    def __post_init__(self) -> None:
        pitch = as_pair(as_lengths(self.pitch_m, name="pitch_m"))
        if not isinstance(self.angle_deg, Real) or not 10 < self.angle_deg < 170:
            raise UsageError(f"lattice angle of {self.angle_deg} degrees", expected="between 10 and 170")
        object.__setattr__(self, "pitch_m", pitch)
        if self.hole_m is not None:
            object.__setattr__(self, "hole_m", as_length(self.hole_m, name="hole_m"))
        freeze(self, 2, "error_ij", dtype=np.int64)
        freeze(self, 2, "error_yx", "error_sigma_yx")

    def __repr__(self) -> str:
        hole = "" if self.hole_m is None else f", holes of {format_length(self.hole_m)}"
        known = "" if self.error_ij is None else f", errors of {len(self.error_ij)} holes known"
        return f"<Plate: pitch {format_length(self.pitch_m)}, {self.angle_deg:.4g}°{hole}{known}>"

    @property
    def basis(self) -> Floats:
        """(2, 2) metres: row 0 is b_i, row 1 is b_j, columns (y, x)."""
        angle = np.deg2rad(self.angle_deg)
        return np.array([[self.pitch_m[0] * np.sin(angle), self.pitch_m[0] * np.cos(angle)], [0.0, self.pitch_m[1]]])

    @property
    def symmetry(self) -> int:
        """Number of turns that map the ideal lattice onto itself: 6, 4 or 2."""
        if not np.isclose(self.pitch_m[0], self.pitch_m[1], rtol=1e-9):
            return 2
        if np.isclose(self.angle_deg, 90):
            return 4
        return 6 if np.isclose(self.angle_deg, 60) or np.isclose(self.angle_deg, 120) else 2

    def positions(self, ij: AnyArray) -> Floats:
        """Places of the holes `ij` (N, 2), plate frame, metres, known errors included; (N, 2)."""
        ij = np.asarray(ij)
        where: Floats = ij @ self.basis
        if self.error_ij is not None and len(self.error_ij):
            assert self.error_yx is not None
            row = NodeTable.of(self.error_ij).rows(np.asarray(ij, dtype=np.int64))
            where[row >= 0] += self.error_yx[row[row >= 0]]
        return where

    def scaled(self, factor: float) -> Plate:
        """The same plate, larger by a factor."""
        errors = None if self.error_yx is None else self.error_yx * factor
        pitch = self.pitch_m[0] * factor, self.pitch_m[1] * factor
        return replace(self, pitch_m=pitch, error_yx=errors)


LatticeKind = Literal["auto", "square", "rectangular", "oblique", "hexagonal"]


def without_errors(plate: Plate) -> Plate:
    """The ideal plate."""
    return replace(plate, error_ij=None, error_yx=None, error_sigma_yx=None)


def with_errors(plate: Plate, ij: Ints, error_yx: Floats, sigma_yx: Floats) -> Plate:
    """The plate with errors (metres, plate frame) of some holes, in place of those it had there."""
    if plate.error_ij is not None and len(plate.error_ij) and plate.error_yx is not None:
        old = {tuple(v): k for k, v in enumerate(plate.error_ij.tolist())}
        new = {tuple(v) for v in np.asarray(ij).tolist()}
        keep = np.array([k for node, k in old.items() if node not in new], dtype=int)
        sigma = plate.error_sigma_yx if plate.error_sigma_yx is not None else np.zeros_like(plate.error_yx)
        ij = np.concatenate([ij, plate.error_ij[keep]])
        error_yx = np.concatenate([error_yx, plate.error_yx[keep]])
        sigma_yx = np.concatenate([sigma_yx, sigma[keep]])
    return replace(plate, error_ij=ij, error_yx=error_yx, error_sigma_yx=sigma_yx)


def error_sigma(plate: Plate, ij: AnyArray) -> Floats:
    """Standard uncertainty (M,) of where the holes `ij` are, metres: that of the map, or the rms of the map off it."""
    assert plate.error_ij is not None
    assert plate.error_yx is not None
    if not len(plate.error_ij):
        return np.zeros(len(ij))
    known = plate.error_sigma_yx if plate.error_sigma_yx is not None else np.zeros_like(plate.error_yx)
    row = NodeTable.of(plate.error_ij).rows(np.asarray(ij))
    return np.where(row >= 0, np.sqrt((known**2).mean(axis=1))[row], rms(plate.error_yx))
