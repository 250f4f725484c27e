"""From the image of a grid of holes to a detector that pyFAI opens.

>>> from pyfai_gridcal import calibrate, load
>>> calibration = calibrate("grid.edf", pitch="5mm")  # doctest: +SKIP
>>> calibration.save("detector.h5")  # doctest: +SKIP
>>> load("detector.h5").report()  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base.errors import GridcalError
    from .calibration import Calibration, calibrate, load
    from .finding.detection import find_spots
    from .fitting.fitting import fit_distortion
    from .indexing.indexing import index_spots
    from .plugins import register
    from .records.distortion import Distortion
    from .records.fit import DistortionFit
    from .records.plate import Plate
    from .records.points import ControlPoints
    from .records.settings import Settings
    from .records.spots import Spots

__version__ = "0.2.0.dev0"

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
    "load",
    "register",
]

#: Where the public names live. They are fetched when they are asked for: half of scipy comes with them, and a command
#: that only shows its help, or a program that lists its plugins, should not wait for that.
_HOMES = {
    "Calibration": "calibration",
    "ControlPoints": "records.points",
    "Distortion": "records.distortion",
    "DistortionFit": "records.fit",
    "GridcalError": "base.errors",
    "Plate": "records.plate",
    "Settings": "records.settings",
    "Spots": "records.spots",
    "calibrate": "calibration",
    "find_spots": "finding.detection",
    "fit_distortion": "fitting.fitting",
    "index_spots": "indexing.indexing",
    "load": "calibration",
    "register": "plugins",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{home}", __name__), name)
    return value


def __dir__() -> list[str]:
    """The public names, and what Python itself asks for."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
