"""What neighbours share in what a fit leaves over."""

from __future__ import annotations

from dataclasses import replace

import looking
import numpy as np
from scipy.spatial import cKDTree

from pyfai_gridcal.finding.detection import find_spots
from pyfai_gridcal.finding.faults import SharedFaults, learn_faults


def test_clean_holes_share_next_to_nothing() -> None:
    _, _, look = looking.search()
    faults = learn_faults(look.tools, look.state, look.fitted, look.good)
    assert faults is not None
    assert np.median(faults.size) < 0.2 * np.median(np.sqrt(look.fitted.position_variance))
    few = np.arange(len(look.good)) < 10
    assert learn_faults(look.tools, look.state, look.fitted, few) is None


def test_a_reflex_makes_all_of_them_unsure() -> None:
    """Spots beside whose rims a second picture ends are off together, and say so; the sigma of each does not."""
    clean = looking.picture()
    scene = replace(clean.scene, camera=replace(clean.scene.camera, ghost=(0.08, 9.0, -6.5)))
    picture = scene.render(np.random.default_rng(5))
    spots = find_spots(picture.image)
    assert spots.shared_yx is not None
    usual = find_spots(clean.image).shared_yx
    assert usual is not None
    told = np.sqrt((spots.shared_yx**2).mean())
    assert told > 2 * np.sqrt((usual**2).mean())
    # what moves all of them alike is no distortion
    off = spots.yx - picture.truth.yx[cKDTree(picture.truth.yx).query(spots.yx)[1]]
    assert 0.1 < told / (off - off.mean(axis=0)).std() < 3


def test_that_of_the_nearest() -> None:
    size, part = np.array([[0.1, 0.2], [0.3, 0.4]]), np.array([[0.0, 0.0], [0.25, 0.64]])
    faults = SharedFaults(np.array([[0.0, 0.0], [30.0, 0.0]]), size, part)
    places = np.array([[20.0, 3.0], [1.0, 1.0]])
    np.testing.assert_allclose(faults.at(places), [[0.3, 0.4], [0.1, 0.2]])
    # and of what they are off they share that part
    np.testing.assert_allclose(faults.at(places, np.array([[1.0], [2.0]])), [[0.5, 0.8], [0.1, 0.2]])
