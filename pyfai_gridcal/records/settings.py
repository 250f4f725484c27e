"""All that can be told to a calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..base.errors import UsageError
from ..base.geometry import as_pair
from .distortion import Gauge
from .plate import LatticeKind

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """All that can be told to a calibration; only the pitch must be. Lengths are metres.

    Attributes
    ----------
    pitch : distance of neighbouring holes: one length, or two (along the lattice axis nearest to slow, nearest to fast)
    pixel : nominal pixel size, one length or (slow, fast); None: the one that makes the displacement smallest
    detector : name of a pyFAI detector, from which nominal pixel size, gaps and modules come
    plate : a plate whose hole errors are known, or a file that holds one
    lattice : "auto", "square", "rectangular", "oblique" or "hexagonal"
    angle : between the axes of an oblique plate, degrees
    polarity : "auto", "bright" or "dark" holes
    hole : diameter of the holes
    origin : (y, x) px: the hole nearest to it gets the index (0, 0)
    model : "auto" or the name of a recipe, see :func:`~pyfai_gridcal.fitting.fitting.fit_distortion`
    gauge : what fixes the corrected frame: "least displacement", "centre", or the pixel (y, x) that stays in place
    max_sigma : uncertainty beyond which pixels are masked, px; None: by the data
    positions : where motors had the plate in each of several exposures, (slow, fast): a weak hint
    """

    pitch: float | tuple[float, float]
    pixel: float | tuple[float, float] | None = None
    detector: str | None = None
    plate: Any = None
    lattice: LatticeKind = "auto"
    angle: float | None = None
    polarity: str = "auto"
    hole: float | None = None
    origin: tuple[float, float] | None = None
    model: str = "auto"
    gauge: Gauge = "least displacement"
    max_sigma: float | None = None
    positions: Sequence[tuple[float, float]] | None = None

    def __post_init__(self) -> None:
        pitch = np.atleast_1d(np.asarray(self.pitch, dtype=float))
        if pitch.size not in (1, 2) or not np.isfinite(pitch).all() or not (pitch > 0).all():
            raise UsageError(f"pitch={self.pitch!r}", expected="one or two positive lengths in metres")
        if (pitch > 1).any():
            raise UsageError(
                f"pitch={self.pitch!r} m", expected="a pitch below a metre", hint="lengths are in metres: 5e-3"
            )
        if self.polarity not in ("auto", "bright", "dark"):
            raise UsageError(f"polarity={self.polarity!r}", expected="'auto', 'bright' or 'dark'")
        if self.lattice not in ("auto", "square", "rectangular", "oblique", "hexagonal"):
            raise UsageError(
                f"lattice={self.lattice!r}", expected="'auto', 'square', 'rectangular', 'oblique' or 'hexagonal'"
            )
        if self.lattice == "oblique" and self.angle is None:
            raise UsageError("an oblique lattice without its angle", hint="give angle=, in degrees")
        if pitch.size == 2 and self.lattice in ("square", "hexagonal") and pitch[0] != pitch[1]:
            raise UsageError(f"two pitches {tuple(pitch)} m for a {self.lattice} lattice", expected="one pitch")

    @property
    def pitches(self) -> tuple[float, float]:
        """(along i, along j), metres."""
        return as_pair(self.pitch)
