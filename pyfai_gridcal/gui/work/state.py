"""Records of the work in a window: what the user decided, and what is known from it. Free of Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np

from ...base.arrays import AnyArray, Bools, Floats
from ...base.progress import Progress
from ...io.images.images import Image
from ...records.points import ControlPoints
from ...records.spots import Spots
from .edits import Edit

__all__ = [
    "STAGES",
    "ExposureResults",
    "Progress",
    "Results",
    "StageName",
    "Stages",
    "WorkExposure",
    "WorkState",
    "joined",
    "reach_px",
]

StageName = Literal["image", "found", "spots", "points", "calibration"]
STAGES: tuple[StageName, ...] = ("image", "found", "spots", "points", "calibration")


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

    settings: Any
    exposures: tuple[WorkExposure, ...] = ()
    dark: str | None = None
    flat: str | None = None
    mask: str | None = None


class Stages(Protocol):
    """The core's verbs, as the workspace calls them. Tests put quick ones in their place."""

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """Stage -> names of the settings that it reads; the last stage reads all."""
        ...

    def load(self, exposure: WorkExposure, state: WorkState, progress: Progress) -> Image:
        """Read an image with its dark, flat and mask."""
        ...

    def find(self, picture: Image, settings: Any, progress: Progress) -> Spots:
        """Find the spots."""
        ...

    def refine(self, picture: Image, found: Spots, yx: Floats, settings: Any) -> Spots:
        """Measure spots at the points `yx` (A, 2) where the user wants them; the answer has A rows."""
        ...

    def index(self, spots: Spots, settings: Any) -> ControlPoints:
        """Give the spots their nodes."""
        ...

    def calibrate(
        self,
        state: WorkState,
        pictures: tuple[Image, ...],
        spots: tuple[Spots, ...],
        points: tuple[ControlPoints, ...],
        progress: Progress,
    ) -> Any:
        """Fit the distortion and collect the core's :class:`Calibration`."""
        ...


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


@dataclass(frozen=True, eq=False)
class Results:
    """What is known for a state: one :class:`ExposureResults` per exposure and, at the end, the calibration."""

    exposures: tuple[ExposureResults, ...] = ()
    calibration: Any = None

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


def joined(first: Spots, second: Spots) -> Spots:
    """Both sets in one, with the common values of the first."""
    names = ("yx", "sigma_yx", "amplitude", "background", "chi2", "flags")
    columns: dict[str, Any] = {name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names}
    return replace(first, **columns)
