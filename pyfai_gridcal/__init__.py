"""From the image of a grid of holes to a detector that pyFAI opens.

>>> from pyfai_gridcal import calibrate
>>> calibration = calibrate("grid.edf", pitch=5e-3)  # doctest: +SKIP
>>> calibration.save("detector.h5")  # doctest: +SKIP
"""

from __future__ import annotations

from .calibration import Calibration, Settings, calibrate
from .detection import find_spots
from .distortion import Distortion
from .errors import GridcalError
from .fit import DistortionFit
from .fitting import fit_distortion
from .indexing import index_spots
from .plate import Plate
from .points import ControlPoints
from .spots import Spots

__version__ = "0.1.0"

__all__ = [
    "Calibration",
    "ControlPoints",
    "Distortion",
    "DistortionFit",
    "GridcalError",
    "Plate",
    "Settings",
    "Spots",
    "calibrate",
    "find_spots",
    "fit_distortion",
    "index_spots",
]
