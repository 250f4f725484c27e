"""Rows of holes that jump as a whole are those of a plate made in steps; whatever else bends or breaks is not."""

from __future__ import annotations

from dataclasses import replace

import fieldtruth
import numpy as np
import pytest
from turnedplates import PLATE, field

from pyfai_gridcal.fitting.fitting import fit_distortion
from pyfai_gridcal.judging.assessment import _steps
from pyfai_gridcal.judging.steps import row_step, stays
from pyfai_gridcal.records.field import SumField, TiledField
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.synthetic import fields

TURN = 0.09
BASIS = 20.3 * np.array([[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]]) * [[1.0], [1.1]]
SHAPE = (620, 730)
SIGMA = 0.02


def holes() -> tuple[ControlPoints, np.ndarray]:
    """Points of a whole image, and their displacement: noise on a strong field."""
    ij = np.stack([v.ravel() for v in np.mgrid[-40:41, -40:41]], axis=1)
    yx = ij @ BASIS + (313.2, 361.7)
    inside = ((yx > 8) & (yx < np.array(SHAPE) - 8)).all(axis=1)
    ij, yx = ij[inside], yx[inside]
    n = len(ij)
    points = ControlPoints(yx, np.full((n, 2), SIGMA), ij, np.arange(n), np.zeros(n, np.uint8), BASIS)
    bent = 9.0 * np.sin(yx[:, ::-1] / 170) + 4.0 * np.cos(yx / 110)
    return points, bent + SIGMA * np.random.default_rng(7).standard_normal(yx.shape)


def in_steps(points: ControlPoints, size: float) -> np.ndarray:
    """Each field of 9 x 11 holes off by its own amount."""
    off = np.random.default_rng(3).normal(0.0, size, (20, 20, 2))
    i, j = points.ij.T
    return off[i // 9 % 20, j // 11 % 20]


def step_of(points: ControlPoints, d: np.ndarray, mask: np.ndarray | None = None) -> tuple[float, int]:
    size, rows = row_step(points, d, np.ones(len(points), bool), mask)
    return size, len(rows)


@pytest.mark.parametrize("size", [0.08, 0.4])
def test_steps_of_a_plate_are_seen_whatever_their_size(size: float) -> None:
    points, d = holes()
    jump, rows = step_of(points, d + in_steps(points, size))
    assert size < jump < 6 * size
    assert 3 <= rows <= 6  # three across, two or three along, the shortest ones aside


def test_a_plate_of_one_piece_has_none() -> None:
    points, d = holes()
    assert step_of(points, d) == (0.0, 0)


def test_a_seam_at_an_angle_to_the_rows_is_no_step() -> None:
    points, d = holes()
    y, x = points.yx.T
    for slope in (0.0, 0.03, 0.5):
        assert step_of(points, d + np.where(y - slope * x > 290.0, 0.8, 0.0)[:, None] * [1.0, -0.6]) == (0.0, 0)


def test_what_jumps_across_a_gap_of_the_mask_is_the_detector() -> None:
    points, d = holes()
    jumping = d + np.where(points.ij[:, :1] > 2, 0.5, 0.0) * [0.6, 1.0]
    jump, rows = step_of(points, jumping)
    assert jump == pytest.approx(0.5 * np.hypot(0.6, 1.0), rel=0.1)
    assert rows == 1
    _, ((name, where),) = row_step(points, jumping, np.ones(len(points), bool), None)
    assert name == "y"
    assert where == pytest.approx(2.5 * BASIS[0, 0] + 313.2, abs=3)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    across = (np.stack([y, x], axis=-1) - (313.2, 361.7)) @ np.linalg.inv(BASIS)
    gap = np.abs(across[..., 0] - 2.5) < 0.06
    assert step_of(points, jumping, gap) == (0.0, 0)
    assert step_of(points, jumping, np.roll(gap, 220, axis=0))[1] == 1


def test_single_wrong_holes_and_small_lattices_are_no_steps() -> None:
    points, d = holes()
    wild = d.copy()
    wild[::17] += np.random.default_rng(2).normal(0, 3.0, (len(wild[::17]), 2))
    assert step_of(points, wild) == (0.0, 0)
    few = (np.abs(points.ij) < 3).all(axis=1)
    assert step_of(points.select(few), d[few]) == (0.0, 0)


def test_what_stays_is_the_detectors() -> None:
    here, there = (("y", 243.0), ("x", 80.0)), (("y", 250.0),)
    assert stays([here, there], within=20)
    assert not stays([here, (("x", 250.0),)], within=20)
    assert not stays([here, (("y", 300.0),)], within=20)
    # a step of the plate would be along its rows in each exposure
    assert stays([here, ()], within=20)


@pytest.mark.slow
@pytest.mark.parametrize("whose", ["plate", "detector"])
def test_two_exposures_tell_whose_a_step_is(whose: str) -> None:
    ij = np.stack([v.ravel() for v in np.mgrid[-30:31, -30:31]], axis=1)
    step = np.where(ij[:, :1] > 2, 80e-6, 0.0) * [1.0, 0.5] + np.where(ij[:, 1:] > 4, 60e-6, 0.0) * [0.4, 1.0]
    error = np.random.default_rng(8).normal(0, 3e-6, ij.shape) + (step if whose == "plate" else 0.0)
    labels = np.zeros(fieldtruth.SHAPE, int)
    labels[250:] = 1
    shifted = SumField((field(), fields.linear(fieldtruth.SHAPE, shift=(1.6, 0.8))))
    camera = field() if whose == "plate" else TiledField(labels, (field(), shifted))
    seen = []
    for k, (angle, offset) in enumerate(((0.0, (0.2, -0.3)), (90.0, (3.4, -2.7)))):
        plate = replace(PLATE, error_ij=ij, error_yx=error)
        truth = fieldtruth.observe(camera, plate=plate, angle_deg=angle, offset=offset, seed=k)
        found = fieldtruth.turned_indices(truth.points, -round(angle / 90))
        seen.append(found.reindexed(np.eye(2), -found.ij.min(axis=0)))
    fit = fit_distortion(seen, plate=PLATE, shape=fieldtruth.SHAPE)
    words: dict[str, str] = {}
    assert _steps(fit, None, words) > 1.0
    said = {"plate": "it moves with the plate", "detector": "it stays there while the plate moves"}
    assert said[whose] in words["steps along rows of holes, px"]
