"""Exposures of one plate whose own holes are off, turned and shifted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from fieldtruth import SHAPE, Truth, observe, turned_indices

from pyfai_gridcal.records.field import Field
from pyfai_gridcal.records.fit import DistortionFit
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.synthetic import fields

PLATE = Plate((1e-3, 1e-3))
OFF = 18e-6
PLACES = ((1.2, (0.2, -0.3)), (92.0, (2.4, -1.7)), (-177.0, (-3.1, 1.2)), (271.0, (-1.4, -2.2)))


def field() -> Field:
    smooth = fields.smooth(SHAPE, 6.0, 170.0, np.random.default_rng(1))
    return fields.SumField((smooth, fields.linear(SHAPE, shear=0.01, stretch=0.006)))


def imperfect() -> Plate:
    ij = np.stack(np.meshgrid(np.arange(-25, 26), np.arange(-25, 26), indexing="ij"), -1).reshape(-1, 2)
    return replace(PLATE, error_ij=ij, error_yx=np.random.default_rng(8).normal(0, OFF, ij.shape))


def exposures(places: tuple[tuple[float, tuple[float, float]], ...] = PLACES) -> list[Truth]:
    out = []
    for k, (angle, offset) in enumerate(places):
        truth = observe(field(), plate=imperfect(), angle_deg=angle, offset=offset, seed=k, sigma=0.01)
        # as an indexing would number them: along the axes of the image, from a corner
        points = turned_indices(truth.points, -round(angle / 90))
        points = points.reindexed(np.eye(2), -points.ij.min(axis=0))
        out.append(replace(truth, points=points))
    return out


def rms(truth: Truth, fit: DistortionFit) -> float:
    return float(np.sqrt((truth.errors(fit.distortion, truth.grid(margin=25)) ** 2).sum(axis=1).mean()))
