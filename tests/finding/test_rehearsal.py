"""Holes that are cut, where the picture of a hole goes by the place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pyfai_gridcal.finding.detection import find_spots
from pyfai_gridcal.records.field import SumField
from pyfai_gridcal.records.spots import SpotFlag, Spots
from pyfai_gridcal.synthetic import demo_scene, fields

SHAPE = (391, 452)


def lateral_colour(share: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A picture by lenses that draw three colours larger and smaller by this share; and where the holes are, px."""
    scene = demo_scene(SHAPE, pitch_px=24.3)
    total = np.zeros(SHAPE)
    for part in (-share, 0.0, share):
        wider = fields.LinearField(fields.centre_of(SHAPE), part * np.eye(2), (0, 0))
        one = replace(scene.distortion, field=SumField((scene.distortion.field, wider)))
        total += replace(scene, distortion=one).render(np.random.default_rng(1), bounds=False).mean
    mean, rng = total / 3, np.random.default_rng(8)
    return mean + rng.normal(size=SHAPE) * np.sqrt(mean / 3 + 20), scene.holes().yx


def off_of(
    spots: Spots, truth: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    far, near = cKDTree(truth).query(spots.yx)
    known = far < 3
    off = (spots.yx - truth[near])[known]
    return off, spots.sigma_yx[known], (spots.flags[known] & SpotFlag.BORDER) > 0


def test_cut_holes_are_where_smeared_ones_beside_them_say() -> None:
    image, truth = lateral_colour(0.006)
    off, sigma, cut = off_of(find_spots(image), truth)
    off = off - np.median(off[~cut], axis=0)
    assert cut.sum() > 15
    assert np.sqrt(np.mean(off[cut] ** 2)) < 0.03
    assert np.mean(np.abs(off[cut]) < 2 * sigma[cut]) > 0.9
