"""The core's verbs as the workspace calls them. Free of Qt."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from ...base.arrays import AnyArray, Floats
from ...base.errors import PickingError
from ...base.progress import Progress, untold
from ...calibration import Calibration, assemble, index, spots_and_points
from ...correction.table import correct_known, save_image
from ...exposure import Exposure, take_exposure
from ...finding.detection import find_spots
from ...io.images.images import Image, load_image
from ...io.kinds.kinds import write_distortion
from ...io.kinds.options import Writing
from ...io.kinds.poni import keeping
from ...records.plate import LatticeKind
from ...records.points import ControlPoints
from ...records.settings import Settings
from ...records.spots import SpotFlag, Spots
from ...report import write_report
from .draft import Draft
from .state import WorkExposure, WorkState, joined
from .store import read_work, save_work


class Core:
    """The verbs of :func:`~pyfai_gridcal.calibration.calibrate`, one by one."""

    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "found": ("polarity", "lattice", "detector", "hole_scale"),
        "points": ("lattice", "angle", "origin"),
    }

    def __init__(self) -> None:
        self._exposures: dict[Hashable, tuple[Image, Exposure]] = {}

    # -- the stages
    def load(self, exposure: WorkExposure, state: WorkState, progress: Progress) -> Image:
        """Read an image."""
        given = {"dark": state.dark, "flat": state.flat, "mask": state.mask}
        source = exposure.source if exposure.array is None else exposure.array
        return load_image(source, progress=progress, **{k: v for k, v in given.items() if v})  # type: ignore[arg-type]

    def find(self, picture: Image, settings: Draft, progress: Progress) -> Spots:
        """Find the spots."""
        chosen = settings.anyway()
        return spots_and_points(self._exposure(picture, chosen), chosen, progress)[0]

    def _exposure(self, picture: Image, settings: Settings) -> Exposure:
        """The picture as the core uses it; the last few are remembered, for every edit asks again."""
        key = (id(picture.data), hashlib.sha1(picture.mask.tobytes()).hexdigest(), settings.detector)
        if key not in self._exposures:
            while len(self._exposures) >= 4:
                self._exposures.pop(next(iter(self._exposures)))
            # The picture is kept too, so that its id is not given to another one.
            self._exposures[key] = picture, take_exposure(picture, settings)
        return self._exposures[key][1]

    def refine(self, picture: Image, found: Spots, yx: Floats, settings: Draft) -> Spots:
        """Measure the holes nearest to the points `yx` (A, 2), px."""
        one = [_measured(picture, found, place, settings.lattice) for place in np.asarray(yx, float).reshape(-1, 2)]
        return joined(replace(found.select(np.empty(0, int)), profile=None), *one)

    def index(self, spots: Spots, settings: Draft, hand: Floats | None = None) -> ControlPoints:
        """Give the spots their nodes, from a hole and two neighbours where they were picked by `hand`."""
        return index(spots, settings.anyway(), hand)

    def calibrate(
        self,
        state: WorkState,
        pictures: tuple[Image, ...],
        spots: tuple[Spots, ...],
        points: tuple[ControlPoints, ...],
        progress: Progress,
    ) -> Calibration:
        """Fit the distortion, judge it, and collect everything."""
        settings = state.settings.settings()
        exposures = [self._exposure(picture, settings) for picture in pictures]
        return assemble(settings, exposures, spots, points, progress=progress)

    # -- in and out
    def save(
        self, calibration: Calibration, state: WorkState, found: tuple[Spots, ...], path: str, progress: Progress
    ) -> Path:
        """Write the detector file with the work in it."""
        return save_work(calibration, state, found, path, progress)

    def open(self, path: str, progress: Progress) -> tuple[WorkState, Calibration, tuple[Spots, ...]]:
        """Take up the work of a result file."""
        progress(0.1, "reading")
        return read_work(path)

    def export(
        self,
        calibration: Calibration,
        path: str,
        kind: str,
        writing: Writing,
        like: str | None = None,
        exposure: int = 0,
    ) -> list[Path]:
        """Write the distortion as another kind of file, the "report", or the "corrected" image of an exposure; a PONI
        file keeps the experiment of the one that it is `like`."""
        progress = writing.progress or untold
        progress(0.05, f"writing {Path(path).name}")
        if kind == "report":
            return [write_report(calibration, path)]
        if kind == "corrected":
            return [save_image(path, self.correct(calibration, exposure, progress))]
        if like is not None:
            writing = replace(writing, told=keeping(like, calibration.distortion))
        return write_distortion(calibration.distortion, path, kind, writing)

    def correct(self, calibration: Calibration, exposure: int, progress: Progress) -> AnyArray:
        """The image as pyFAI corrects it by the calibrated detector."""
        progress(0.1, "pyFAI prepares the correction")
        corrected = correct_known(calibration.images[exposure], calibration.distortion, same_raster=True)
        return corrected.data


def _measured(picture: Image, found: Spots, place: Floats, lattice: LatticeKind) -> Spots:
    """The hole nearest to `place` (2,), as the core measures it among its neighbours, with a low threshold.

    Raises
    ------
    PickingError
        There is none.
    """
    where = f"no hole at y={place[0]:.1f}, x={place[1]:.1f}"
    nowhere = PickingError(where, expected="a hole like the others", hint="click on its middle")
    # A part of the image around the place, with some neighbours: they tell the background and the lattice.
    distance = np.sort(np.hypot(*(found.yx - place).T))
    pitch = float(distance[: min(5, len(distance))].mean()) if len(distance) else 4 * found.hole_px
    margin = int(np.ceil(max(3.5 * pitch, 3 * found.hole_px)))
    low = np.maximum(np.rint(place).astype(int) - margin, 0)
    high = np.minimum(np.rint(place).astype(int) + margin + 1, picture.shape)
    if min(high - low) < 2 * found.hole_px:
        raise nowhere
    part = (slice(low[0], high[0]), slice(low[1], high[1]))
    # Polarity, size and noise are known from the other holes, so a low threshold finds no noise as a hole.
    try:
        near = find_spots(
            picture.data[part],
            mask=picture.mask[part],
            saturation=picture.saturation,
            polarity=found.polarity,
            hole_px=found.hole_px,
            noise=found.noise,
            threshold=0.15,
            lattice=lattice,
        )
    except PickingError:
        raise nowhere from None
    # The nearest one, if the user meant it, in the coordinates of the whole image.
    apart = np.hypot(*(near.yx + low - place).T)
    if not len(near) or apart.min() > 0.6 * found.hole_px:
        raise nowhere
    one = near.select(apart.argsort()[:1])
    return replace(one, yx=one.yx + low, flags=one.flags | np.uint8(SpotFlag.USER))
