"""The shift of a spot by the bending of the field, against the picture of a hole added up point by point."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.fitting.bending import curvature_shift
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import Field
from pyfai_gridcal.synthetic import fields

SHAPE = (600, 700)


@pytest.mark.parametrize(
    "field",
    [fields.radial(SHAPE, 0.2, 0.1, centre=(280, 360)), fields.smooth(SHAPE, 15.0, 120.0, np.random.default_rng(0))],
)
def test_centroid_of_a_hole(field: Field) -> None:
    distortion, radius, h = Distortion(field, SHAPE, (1.0, 1.0)), 9.0, 0.5
    side = (np.arange(80) + 0.5) / 40 - 1
    disk = np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
    disk = disk[np.hypot(*disk.T) < 1] * radius
    for centre in distortion.correct([[100.0, 150.0], [500.0, 600.0], [50.0, 640.0]]):
        middle = distortion.distort(centre)
        yx = distortion.distort(centre + disk, tolerance=1e-9)
        slopes = [(distortion.correct(yx + e) - distortion.correct(yx - e)) / (2 * h) for e in np.eye(2) * h]
        area = 1 / np.linalg.det(np.stack(slopes, axis=-1))
        centroid = (yx * area[:, None]).sum(axis=0) / area.sum()
        assert np.allclose(curvature_shift(field, middle, 2 * radius), centroid - middle, rtol=0.04, atol=4e-4)


def test_straight_fields_do_not_shift() -> None:
    assert np.allclose(
        curvature_shift(fields.linear(SHAPE, shear=0.1, stretch=0.05), [[100.0, 200.0]], 20.0), 0, atol=1e-10
    )
