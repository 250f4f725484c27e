"""Pictures of the page show what the records say."""

from __future__ import annotations

import numpy as np

from pyfai_gridcal.calibration import Calibration
from pyfai_gridcal.report.pictures import contrasts_of


def test_threshold_stands_between_holes_and_dirt(made: Calibration) -> None:
    found = contrasts_of(made.images[0], None, made.spots[0], made.points[0])
    assert found is not None
    assert found.is_spot.sum() > 0.9 * len(made.points[0])
    assert np.median(found.relative[found.is_spot]) > 2 * found.threshold
    assert found.relative.min() < found.threshold or found.is_spot.all()
