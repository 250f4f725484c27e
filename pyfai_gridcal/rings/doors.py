"""Rings as a calibration is told of them: names of files and of a detector in, witnesses and detectors out."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..base.errors import UsageError
from ..base.geometry import as_pair
from ..base.progress import Progress
from ..base.silence import quiet
from ..base.units import parse_length
from ..fitting.plates.beside import MakeWitness
from ..io.images.masks import known_detector, load_mask
from ..io.nexus.detector import from_detector
from ..records.distortion import Distortion
from ..records.jobs import CalibrateRings
from ..records.settings import Settings
from .points import read_rings
from .record import RingCalibration
from .solution import fit_rings, witness_of

#: What steps of a motor are taken to be exact to, metres, where nothing is said.
_STEP = 1e-6
#: Model -> whether modules move, and whether there is a smooth field; None: as the detector has gaps.
_MODELS: dict[str, tuple[bool | None, bool | None]] = {
    "auto": (None, None),
    "spline": (False, True),
    "tiles": (True, True),
    "mosaic": (True, True),
    "rigid": (True, False),
}


def parse_distances(text: str | None) -> tuple[list[float], float] | None:
    """Distances in metres, and their uncertainty, of ``"100mm,200mm ± 1um"``; None of nothing.

    Raises
    ------
    UsageError
        Not lengths with their units.

    Examples
    --------
    >>> from pyfai_gridcal.rings.doors import parse_distances
    >>> parse_distances("100mm, 0.2m ± 2um")
    ([0.1, 0.2], 2e-06)
    """
    if text is None:
        return None
    told, _, sigma = re.sub(r"\+-|\+/-", "±", text).partition("±")
    distances = [parse_length(one.strip(), name="distance") for one in told.split(",")]
    return distances, parse_length(sigma.strip(), name="uncertainty of distances") if sigma.strip() else _STEP


def told_of(model: str, distances: str | None, depths: bool) -> dict[str, Any]:
    """What settings say of modules, field and distances, for :func:`~pyfai_gridcal.rings.solution.fit_rings`."""
    if model not in _MODELS:
        raise UsageError(f"model {model!r} with rings", expected=f"one of {', '.join(_MODELS)}")
    modules, smooth = _MODELS[model]
    return {"modules": modules, "smooth": smooth, "distances": parse_distances(distances), "depths": depths}


def detector_of(name: str) -> Distortion:
    """Shape, pixel size and gaps of a detector that pyFAI knows, or of a detector file.

    Raises
    ------
    UsageError
        There is no such detector.
    """
    with quiet("pyFAI"):
        return from_detector(known_detector(name))


def rings_beside(settings: Settings, shape: tuple[int, int]) -> MakeWitness:
    """The rings that settings tell of, beside a plate.

    Raises
    ------
    UsageError, FileFormatError
        Settings that cannot be meant, or files that are none.
    """
    told = told_of(settings.model, settings.distances, settings.depths)
    images = [read_rings(one) for one in settings.rings or ()]
    mask = None if settings.detector is None else detector_of(settings.detector).mask
    if mask is not None and mask.shape != shape:
        mask = None
    return lambda size: witness_of(images, shape, size, mask=mask, **told)


def calibrate_ring_files(job: CalibrateRings, *, progress: Progress | None = None) -> RingCalibration:
    """Calibrate a detector by powder rings alone, as a job asks for it.

    Raises
    ------
    UsageError, FileFormatError, FittingError
        Settings that cannot be meant, files that are none, rings that determine nothing.
    """
    if job.detector is None:
        raise UsageError("rings alone without a detector", expected="--detector, such as Pilatus1M")
    frame = detector_of(job.detector)
    hidden = [m for m in (frame.mask, load_mask(job.mask, frame.shape) if job.mask else None) if m is not None]
    return fit_rings(
        [read_rings(one) for one in job.rings or ()],
        shape=frame.shape,
        pixel_size=frame.pixel_size if job.pixel is None else as_pair(job.pixel),
        mask=np.any(hidden, axis=0) if hidden else None,
        gauge=job.gauge,
        max_sigma=job.max_sigma,
        progress=progress,
        **told_of(job.model, job.distances, job.depths),
    )
