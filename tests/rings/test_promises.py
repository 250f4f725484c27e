"""What rings can know, as it is promised: scale by steps of the distance, modules of a detector that pyFAI knows."""

from __future__ import annotations

import numpy as np
import pytest
from ringdrawing import GEOMETRY, PIXEL, differs, ring_points_of

from pyfai_gridcal.fitting.tiles.seams import labels_of_mask
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import TiledField
from pyfai_gridcal.rings.doors import detector_of
from pyfai_gridcal.rings.solution import fit_rings
from pyfai_gridcal.synthetic import fields

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("not_left_out")]


@pytest.mark.parametrize("seed", range(4))
def test_scale_within_20_ppm_by_steps_known_to_10_ppm(seed: int) -> None:
    shape, rng = (900, 1000), np.random.default_rng(seed)
    scale = rng.normal(0, 3e-4)
    centre = ((shape[0] - 1) / 2, (shape[1] - 1) / 2)
    stretched = fields.LinearField(centre, np.diag([scale, scale]))
    truth = Distortion(fields.SumField((fields.smooth(shape, 1.0, 400, rng), stretched)), shape, PIXEL)
    places = ((0.1, 0.5, 0.5), (0.25, 0.5, 0.5), (0.4, 0.5, 0.5), (0.2, 0.1, 0.1), (0.2, 0.1, 0.9))
    told = [GEOMETRY | {"dist": d, "poni1": a * 0.09, "poni2": b * 0.1} for d, a, b in places]
    images = [ring_points_of(truth, rng, geometry=g, name=f"image {k}") for k, g in enumerate(told)]
    distances = [g["dist"] + 0.03 + rng.normal(0, 3e-6) for g in told]
    found = fit_rings(images, shape=shape, pixel_size=PIXEL, distances=(distances, 3e-6))
    y, x = (np.linspace(0, n - 1, 40) for n in shape)
    yx = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
    off = yx - yx.mean(axis=0)
    error = found.distortion.displacement(yx) - truth.displacement(yx)
    assert abs(float((off * error).sum() / (off**2).sum())) < 2e-5
    assert found.scale is not None
    assert found.scale[1] < 2e-5


def test_modules_of_a_pilatus() -> None:
    """Within 0.01 px and 0.02 mrad, with points of 0.05 px."""
    frame, rng = detector_of("Pilatus1M"), np.random.default_rng(0)
    assert frame.mask is not None
    labels = labels_of_mask(frame.mask)
    tiles = []
    for k in range(int(labels.max()) + 1):
        centre = np.argwhere((labels == k) & ~frame.mask).mean(axis=0)
        turn, shift = rng.normal(0, 3e-4), rng.normal(0, 0.3, 2)
        tiles.append(fields.LinearField((centre[0], centre[1]), np.array([[0, turn], [-turn, 0]]), tuple(shift)))
    truth = Distortion(TiledField(labels, tuple(tiles)), frame.shape, frame.pixel_size, frame.mask)
    ny, nx = np.array(frame.shape) * frame.pixel_size
    places = ((0.12, 0.5, 0.5), (0.2, 0.5, 0.5), (0.15, 0.15, 0.15), (0.15, 0.85, 0.15), (0.15, 0.15, 0.85))
    images = [
        ring_points_of(
            truth, rng, geometry=GEOMETRY | {"dist": d, "poni1": a * ny, "poni2": b * nx}, seen=~frame.mask,
            noise_px=0.05, name=f"image {k}",
        )
        for k, (d, a, b) in enumerate(places)
    ]  # fmt: skip
    found = fit_rings(images, shape=frame.shape, pixel_size=frame.pixel_size, mask=frame.mask)
    error = differs(found.distortion, truth, rng)
    assert np.sqrt((error**2).mean()) < 0.01
    assert all(m.turn[1] < 2e-5 for m in found.modules)
    shifts = np.array([m.shift_sigma for m in found.modules])
    assert shifts.max() < 0.01
