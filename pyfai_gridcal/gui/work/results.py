"""A file with a distortion, whatever kind it is, as something that can be drawn. Free of Qt."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...base.arrays import AnyArray
from ...base.errors import FileFormatError
from ...base.progress import Progress, untold
from ...calibration import Calibration
from ...io.images.images import Image
from ...io.kinds.kinds import open_distortion
from ...io.nexus.contents import holds_result
from ...io.nexus.result import load_result
from ...records.distortion import Distortion
from ...records.fit import DistortionFit
from ...records.plate import Plate
from .state import ExposureResults, Results

__all__ = ["Bare", "read_any"]


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


def read_any(path: str | Path, progress: Progress = untold) -> Results:
    """Read a result file, or any other file of a distortion, as results that can be drawn.

    Raises
    ------
    FileFormatError
        It is no such file.
    """
    progress(0.1, "reading")
    if not Path(str(path)).exists():
        raise FileFormatError(f"no such file: {path}")
    thing = load_result(path) if holds_result(path) else open_distortion(path).distortion
    if isinstance(thing, Calibration):
        works = []
        for k, image in enumerate(thing.images):
            mask = thing.masks[k] if k < len(thing.masks) else None
            picture = Image(image, np.zeros(np.shape(image), bool) if mask is None else mask)
            spots = thing.spots[k]
            works.append(ExposureResults(picture, spots, spots, np.ones(len(spots), bool), thing.points[k]))
        return Results(tuple(works), thing)
    fit = thing if isinstance(thing, DistortionFit) else None
    if fit is None:
        fit = DistortionFit(thing, Plate((1e-3, 1e-3)), (), (), (), (), ())
    return Results(tuple(ExposureResults(points=points) for points in fit.points) or (ExposureResults(),), Bare(fit))
