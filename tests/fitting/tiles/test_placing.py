"""Seams are placed between the last hole of one side and the first of the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fieldtruth import PLATE, SHAPE, Truth, observe

from pyfai_gridcal.fitting.recipe import Sample
from pyfai_gridcal.fitting.rigid import place
from pyfai_gridcal.fitting.tiles.placing import near_seams, placed_seams
from pyfai_gridcal.fitting.tiles.seams import Seam
from pyfai_gridcal.records.field import TiledField
from pyfai_gridcal.synthetic import fields

EDGE = SHAPE[1] / 2 - 0.5


def torn(jump: float) -> TiledField:
    return fields.tiles(SHAPE, (1, 2), np.random.default_rng(4), jump_px=jump, base=fields.radial(SHAPE, 0.02))


def sample_of(truth: Truth, yx: np.ndarray) -> Sample:
    positions = PLATE.positions(truth.points.ij)
    start = place(positions, yx)
    d = start.pose.corrected(positions, start.pixel_size) - yx
    spacing = float(np.min(truth.points.pitch_px))
    return Sample(yx, d, np.full(yx.shape, 0.01), SHAPE, spacing, np.ones(len(yx), bool))


def cut_holes(truth: Truth, field: TiledField, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Places as a camera sees them, and which are cut: a cut hole is drawn towards the other tile."""
    yx = np.array(truth.points.yx)
    away = yx[:, 1] - EDGE
    cut = np.abs(away) < radius
    step = field.fields[1].at(yx) - field.fields[0].at(yx)
    share = 0.5 * (1 - np.abs(away) / radius)
    yx[cut] -= (np.sign(away) * share)[cut, None] * step[cut]
    return yx, cut


@pytest.mark.parametrize("jump", [0.3, 1.0])
def test_a_vague_seam_is_placed_and_cut_holes_belong_to_no_side(jump: float) -> None:
    field = torn(jump)
    truth = observe(field, angle_deg=3.0)
    yx, cut = cut_holes(truth, field, 4.0)
    assert cut.sum() >= 2
    found = placed_seams(sample_of(truth, yx), (Seam(1, EDGE - 9, EDGE + 6, 1.0, jump),), hole_diameter_px=8.0)
    (seam,) = found.seams
    assert seam.low - 0.6 <= EDGE <= seam.high + 0.6
    assert seam.high - seam.low < 5
    size = float(np.median(np.hypot(*(field.fields[1].at(yx) - field.fields[0].at(yx)).T)))
    deep = np.hypot(*(yx - truth.points.yx).T) > 0.2 * size
    assert found.cut[deep].all()
    assert not found.cut[~cut].any()


def test_one_wrong_spot_does_not_move_a_seam() -> None:
    field = torn(1.0)
    truth = observe(field, angle_deg=2.3)
    yx = np.array(truth.points.yx)
    left = np.flatnonzero((yx[:, 1] < EDGE) & (yx[:, 1] > EDGE - 12))
    yx[left[np.argmin(yx[left, 1])]] += 1.5
    (seam,) = placed_seams(sample_of(truth, yx), (Seam(1, EDGE - 9, EDGE + 9, 1.0, 1.0),)).seams
    assert seam.low - 0.1 <= EDGE <= seam.high + 0.1


def test_tiles_without_points_leave_a_seam_as_it_was() -> None:
    truth = observe(torn(1.0)).points
    few = Sample(truth.yx[:5], np.zeros((5, 2)), np.full((5, 2), 0.01), SHAPE, 20.0, np.ones(5, bool))
    seam = Seam(1, EDGE - 9, EDGE + 9, 1.0, 1.0)
    found = placed_seams(few, (seam,))
    assert found.seams == (seam,)
    assert not found.cut.any()


def test_near_seams_are_those_that_may_be_cut() -> None:
    sample = sample_of(observe(torn(1.0), angle_deg=2.3), observe(torn(1.0), angle_deg=2.3).points.yx)
    (near,) = near_seams(sample, (Seam(1, EDGE - 2, EDGE + 2, 1.0, 1.0),))
    away = np.abs(sample.yx[:, 1] - EDGE)
    assert near[away < 2 + 0.3 * sample.spacing].all()
    assert not near[away > 2 + 0.5 * sample.spacing].any()


