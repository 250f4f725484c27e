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
from dataclasses import dataclass, replace
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
from .options import Writing
from .pointers import GEOMETRY, MAX_BYTES, PONI_KEYS, names_files
from .readout import in_orientation

#: Pixels whose sizes differ by more than this share are not those of the same images; nominal sizes are off by less.
_SAME_SIZE = 0.25
#: Steps to the pixel in which the beam is; each one leaves as much of the distance as the field stretches.
_STEPS = 20


@dataclass(frozen=True, eq=False)
class Experiment:
    """What a PONI file tells.

    Attributes
    ----------
    geometry : dist, poni1, poni2 (metres), rot1, rot2, rot3 (radians), wavelength (metres) where it is known
    parallax : whether pyFAI is to correct it, None for files that do not know of it
    detector : for images in the orientation that the file says
    remarks : lines about calibrant and image, which pyFAI keeps
    """

    geometry: Mapping[str, float]
    parallax: bool | None
    detector: Distortion
    remarks: tuple[str, ...]


def keeping(
    writing: Writing, like: str | PathLike[str], distortion: Distortion, *, turned: int | None = None
) -> Writing:
    """What to write into a PONI file so that it keeps the experiment of another one, with another detector.

    Parameters
    ----------
    writing : what is known already
    like : the PONI file
    distortion : of the other detector, for the same images
    turned : for these images turned from this orientation to 3
    """
    old = read_experiment(Path(like), distortion.shape, turned=turned or 3)
    geometry, sensor = geometry_with(distortion, old, force=writing.force), old.detector.traits.sensor
    return replace(writing, geometry=geometry, parallax=old.parallax, sensor=sensor, remarks=old.remarks)


def read_experiment(path: Path, shape: tuple[int, int], *, turned: int = 3) -> Experiment:
    """Read a PONI file of any version (1, 2, 2.1, 3).

    Parameters
    ----------
    path : of the file
    shape : (slow, fast) of the images; detectors of a file without a shape get this one
    turned : the experiment is wanted for these images turned from this orientation to 3

    Raises
    ------
    FileFormatError
        No such file, without a geometry, with a detector that cannot be read, or of another shape.
    """
    text = read_text(path, MAX_BYTES)
    told = {key.lower(): value for key, value in re.findall(r"(?m)^\s*(\w+)\s*:\s*(.*?)\s*$", text)}
    geometry = {}
    for name, key in {**PONI_KEYS, "wavelength": "Wavelength"}.items():
        value = told.get(key.lower(), "None")
        if value != "None":
            try:
                geometry[name] = float(value)
            except ValueError:
                raise FileFormatError(f"{path}: {key} {value[:40]!r}", expected="a number") from None
    missing = [PONI_KEYS[name] for name in GEOMETRY if not math.isfinite(geometry.get(name, math.nan))]
    if missing:
        raise FileFormatError(f"{path} tells no {', '.join(missing)}", expected="a PONI file")
    if names_files(path):
        detector = open_distortion(path, Reading(shape=shape)).distortion
    else:
        detector = _known_to_pyfai(path, shape)
    if detector.shape != shape:
        raise FileFormatError(f"{path} is for images of {detector.shape} pixels", expected=f"{shape}, as the detector")
    parallax = told.get("parallax")
    remarks = tuple(re.findall(r"(?m)^(# ?(?:Calibrant|Image)\s*:.*?)\s*$", text))
    wanted = None if parallax is None else parallax.lower() == "true"
    return Experiment(geometry, wanted, in_orientation(detector, turned), remarks)


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
        orientation = int(detector.orientation) or 3
        if not detector.uniform_pixel or not detector.pixel1 or not detector.pixel2:
            return from_detector(detector)
        (ny, nx), size = detector.shape, (float(detector.pixel1), float(detector.pixel2))
        plain = Distortion(no_displacement((ny, nx)), (ny, nx), size, traits=traits_of(detector, (ny, nx)))
        return in_orientation(plain, orientation)


def geometry_with(distortion: Distortion, experiment: Experiment, *, force: bool = False) -> dict[str, float]:
    """The geometry of the experiment with another detector for the same images, as :func:`read_experiment` gives it:
    the beam stays where it was in the image.

    Raises
    ------
    UsageError
        Pixels of another size, which are not those of the same images, and not `force`.
    """
    old, new, geometry = experiment.detector, distortion, dict(experiment.geometry)
    sizes = format_length(old.pixel_size), format_length(new.pixel_size)
    ratio = np.array(new.pixel_size) / old.pixel_size
    if not force and (np.abs(ratio - 1) > _SAME_SIZE).any():
        raise UsageError(
            f"a PONI file for pixels of {sizes[0]}, and a detector with pixels of {sizes[1]}",
            expected="the same images",
            hint="read the detector with --binning, or --force",
        )
    last = np.array(new.shape) - 1.0
    # +1 where places run along the axis of the image, -1 where they run against it.
    run, other = (np.sign(np.diff(_places(one, np.stack([0 * last, last])), axis=0)[0]) for one in (old, new))
    same = run * other
    poni = np.array([geometry["poni1"], geometry["poni2"]])
    # The pixel of the image in which the beam is, or the one of the border that is nearest to it.
    beam = poni + _beam_beside(geometry)
    at = index_from_edge(beam / old.pixel_size)
    at = np.clip(np.where(run < 0, last - at, at), 0, last)
    for _ in range(_STEPS):
        at = np.clip(at + run * (beam - _places(old, at)[0]) / old.pixel_size, 0, last)
    geometry["poni1"], geometry["poni2"] = map(float, _places(new, at)[0] - same * (_places(old, at)[0] - poni))
    geometry["rot2"], geometry["rot1"] = float(same[0] * geometry["rot2"]), float(same[1] * geometry["rot1"])
    return geometry


def _places(distortion: Distortion, yx: Floats) -> Floats:
    """Where points of the image (N, 2) are on the detector plane, metres."""
    return edge_from_index(distortion.correct(yx)) * distortion.pixel_size


def _beam_beside(geometry: Mapping[str, float]) -> Floats:
    """Where the beam meets the plane of the detector, from the PONI, metres; there, where it does not meet it."""
    rot1, rot2 = geometry["rot1"], geometry["rot2"]
    if math.cos(rot1) * math.cos(rot2) <= 0:
        return np.zeros(2)
    return geometry["dist"] * np.array([math.tan(rot2) / math.cos(rot1), -math.tan(rot1)])
