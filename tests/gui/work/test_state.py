"""What is known says what is missing; spots are joined and reached for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pyfai_gridcal.gui.work.state import Bare, ExposureResults, Results, joined, reach_px
from pyfai_gridcal.io.images.images import Image
from pyfai_gridcal.records.fit import DistortionFit
from pyfai_gridcal.records.spots import Spots


def test_what_is_missing(work: ExposureResults) -> None:
    assert Results().missing == "image"
    assert Results((work,)).missing == "image"
    seen = replace(work, picture=Image(np.zeros((5, 8)), np.zeros((5, 8), bool)))
    assert Results((seen,)).missing == "found"
    indexed = replace(seen, found=seen.spots)
    assert Results((indexed,)).missing == "calibration"
    assert Results((indexed, replace(indexed, points=None))).missing == "points", "of any exposure"


def test_joined_spots_have_what_is_common_of_the_first() -> None:
    first = Spots.from_positions(np.array([(1.0, 2.0)]), sigma=0.1, polarity="dark", hole_px=7.0)
    second = Spots.from_positions(np.array([(3.0, 4.0), (5.0, 7.0)]), sigma=0.2, hole_px=9.0)
    both = joined(first, second)
    assert both.yx.tolist() == [[1, 2], [3, 4], [5, 7]]
    assert both.sigma_yx[:, 1].tolist() == [0.1, 0.2, 0.2]
    assert (both.polarity, both.hole_px) == ("dark", 7.0)


def test_how_far_a_click_reaches() -> None:
    yx = np.zeros((1, 2))
    assert reach_px(Spots.from_positions(yx, hole_px=20.0)) == 15.0
    assert reach_px(Spots.from_positions(yx, hole_px=2.0)) == 4.0
    assert reach_px(Spots.from_positions(yx)) == 8.0


def test_a_bare_distortion_says_what_it_is(fit: DistortionFit) -> None:
    text = Bare(fit).report()
    assert "90 x 160 pixels of 50.0000 x 40.0000 µm" in text
    assert Bare(fit).distortion is fit.distortion
