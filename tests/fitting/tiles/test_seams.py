"""Tiles from masks, seams from jumps."""

from __future__ import annotations

import numpy as np
import pytest
from fieldtruth import PIXEL, PLATE, SHAPE, observe

from pyfai_gridcal.fitting.rigid import place
from pyfai_gridcal.fitting.tiles.seams import Seam, find_seams, labels_of_mask, labels_of_seams, seam_strips
from pyfai_gridcal.records.field import TiledField
from pyfai_gridcal.synthetic import fields


def test_labels_of_a_mask_with_gaps() -> None:
    mask = np.zeros((60, 90), bool)
    mask[20:23] = True
    mask[:, 50] = True
    mask[40:44, 10:14] = True
    mask[41, 11] = False  # an island in a dead patch
    labels = labels_of_mask(mask)
    assert labels.max() == 3
    assert [labels[5, 5], labels[5, 80], labels[50, 5], labels[50, 80]] == [0, 1, 2, 3]
    assert labels[41, 11] == 2
    assert labels[20, 5] == 0
    assert labels[22, 5] == 2


def test_dead_pixels_and_islands_leave_one_tile() -> None:
    mask = np.random.default_rng(1).random((60, 90)) < 0.01
    mask[40:44, 10:14] = True
    mask[41, 11] = False
    labels = labels_of_mask(mask)
    assert labels.shape == mask.shape
    assert not labels.any()


def test_all_masked_is_one_tile() -> None:
    assert not labels_of_mask(np.ones((5, 6), bool)).any()


