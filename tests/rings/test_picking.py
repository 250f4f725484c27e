"""Points picked in images lie where the rings are, as near as they say."""

from __future__ import annotations

import numpy as np
import pytest
from ringdrawing import GEOMETRY, WAVELENGTH, bent, draw, gaps, perfect

from pyfai_gridcal.base.errors import PickingError, UsageError
from pyfai_gridcal.io.nexus.detector import to_detector
from pyfai_gridcal.rings.picking import calibrant_of, pick_rings

SHAPE = (260, 300)
NEAR = GEOMETRY | {"dist": 0.07, "poni1": 0.0135, "poni2": 0.0145}


@pytest.mark.parametrize(("light", "times", "typical"), [({}, 1.5, 0.05), ({"spots": 0.6, "texture": 0.5}, 3.0, 0.15)])
def test_points_are_right_within_their_sigma(light: dict[str, float], times: float, typical: float) -> None:
    """Grains are not all on the middle of their ring, which no pixel tells."""
    rng = np.random.default_rng(3)
    truth = bent(SHAPE, 1.0, rng)
    image = draw(truth, rng, geometry=NEAR, fwhm=0.2, **light)
    image[100, 100] = np.nan
    found = pick_rings(image, to_detector(perfect(SHAPE)), NEAR, WAVELENGTH, "CeO2", mask=gaps(SHAPE))
    off = found.off_px(truth)
    assert len(found) > 250
    assert np.median(np.abs(off / found.sigma)) / 0.674 < times
    assert np.median(np.abs(off)) < typical


def test_an_image_without_rings_is_refused() -> None:
    image = np.random.default_rng(4).poisson(20.0, SHAPE).astype(float)
    with pytest.raises(PickingError, match="on a ring in"):
        pick_rings(image, to_detector(perfect(SHAPE)), NEAR, WAVELENGTH, "CeO2")


def test_calibrants_are_those_of_pyfai() -> None:
    assert calibrant_of("LaB6", WAVELENGTH).wavelength == WAVELENGTH
    with pytest.raises(UsageError, match="such as CeO2"):
        calibrant_of("unobtainium", WAVELENGTH)
