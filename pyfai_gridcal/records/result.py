"""What a calibration has found, with all that it was made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..base.arrays import AnyArray, Bools, Floats, in_a_line
from ..base.errors import UsageError
from ..base.units import format_length
from .distortion import Distortion
from .fit import DistortionFit
from .plate import Plate
from .points import ControlPoints
from .settings import Settings
from .spots import Spots
from .verdict import Verdict


@dataclass(frozen=True, eq=False)
class OneExposure:
    """What belongs to one exposure of a calibration.

    Attributes
    ----------
    image : (ny, nx) as it was used, None where the result holds no images
    mask : (ny, nx) True = ignored, or None
    spots : found in the image
    points : those of them that are assigned to the grid
    used : (M,) of the points, False for outliers
    residual_yx : (M, 2) corrected - node, px
    """

    image: AnyArray | None
    mask: Bools | None
    spots: Spots
    points: ControlPoints
    used: Bools
    residual_yx: Floats

    __repr__ = in_a_line


@dataclass(frozen=True, eq=False)
class Result:
    """The data of a calibration; one entry per exposure where there is a tuple.

    Attributes
    ----------
    settings : of the calibration
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
        count, many, (ny, nx) = sum(map(len, self.points)), len(self.points), self.shape
        return (
            f"<{type(self).__name__}: {self.verdict.level}, {ny} x {nx} px of {format_length(self.pixel_size)}, "
            f"{count} control points in {many} exposure{'s' * (many != 1)}, "
            f"prediction error {self.fit.held_out_px:.4f} px>"
        )

    def exposure(self, number: int = 0) -> OneExposure:
        """Image, spots and control points of one exposure, counted from 0.

        Raises
        ------
        UsageError
            There are not so many.
        """
        if not 0 <= number < len(self.points):
            raise UsageError(f"exposure {number}", expected=f"a number from 0 to {len(self.points) - 1}")
        image, mask = (column[number] if number < len(column) else None for column in (self.images, self.masks))
        fit = self.fit
        return OneExposure(
            image, mask, self.spots[number], fit.points[number], fit.used[number], fit.residual_yx[number]
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