def displacements(field: object, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    truth = observe(field, seed=seed, angle_deg=1.3)  # type: ignore[arg-type]
    positions = PLATE.positions(truth.points.ij)
    start = place(positions, truth.points.yx)
    return truth.points.yx, truth.points.ij, start.pose.corrected(positions, start.pixel_size) - truth.points.yx


def torn(jump: float) -> TiledField:
    return fields.tiles(SHAPE, (1, 2), np.random.default_rng(4), jump_px=jump, base=fields.radial(SHAPE, 0.02))


@pytest.mark.parametrize("jump", [0.5, 6.0])
def test_a_seam_is_found_where_it_is(jump: float) -> None:
    (seam,) = find_seams(*displacements(torn(jump)))
    assert seam.axis == 1
    assert seam.low - 1 <= SHAPE[1] / 2 <= seam.high + 1
    assert seam.high - seam.low < 24
    assert seam.share > 0.8


def test_smooth_and_kinked_fields_have_no_seam() -> None:
    assert find_seams(*displacements(fields.radial(SHAPE, 0.1))) == ()
    rng = np.random.default_rng(1)
    assert find_seams(*displacements(fields.smooth(SHAPE, 5.0, 60.0, rng))) == ()


def test_labels_and_strips_of_seams() -> None:
    seams = (Seam(0, 20.2, 24.9, 1.0, 2.0), Seam(1, 50.0, 50.0, 1.0, 2.0))
    labels = labels_of_seams(seams, (60, 90))
    assert [labels[5, 5], labels[5, 80], labels[50, 5], labels[50, 80]] == [0, 1, 2, 3]
    strips = seam_strips(seams, (60, 90))
    assert strips[21:25].all()
    assert not strips[20].any()
    assert strips.sum() == 4 * 90
    assert PIXEL[0] != PIXEL[1]


@pytest.mark.parametrize("part", [0.0, 0.3, 0.5, 0.7, 1.0])
def test_a_seam_through_a_column_of_holes_is_found(part: float) -> None:
    """The holes that it cuts have a part of the jump."""
    rng = np.random.default_rng(6)
    ij = np.stack(np.meshgrid(np.arange(20), np.arange(23), indexing="ij"), axis=-1).reshape(-1, 2)
    yx = ij * (21.0, 19.0) + (8.3, 6.1)
    share = np.where(ij[:, 1] == 11, part + 0.05 * rng.standard_normal(len(ij)), ij[:, 1] > 11)
    d = 0.3 * np.sin(yx[:, ::-1] / 140) + 0.01 * rng.standard_normal(yx.shape) + share[:, None] * (1.1, -0.7)
    (seam,) = find_seams(yx, ij, d)
    assert seam.axis == 1
    cut = 6.1 + 11 * 19.0
    assert abs(seam.middle - (cut + 19 * (0.5 - part))) < 10
    assert seam.jump_px == pytest.approx(np.hypot(1.1, 0.7), rel=0.15)


def test_a_column_of_wrong_holes_is_no_seam() -> None:
    rng = np.random.default_rng(7)
    ij = np.stack(np.meshgrid(np.arange(20), np.arange(23), indexing="ij"), axis=-1).reshape(-1, 2)
    d = 0.01 * rng.standard_normal(ij.shape)
    d[ij[:, 1] == 11] += (0.8, 0.5)
    assert find_seams(ij * (21.0, 19.0), ij, d) == ()


def test_labels_and_strips_of_slanted_seams() -> None:
    seams = (Seam(1, 40.0, 44.0, 1.0, 2.0, slope=0.5), Seam(0, 20.0, 20.0, 1.0, 2.0))
    labels, strips = labels_of_seams(seams, (60, 90)), seam_strips(seams, (60, 90))
    assert [labels[0, 0], labels[0, 60], labels[50, 60], labels[50, 80]] == [0, 1, 2, 3]
    assert [labels[10, 46], labels[10, 48]] == [0, 1]  # x = 42 + y / 2
    assert strips[10, 45:49].all()
    assert not strips[10, [44, 50]].any()
    assert not strips[40, [58, 66]].any()
    assert str(seams[0]) == "x = 42.0 ± 2.0 + 0.5000 y"


def test_a_seam_may_cross_rows_and_columns_of_holes() -> None:
    yx, ij, _ = displacements(fields.radial(SHAPE, 0.0))
    beyond = yx[:, 1] - 0.4 * yx[:, 0] > 60
    (seam,) = find_seams(yx, ij, np.where(beyond[:, None], [0.7, -0.4], 0.0) + 0.003 * np.sin(yx))
    y = np.array([20.0, SHAPE[0] - 20.0])
    np.testing.assert_allclose(seam.middle + seam.slope * y, 60 + 0.4 * y, atol=15)


@pytest.mark.parametrize("gone", [1, 2])
def test_a_seam_that_takes_rows_of_holes_with_it_is_found(gone: int) -> None:
    rng = np.random.default_rng(8)
    ij = np.stack(np.meshgrid(np.arange(21), np.arange(24), indexing="ij"), axis=-1).reshape(-1, 2)
    yx = ij * (21.0, 19.0) + (8.3, 6.1)
    beyond = yx[:, 1] > 219
    d = 2.0 * np.sin(yx[:, ::-1] / 140) + 0.01 * rng.standard_normal(yx.shape) + beyond[:, None] * (1.4, -0.9)
    there = (ij[:, 1] < 11) | (ij[:, 1] >= 11 + gone)
    (seam,) = find_seams(yx[there], ij[there], d[there])
    assert seam.axis == 1
    last, first = 6.1 + 10 * 19.0, 6.1 + (11 + gone) * 19.0
    assert last < seam.low < (last + first) / 2 < seam.high < first
    assert seam.jump_px == pytest.approx(np.hypot(1.4, 0.9), rel=0.2)


def test_missing_rows_in_a_bent_field_are_no_seam() -> None:
    yx, ij, d = displacements(fields.radial(SHAPE, 0.1))
    there = ~np.isin(ij[:, 1], np.unique(ij[:, 1])[[7, 8, 13]])
    assert find_seams(yx[there], ij[there], d[there]) == ()


def test_a_strip_holds_all_lines_that_a_slanted_seam_can_be() -> None:
    seam = Seam(0, 20.0, 22.0, 1.0, 2.0, slope=0.2, ways=((0.2, 20.0, 22.0), (0.3, 11.0, 12.0), (0.1, 29.0, 31.0)))
    strip = seam_strips((seam,), (60, 90))
    assert [np.flatnonzero(strip[:, x]).tolist() for x in (0, 85)] == [list(range(11, 32)), list(range(37, 40))]
