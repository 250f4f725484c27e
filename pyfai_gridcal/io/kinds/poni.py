"""The experiment that a PONI file tells, and the same experiment with another detector.

frame, order, unit
    `poni1` and `poni2` are metres on the detector plane, along slow and fast, from where the places of pixels count.
    The direct beam meets that plane at ``poni1 + dist tan(rot2) / cos(rot1)``, ``poni2 - dist tan(rot1)``.
orientation
    Images in another orientation than 3 have places that run against an axis of the image. For a detector whose places
    run along it, everything is mirrored there: the rotation about the other axis gets the other sign, and azimuths run
    the other way round. This is what pyFAI's ``convert_orientation`` does, for detectors that differ in nothing else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np

from ...base.arrays import Floats
from ...base.atomic import read_text
from ...base.errors import FileFormatError, UsageError
from ...base.frames import edge_from_index, index_from_edge
from ...base.silence import quiet
from ...base.units import format_length
from ...records.distortion import Distortion
from ...records.jobs import Reading
from ..nexus.detector import from_detector, traits_of
from ..nexus.groups import no_displacement
from .kinds import open_distortion
from .pointers import GEOMETRY, MAX_BYTES, PONI_KEYS, Experiment, entries_of, numbers_in, pointed
from .readout import in_orientation

#: Pixels whose sizes differ by more than this share are not those of the same images; nominal sizes are off by less.
_SAME_SIZE = 0.25
#: Steps to the pixel in which the beam is; each one leaves as much of the distance as the field stretches.
_STEPS = 20


def keeping(
    like: str | PathLike[str], distortion: Distortion, *, turned: int | None = None, force: bool = False
) -> Experiment:
    """The experiment of a PONI file, with another detector.

    Parameters
    ----------
    like : the PONI file
    distortion : of the other detector, for the same images
    turned : for these images turned from this orientation to 3
    force : for pixels of another size, too
    """
    old, detector = read_experiment(Path(like), distortion.shape, turned=turned or 3)
    return replace(old, geometry=geometry_with(distortion, detector, old.geometry, force=force))


def read_experiment(path: Path, shape: tuple[int, int], *, turned: int = 3) -> tuple[Experiment, Distortion]:
    """Read a PONI file of any version (1, 2, 2.1, 3), and its detector, for images in the orientation that it says.

    Parameters
    ----------
    path : of the file
    shape : (slow, fast) of the images; detectors of a file without a shape get this one
    turned : the detector is wanted for these images turned from this orientation to 3

    Raises
    ------
    FileFormatError
        No such file, without a geometry, with a detector that cannot be read, or of another shape.
    """
    text = read_text(path, MAX_BYTES)
    told = dict(entries_of(text))
    try:
        geometry = numbers_in(text)
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}", expected="numbers") from None
    missing = [PONI_KEYS[name] for name in GEOMETRY if not math.isfinite(geometry.get(name, math.nan))]
    if missing:
        raise FileFormatError(f"{path} tells no {', '.join(missing)}", expected="a PONI file")
    if pointed(path).files:
        detector = open_distortion(path, Reading(shape=shape)).distortion
    else:
        detector = _known_to_pyfai(path, shape)
    if detector.shape != shape:
        raise FileFormatError(f"{path} is for images of {detector.shape} pixels", expected=f"{shape}, as the detector")
    parallax = told["parallax"].lower() == "true" if "parallax" in told else None
    remarks = tuple(re.findall(r"(?m)^(# ?(?:Calibrant|Image)\s*:.*?)\s*$", text))
    return Experiment(geometry, parallax, detector.traits.sensor, remarks), in_orientation(detector, turned)


def _known_to_pyfai(path: Path, shape: tuple[int, int]) -> Distortion:
    """A detector that pyFAI makes of its name and pixel size."""
    from pyFAI.io.ponifile import PoniFile

    with quiet("pyFAI"):
        try:
            detector = PoniFile(str(path)).detector
        except Exception as error:  # whatever pyFAI stumbles over
            raise FileFormatError(f"{path}: pyFAI makes no detector of it: {type(error).__name__}: {error}") from error
        if not detector.shape:
            detector.shape = detector.max_shape = shape
        if not detector.uniform_pixel or not detector.pixel1 or not detector.pixel2:
            return from_detector(detector)
        (ny, nx), size = detector.shape, (float(detector.pixel1), float(detector.pixel2))
        plain = Distortion(no_displacement((ny, nx)), (ny, nx), size, traits=traits_of(detector, (ny, nx)))
        return in_orientation(plain, int(detector.orientation) or 3)


def geometry_with(
    new: Distortion, old: Distortion, geometry: Mapping[str, float], *, force: bool = False
) -> dict[str, float]:
    """The geometry of an experiment with a new detector in place of the old one, for the same images: the beam stays
    where it was in the image.

    Raises
    ------
    UsageError
        Pixels of another size, which are not those of the same images, and not `force`.
    """
    if not force and (np.abs(np.divide(new.pixel_size, old.pixel_size) - 1) > _SAME_SIZE).any():
        sizes = [format_length(one.pixel_size) for one in (old, new)]
        text = "a PONI file for pixels of {}, and a detector with pixels of {}".format(*sizes)
        raise UsageError(text, expected="the same images", hint="read the detector with --binning, or --force")
    last, poni = np.array(new.shape) - 1.0, np.array([geometry["poni1"], geometry["poni2"]])
    # +1 where places run along the axis of the image, -1 where they run against it.
    run, other = (np.sign(np.diff(_places(one, np.stack([0 * last, last])), axis=0)[0]) for one in (old, new))
    # The pixel of the image in which the beam is, or the one of the border that is nearest to it.
    beam = poni + _beam_beside(geometry)
    at = index_from_edge(beam / old.pixel_size)
    at = np.clip(np.where(run < 0, last - at, at), 0, last)
    for _ in range(_STEPS):
        at = np.clip(at + run * (beam - _places(old, at)[0]) / old.pixel_size, 0, last)
    poni = _places(new, at)[0] - run * other * (_places(old, at)[0] - poni)
    rot = run * other * (geometry["rot2"], geometry["rot1"])
    return {**geometry, **dict(zip(("poni1", "poni2", "rot2", "rot1"), map(float, (*poni, *rot)), strict=True))}


def _places(distortion: Distortion, yx: Floats) -> Floats:
    """Where points of the image (N, 2) are on the detector plane, metres."""
    return edge_from_index(distortion.correct(yx)) * distortion.pixel_size


def _beam_beside(geometry: Mapping[str, float]) -> Floats:
    """Where the beam meets the plane of the detector, from the PONI, metres; there, where it does not meet it."""
    rot1, rot2 = geometry["rot1"], geometry["rot2"]
    if math.cos(rot1) * math.cos(rot2) <= 0:
        return np.zeros(2)
    return geometry["dist"] * np.array([math.tan(rot2) / math.cos(rot1), -math.tan(rot1)])