def test_a_seam_without_holes_near_it_is_as_wide_as_the_whole_holes_leave_it() -> None:
    """Two columns of holes are gone, and the first guess misses the seam."""
    field = torn(1.0)
    truth = observe(field, angle_deg=0.4)
    sample = sample_of(truth, truth.points.yx)
    columns = np.unique(truth.points.ij[:, 1])
    middles = np.array([truth.points.yx[truth.points.ij[:, 1] == j, 1].mean() for j in columns])
    gone = columns[np.argsort(np.abs(middles - EDGE))[:2]]
    sample = sample.select(~np.isin(truth.points.ij[:, 1], gone))
    (seam,) = placed_seams(sample, (Seam(1, EDGE + 1.0, EDGE + 4.0, 1.0, 1.0),), hole_diameter_px=6.0).seams
    x = sample.yx[:, 1]
    assert seam.low == pytest.approx(x[x < EDGE].max() + 1.5)
    assert seam.high == pytest.approx(x[x > EDGE].min() - 1.5)


def test_a_slanted_seam_knows_every_slant_that_parts_the_holes() -> None:
    truth = observe(fields.radial(SHAPE, 0.02), angle_deg=2.3)
    slope, at = 0.31, 170.0
    across = truth.points.yx[:, 1] - slope * truth.points.yx[:, 0] - at
    whole = np.abs(across) > 3.0 * np.hypot(1, slope)
    sample = sample_of(truth, truth.points.yx).select(whole)
    yx, beyond = sample.yx, across[whole] > 0
    sample = replace(sample, d=sample.d + np.where(beyond[:, None], [0.9, 0.4], 0.0))
    guess = Seam(1, at - 12, at + 12, 1.0, 1.0, slope=slope + 0.008)
    (seam,) = placed_seams(sample, (guess,), hole_diameter_px=6.0).seams
    y = np.array([0.0, SHAPE[0] - 1.0])
    ends = np.array([(low + s * y, high + s * y) for s, low, high in seam.ways])
    assert (ends[:, 0].min(axis=0) < at + slope * y).all()
    assert (ends[:, 1].max(axis=0) > at + slope * y).all()
    # none of them passes through a whole hole
    for s, low, high in seam.ways:
        place = yx[:, 1] - s * yx[:, 0]
        assert not ((place > low) & (place < high)).any()
    assert len(seam.ways) > 3


def test_holes_of_one_side_alone_do_not_turn_a_seam() -> None:
    """All that lies beside a vague slanted seam belongs to one side: the next column behind it bounds the other."""
    truth = observe(fields.radial(SHAPE, 0.02), angle_deg=0.4)
    sample = sample_of(truth, truth.points.yx)
    columns = np.unique(truth.points.ij[:, 1])
    x = np.array([sample.yx[truth.points.ij[:, 1] == j, 1].mean() for j in columns])
    first = int(np.searchsorted(x, EDGE))
    sample = sample.select(truth.points.ij[:, 1] != columns[first])
    beyond = sample.yx[:, 1] > EDGE
    sample = replace(sample, d=sample.d + np.where(beyond[:, None], [0.9, 0.4], 0.0))
    at, slope = x[first - 1] + 0.6 * sample.spacing, 0.02
    low = at - slope * (SHAPE[0] - 1) / 2 - 0.6 * sample.spacing
    guess = Seam(1, low, low + 1.2 * sample.spacing, 1.0, 1.0, slope=slope)
    beside = near_seams(sample, (guess,))[0]
    assert beside.sum() >= 4
    assert not beyond[beside].any()
    (seam,) = placed_seams(sample, (guess,), hole_diameter_px=6.0).seams
    ends = seam.middle + seam.slope * np.array([0.0, SHAPE[0] - 1.0])
    assert (ends > x[first - 1] - 1).all()
    assert (ends < x[first + 1] + 1).all()
