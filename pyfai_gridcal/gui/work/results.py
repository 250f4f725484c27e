"""A file with a distortion, whatever kind it is, as something that can be drawn. Free of Qt."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...base.errors import FileFormatError
from ...base.progress import Progress, untold
from ...calibration import Calibration
from ...io.images.images import Image
from ...io.kinds.kinds import open_distortion
from ...io.nexus.contents import holds_result
from ...io.nexus.result import load_result
from ...records.fit import DistortionFit
from ...records.plate import Plate
from .state import Bare, ExposureResults, Results


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
