"""One small calibration for all tests that only look at one."""

from __future__ import annotations

from functools import cache

import numpy as np

from pyfai_gridcal import calibrate
from pyfai_gridcal.calibration import Calibration
from pyfai_gridcal.synthetic import demo_scene

SHAPE, PITCH_PX = (300, 356), 24.7


@cache
def demo() -> Calibration:
    """The calibration of a demonstration image, without faults."""
    scene = demo_scene(SHAPE, pitch_px=PITCH_PX, seed=3)
    return calibrate(scene.render(np.random.default_rng(3), bounds=False).image, pitch=scene.plate.pitch_m[0])
