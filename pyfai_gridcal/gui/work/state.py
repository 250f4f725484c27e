"""Records of the work in a window: what the user decided, and what is known from it. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Literal, get_args

import numpy as np

from ...base.arrays import AnyArray, Bools
from ...calibration import Calibration
from ...io.images.images import Image
from ...records.distortion import Distortion
from ...records.fit import DistortionFit
from ...records.points import ControlPoints
from ...records.spots import Spots
from .draft import Draft
from .edits import Edit

StageName = Literal["image", "found", "spots", "points", "calibration"]
#: The stages in their order, each made from the one before.
STAGES: tuple[StageName, ...] = get_args(StageName)


@dataclass(frozen=True, eq=False)
class WorkExposure:
    """One image of the plate and what was done to it by hand.

    Attributes
    ----------
    source : file name or silx URL; a name to show where `array` is given
    array : (ny, nx) the image itself, where it comes from no file
    drawn : (ny, nx) mask drawn by hand, True = ignore
    edits : deeds of the user, in order
    """

    source: str = ""
    array: AnyArray | None = None
    drawn: Bools | None = None
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, eq=False)
class WorkState:
    """All that a person decided.

    Attributes
    ----------
    settings : the core's settings (frozen dataclass); its defaults are the core's defaults
    exposures : images of one plate
    dark, flat, mask : files that go with all of them, or None
    """

    settings: Draft
    exposures: tuple[WorkExposure, ...] = ()
    dark: str | None = None
    flat: str | None = None
    mask: str | None = None


@dataclass(frozen=True, eq=False)
class ExposureResults:
    """What is known of one exposure.

    Attributes
    ----------
    picture : the image
    found : spots as they were found
    spots : found and added ones together, all that can be shown
    kept : which of `spots` are used
    points : nodes of the kept ones; `points.spot` counts in `spots.select(kept)`
    """

    picture: Image | None = None
    found: Spots | None = None
    spots: Spots | None = None
    kept: Bools | None = None
    points: ControlPoints | None = None


class Bare:
    """Stand-in for a calibration of which only the fit, or only the distortion, is known."""

    def __init__(self, fit: DistortionFit):
        self.fit = fit
        self.verdict = None
        self.images: tuple[AnyArray, ...] = ()

    @property
    def distortion(self) -> Distortion:
        """Displacement of every pixel."""
        return self.fit.distortion

    def report(self) -> str:
        """What can be said of it."""
        ny, nx = self.distortion.shape
        dy, dx = self.distortion.pixel_size
        return (
            f"distortion of {ny} x {nx} pixels of {dy * 1e6:.4f} x {dx * 1e6:.4f} µm, without control points\n"
            f"{self.distortion.gauge}\n"
        )


@dataclass(frozen=True, eq=False)
class Results:
    """What is known for a state: one :class:`ExposureResults` per exposure and, at the end, the calibration."""

    exposures: tuple[ExposureResults, ...] = ()
    calibration: Calibration | Bare | None = None

    @property
    def missing(self) -> StageName | None:
        """First stage that has to be computed, None when all is there."""
        if not self.exposures:
            return "image"
        for stage, name in (("image", "picture"), ("found", "found"), ("spots", "spots"), ("points", "points")):
            if any(getattr(work, name) is None for work in self.exposures):
                return stage  # type: ignore[return-value]
        return None if self.calibration is not None else "calibration"


def reach_px(spots: Spots) -> float:
    """How far from a spot a click may be, px: a bit more than the hole."""
    return max(4.0, 0.75 * spots.hole_px) if np.isfinite(spots.hole_px) else 8.0


def joined(first: Spots, *others: Spots) -> Spots:
    """All sets in one, with the common values of the first."""
    return reduce(Spots.joined, others, first)
