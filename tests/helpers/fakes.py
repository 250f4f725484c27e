"""Quick stand-ins for the core's verbs, which count how often they are called."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from pyfai_gridcal.base.errors import IndexingError, PickingError
from pyfai_gridcal.gui.work.state import WorkExposure, WorkState
from pyfai_gridcal.io.images.images import Image
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.records.spots import Spots

PITCH = (17.0, 23.0)


@dataclass(frozen=True)
class FakeSettings:
    """A few settings, one for each stage."""

    hole: float | None = None
    lattice: str = "auto"
    origin: tuple[float, float] | None = None
    model: str = "auto"


@dataclass
class FakeStages:
    """The verbs of the core on a perfect raster of spots."""

    calls: Counter[str] = field(default_factory=Counter)
    reads: ClassVar = {"found": ("hole",), "points": ("lattice", "origin")}
    fail_at: str = ""
    hold: threading.Event | None = None

    def load(self, exposure: WorkExposure, state: WorkState, progress: Any) -> Image:
        self.calls["load"] += 1
        assert exposure.array is not None
        return Image(exposure.array, np.zeros(exposure.array.shape, bool))

    def find(self, picture: Image, settings: Any, progress: Any) -> Spots:
        self.calls["find"] += 1
        if self.fail_at == "find":
            raise PickingError("found 0 spots", expected="at least 9", hint="check polarity")
        ny, nx = picture.data.shape
        y, x = np.meshgrid(np.arange(10.0, ny - 10, PITCH[0]), np.arange(12.0, nx - 10, PITCH[1]), indexing="ij")
        yx = np.stack([y.ravel(), x.ravel()], axis=1)
        yx = yx[~picture.mask[tuple(yx.astype(int).T)]]
        return Spots.from_positions(yx, hole_px=6.0)

    def refine(self, picture: Image, found: Spots, yx: np.ndarray, settings: Any) -> Spots:
        self.calls["refine"] += 1
        return Spots.from_positions(np.asarray(yx) + 0.25, hole_px=found.hole_px)

    def index(self, spots: Spots, settings: Any, hand: object = None) -> ControlPoints:
        self.calls["index"] += 1
        if self.fail_at == "index":
            raise IndexingError("the spots do not form a lattice")
        ij = np.rint((spots.yx - (10, 12)) / PITCH).astype(int)
        _, first = np.unique(ij, axis=0, return_index=True)
        points = ControlPoints(
            spots.yx[first], spots.sigma_yx[first], ij[first], first, spots.flags[first], np.diag(PITCH)
        )
        if settings.origin is not None:
            zero = points.ij[np.hypot(*(points.yx - settings.origin).T).argmin()]
            points = points.reindexed(np.eye(2, dtype=int), -zero)
        return points

    def calibrate(
        self, state: WorkState, pictures: Any, spots: Any, points: tuple[ControlPoints, ...], progress: Any
    ) -> Any:
        self.calls["calibrate"] += 1
        progress(0.5, "half way")
        if self.hold is not None:
            self.hold.wait(10)
            progress(0.6, "held")
        return {"points": sum(map(len, points)), "model": state.settings.model}
