"""Distortion <-> pyFAI detector, in memory.

The detector is a plain one with pixel corners, never of a class of our own: every pyFAI reads it without this package.
"""

from __future__ import annotations

import warnings
import weakref
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...base.errors import FileFormatError
from ...records.corners import corners_of_nodes
from ...records.distortion import Distortion
from ...records.traits import IMAGES, Sensor, Traits
from ..kinds.readout import in_orientation, with_traits_turned
from .contents import TRAITS
from .groups import detector_nodes, distortion_of_corners

if TYPE_CHECKING:
    from pyFAI.detectors import Detector

__all__ = ["from_detector", "to_detector"]


def to_detector(distortion: Distortion, *, name: str = "calibrated") -> Detector:
    """A pyFAI detector with this distortion: corners in metres, orientation 3, always with a mask.

    It is what pyFAI makes of a detector file, without the file, so that it can be copied and saved. A PONI file names
    a detector by its file:
    one that is written from a detector in memory cannot be read again, so save the detector first
    (:func:`~pyfai_gridcal.io.nexus.result.save_result`) and take the file.
    """
    from pyFAI.detectors import NexusDetector
    from pyFAI.detectors.sensors import SensorConfig

    nodes = detector_nodes(distortion)
    detector = NexusDetector(orientation=3)  # a plain Detector forgets that it is distorted when it is copied
    detector.aliases = [name]
    detector._pixel1, detector._pixel2 = distortion.pixel_size
    detector.max_shape = detector.shape = distortion.shape
    detector._binning = (1, 1)
    detector.set_pixel_corners(corners_of_nodes(nodes))
    detector.uniform_pixel = False
    detector.IS_CONTIGUOUS, detector.IS_FLAT = nodes.ndim == 3, distortion.depth is None
    mask = np.zeros(distortion.shape, bool) if distortion.mask is None else distortion.mask
    detector.mask = mask.astype(np.int8)
    traits = distortion.traits
    for own in IMAGES:
        array = getattr(traits, own)
        setattr(detector, TRAITS[own], None if array is None else array.copy())  # pyFAI takes no read-only ones
    detector._dummy, detector._delta_dummy = traits.dummy, traits.delta_dummy
    if traits.sensor is not None:
        detector.sensor = SensorConfig.from_dict(traits.sensor.config())
    detector.get_config = _ConfigInMemory(detector)
    return detector


class _ConfigInMemory:
    """What a detector in memory tells a PONI file about itself: with a warning that nobody can read that again.

    Copies and pickles of the detector get pyFAI's own method back, so that they need nothing of this package.
    """

    def __init__(self, detector: Detector):
        self._detector = weakref.ref(detector)

    def __call__(self) -> dict[str, Any]:
        config: dict[str, Any] = self._plain()()
        if config.get("filename") is None:
            text = "this detector is in memory only, so a PONI file with it cannot be read again: save the calibration "
            warnings.warn(f"{text}and use pyFAI.detector_factory('detector.h5')", stacklevel=2)
        return config

    def _plain(self) -> partial[dict[str, Any]]:
        detector: Any = self._detector()
        return partial(type(detector).get_config, detector)

    def __reduce__(self) -> tuple[Any, ...]:
        plain = self._plain()
        return partial, (plain.func, *plain.args)


def traits_of(detector: Detector, shape: tuple[int, ...]) -> Traits:
    """What a pyFAI detector is besides the places of its pixels; flat and dark only where they have this shape.

    A detector of a class that is made with one sensor only has that one.
    """
    made: tuple[Any, ...] = getattr(detector, "SENSORS", ())
    sensor = getattr(detector, "sensor", None) or (made[0] if len(made) == 1 else None)
    if sensor is not None:
        sensor = Sensor(str(getattr(sensor.material, "name", sensor.material)), sensor.thickness)
    given = {name: getattr(detector, TRAITS[name]) for name in IMAGES}
    images = {name: one for name, one in given.items() if one is not None and one.shape == shape}
    return Traits(sensor, **images, dummy=detector._dummy, delta_dummy=detector._delta_dummy)


def from_detector(detector: Detector) -> Distortion:
    """The distortion of any pyFAI detector of quadrilateral pixels, relative to its own pixel size; flat but for the
    depth of its modules.

    It is for images in the orientation of the detector: places on its plane are those of pyFAI. The mask belongs to the
    corners beside it, and is turned with them; flat and dark belong to the images. A class of detectors that is made
    with one sensor only has that one.

    Raises
    ------
    FileFormatError
        Not flat, hexagonal pixels, no shape, or an unknown orientation.
    """
    what = f"detector {detector.name}"
    orientation = int(detector.orientation) or 3
    if not detector.shape:
        raise FileFormatError(f"{what} has no shape", expected="max_shape=(slow, fast)")
    if detector.pixel1 is None or detector.pixel2 is None:
        raise FileFormatError(f"{what} has no pixel size")
    kept, corners = detector._pixel_corners, np.asarray(detector.get_pixel_corners(correct_binning=True))
    if orientation != 3:  # a detector that keeps them turns them round again when it is asked for positions
        detector._pixel_corners = kept
    size = float(detector.pixel1), float(detector.pixel2)
    mask = detector.mask
    if mask is not None and np.shape(mask) != corners.shape[:2]:
        mask = None
    gauge = f"as in {detector.name}"
    found = distortion_of_corners(corners, size, mask, gauge=gauge, what=what, orientation=orientation)
    traits = traits_of(detector, found.shape)
    return in_orientation(with_traits_turned(replace(found, traits=traits), orientation), orientation)
