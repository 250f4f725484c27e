"""What a calibration has found, with all that it was made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..base.arrays import AnyArray, Bools, Floats
from ..base.units import format_length
from .distortion import Distortion
from .fit import DistortionFit
from .plate import Plate
from .points import ControlPoints
from .settings import Settings
from .spots import Spots
from .verdict import Verdict


@dataclass(frozen=True, eq=False)
class Result:
    """The data of a calibration; one entry per exposure where there is a tuple.

    Attributes
    ----------
    settings : what was asked for
    images : (ny, nx) each, as they were used
    masks : (ny, nx) each or None, True = ignored
    spots : found in each image
    fit : the distortion, with residuals and poses
    verdict : whether it can be trusted
    sources : where the images came from
    notes : remarks, in words
    """

    settings: Settings
    images: tuple[AnyArray, ...]
    masks: tuple[Bools | None, ...]
    spots: tuple[Spots, ...]
    fit: DistortionFit
    verdict: Verdict
    sources: tuple[Any, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __repr__(self) -> str:
        count, (ny, nx) = sum(map(len, self.points)), self.shape
        return (
            f"<{type(self).__name__}: {self.verdict.level}, {ny} x {nx} px of {format_length(self.pixel_size)}, "
            f"{count} control points in {len(self.points)} exposure(s), held out {self.fit.held_out_px:.4f} px>"
        )

    @property
    def distortion(self) -> Distortion:
        """Displacement of every pixel."""
        return self.fit.distortion

    @property
    def points(self) -> tuple[ControlPoints, ...]:
        """Control points of each exposure."""
        return self.fit.points

    @property
    def plate(self) -> Plate:
        """The plate, with the errors of its holes where they were determined."""
        return self.fit.plate

    @property
    def pixel_size(self) -> tuple[float, float]:
        """(slow, fast) metres."""
        return self.distortion.pixel_size

    @property
    def shape(self) -> tuple[int, int]:
        """(slow, fast) pixels."""
        return self.distortion.shape

    def displacement_maps(self) -> tuple[Floats, Floats]:
        """(dy, dx) at the pixel centres, each (ny, nx), px: corrected minus observed."""
        return self.distortion.displacement_maps()
