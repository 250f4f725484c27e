"""From the image of a grid of holes to a detector that pyFAI opens.

>>> from pyfai_gridcal import calibrate
>>> calibration = calibrate("grid.edf", pitch=5e-3)  # doctest: +SKIP
>>> calibration.save("detector.h5")  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .calibration import Calibration, Settings, calibrate
    from .detection import find_spots
    from .distortion import Distortion
    from .errors import GridcalError
    from .fit import DistortionFit
    from .fitting import fit_distortion
    from .indexing import index_spots
    from .plate import Plate
    from .plugins import register
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
    "register",
]

#: Where the public names live. They are fetched when they are asked for: half of scipy comes with them, and a command
#: that only shows its help, or a program that lists its plugins, should not wait for that.
_HOMES = {
    "Calibration": "calibration",
    "ControlPoints": "points",
    "Distortion": "distortion",
    "DistortionFit": "fit",
    "GridcalError": "errors",
    "Plate": "plate",
    "Settings": "calibration",
    "Spots": "spots",
    "calibrate": "calibration",
    "find_spots": "detection",
    "fit_distortion": "fitting",
    "index_spots": "indexing",
    "register": "plugins",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{home}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
