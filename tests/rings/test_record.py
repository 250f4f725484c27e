"""A calibration by rings is written as a detector, with a PONI file for each image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ringdrawing import PIXEL, modular, three_images

from pyfai_gridcal.io.kinds.kinds import read_distortion
from pyfai_gridcal.rings.solution import fit_rings


@pytest.mark.usefixtures("not_left_out")
def test_pyfai_puts_the_rings_where_they_are(tmp_path: Path) -> None:
    import pyFAI

    rng, shape = np.random.default_rng(1), (220, 250)
    truth, mask = modular(shape, rng)
    images = three_images(truth, rng, seen=~mask)
    found = fit_rings(images, shape=shape, pixel_size=PIXEL, mask=mask)
    path = found.save(tmp_path / "det.h5")
    assert (
        np.abs(read_distortion(path).displacement([(50.0, 50.0)]) - found.distortion.displacement([(50.0, 50.0)])).max()
        < 1e-4
    )
    opened = pyFAI.load(str(tmp_path / "det_image 0.poni"))
    off = np.degrees(opened.tth(*images[0].yx.T) - images[0].two_theta)
    assert np.sqrt((off**2).mean()) < 2 * 0.03 * np.degrees(PIXEL[0] / opened.dist)
    told = json.loads(json.dumps(found.summary()))
    assert len(told["modules"]) == 4
    assert told["points_used"] <= told["points"]
