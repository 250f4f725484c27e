"""Nodes of the spots: growth over bent, turned, holed and broken lattices."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from pyfai_gridcal.base.errors import IndexingError
from pyfai_gridcal.indexing.indexing import GrownLattice, grow_lattice, index_spots
from pyfai_gridcal.indexing.nodes import local_bases
from pyfai_gridcal.records.spots import Spots

SHAPE = (620, 780)


def lattice(
    angle_deg: float = 7.0, pitch: tuple[float, float] = (21.0, 21.0), between_deg: float = 90.0, bend: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (N, 2) and places (N, 2) of a lattice that fills the image, barrel-shaped by `bend`."""
    a, b = np.deg2rad(angle_deg), np.deg2rad(angle_deg + between_deg)
    basis = np.array([[pitch[0] * np.sin(b), pitch[0] * np.cos(b)], [pitch[1] * np.sin(a), pitch[1] * np.cos(a)]])
    ij = np.stack(np.meshgrid(np.arange(-90, 91), np.arange(-90, 91), indexing="ij"), axis=-1).reshape(-1, 2)
    yx = ij @ basis
    r2 = (yx**2).sum(axis=1) / (0.5 * max(SHAPE)) ** 2
    yx = yx * (1 - bend * r2)[:, None] + np.array(SHAPE) / 2 + (3.3, -4.7)
    inside = (yx > 0).all(axis=1) & (yx < SHAPE).all(axis=1) & (r2 < 1.6)
    return ij[inside], yx[inside]


def wrong(true: np.ndarray, points) -> int:  # type: ignore[no-untyped-def]
    """Points that do not obey the integer map that the points in the middle define."""
    t = np.c_[true[points.spot], np.ones(len(points))]
    m, *_ = np.linalg.lstsq(t[:40], points.ij[:40], rcond=None)
    return int((np.abs(t @ np.rint(m) - points.ij).max(axis=1) > 0.01).sum())


@pytest.mark.parametrize("angle", [-45.0, -31.0, 0.0, 12.5, 45.0])
@pytest.mark.parametrize("bend", [-0.12, 0.0, 0.15])
def test_every_spot_gets_its_node(angle: float, bend: float) -> None:
    rng = np.random.default_rng(3)
    true, yx = lattice(angle, bend=bend)
    order = rng.permutation(len(yx))
    true, yx = true[order], yx[order] + rng.normal(0, 0.05, yx.shape)
    points = index_spots(Spots.from_positions(yx))
    assert len(points) > 0.985 * len(yx)
    assert wrong(true, points) == 0
    assert len(np.unique(points.ij, axis=0)) == len(points)


def test_axes_and_origin_are_as_stated() -> None:
    _, yx = lattice(7.0, (26.0, 19.0))
    points = index_spots(Spots.from_positions(yx))
    assert points.basis_px[0] == pytest.approx([26 * np.cos(np.deg2rad(7)), -26 * np.sin(np.deg2rad(7))], abs=0.05)
    assert points.basis_px[1] == pytest.approx([19 * np.sin(np.deg2rad(7)), 19 * np.cos(np.deg2rad(7))], abs=0.05)
    assert points.pitch_px == pytest.approx((26, 19), abs=0.05)
    origin = points.yx[(points.ij == 0).all(axis=1)][0]
    assert np.hypot(*(origin - (yx.min(axis=0) + yx.max(axis=0)) / 2)) < 17


def test_missing_extra_and_masked_areas() -> None:
    rng = np.random.default_rng(8)
    true, yx = lattice(30.0, bend=0.1)
    keep = (rng.random(len(yx)) > 0.1) & (np.hypot(*(yx - (500, 600)).T) > 90)
    true, yx = true[keep], yx[keep] + rng.normal(0, 0.1, (int(keep.sum()), 2))
    extra = rng.uniform((0, 0), SHAPE, (40, 2))
    points = index_spots(Spots.from_positions(np.vstack([yx, extra])))
    real = points.select(points.spot < len(yx))
    assert len(real) > 0.97 * len(yx)
    assert wrong(true, real) == 0


def test_islands_are_joined_across_a_gap() -> None:
    true, yx = lattice(4.0)
    keep = np.abs(yx[:, 1] - 400) > 30
    points = index_spots(Spots.from_positions(yx[keep]))
    assert len(points) == keep.sum()
    assert wrong(true[keep], points) == 0
    assert points.seam_doubt < 0.05


def test_jump_of_a_third_of_a_pitch_keeps_the_index_and_says_so() -> None:
    true, yx = lattice(2.0)
    right = yx[:, 1] > 390
    yx = yx + right[:, None] * np.array([7.0, 0.0])
    keep = np.abs(yx[:, 1] - 390) > 8
    points = index_spots(Spots.from_positions(yx[keep]))
    assert wrong(true[keep], points) == 0
    assert len(points) > 0.97 * keep.sum()
    assert points.seam_doubt == pytest.approx(1 / 3, abs=0.06)


def test_hexagonal_is_told_from_square() -> None:
    true, yx = lattice(7.0, (22.0, 22.0), 60.0)
    points = index_spots(Spots.from_positions(yx))
    assert points.angle_deg == 60
    assert len(points) > 0.98 * len(yx)
    assert wrong(true, points) == 0
    with pytest.raises(IndexingError, match="stand at 60 degrees"):
        index_spots(Spots.from_positions(yx), lattice="square")


def test_one_wrong_spot_is_no_control_point() -> None:
    _, yx = lattice(5.0)
    middle = int(np.argmin(np.hypot(*(yx - np.array(SHAPE) / 2).T)))
    moved = yx.copy()
    moved[middle] += (1.6, -0.9)
    points = index_spots(Spots.from_positions(moved))
    assert middle not in points.spot
    assert len(points) == len(yx) - 1


@pytest.mark.parametrize(
    ("yx", "message"),
    [
        (np.random.default_rng(0).uniform(0, 100, (7, 2)), "found 7 spots; expected at least 9"),
        (np.c_[np.zeros(30), np.arange(30.0)], "no common lattice"),
    ],
)
def test_what_is_no_lattice_is_refused(yx: np.ndarray, message: str) -> None:
    with pytest.raises(IndexingError, match=message):
        index_spots(Spots.from_positions(yx))


def test_local_bases_follow_a_stretched_field() -> None:
    _, yx = lattice(0.0, (20.0, 25.0))
    yx = yx * (1, 1.2) + np.c_[np.zeros(len(yx)), 1e-4 * yx[:, 1] ** 2]
    points = index_spots(Spots.from_positions(yx))
    step = local_bases(points)[:, 1, 1]
    # x' = 1.2 x + 1e-4 x**2: one step of 25 px has the length 25 (1.2 + 2e-4 x)
    x = (np.sqrt(1.44 + 4e-4 * points.yx[:, 1]) - 1.2) / 2e-4
    inner = (points.yx[:, 1] > 60) & (points.yx[:, 1] < points.yx[:, 1].max() - 60)
    np.testing.assert_allclose(step[inner], 25 * (1.2 + 2e-4 * x[inner]), rtol=2e-3)


def test_spots_do_not_stay_alive() -> None:
    spots = Spots.from_positions(lattice()[1])
    index_spots(spots)
    kept = weakref.ref(spots)
    del spots
    gc.collect()
    assert kept() is None


@pytest.mark.parametrize(("lattice", "angle"), [("auto", 90.0), ("auto", 60.0), ("hexagonal", 60.0)])
def test_counted_from_three_holes_by_hand(lattice, angle):
    """All holes are counted from the one that was picked, along the directions that were picked."""
    ij = np.stack(np.meshgrid(np.arange(8), np.arange(11), indexing="ij"), axis=-1).reshape(-1, 2)
    turn = np.deg2rad(angle)
    yx = ij @ np.array([[20 * np.sin(turn), 20 * np.cos(turn)], [0.0, 20.0]]) + 30
    row = {tuple(one): k for k, one in enumerate(ij.tolist())}
    hand = yx[[row[3, 4], row[4, 4], row[3, 5]]] + 1.5
    points = index_spots(Spots.from_positions(yx), lattice=lattice, hand=hand)
    assert len(points) == len(yx)
    assert points.angle_deg == angle
    assert points.spot[(points.ij == 0).all(axis=1)].tolist() == [row[3, 4]]


def test_three_holes_by_hand_in_one_line():
    y, x = np.meshgrid(np.arange(10.0, 150, 20), np.arange(12.0, 250, 25), indexing="ij")
    yx = np.column_stack([y.ravel(), x.ravel()])
    for wrong in ([0, 0, 1], [0, 1, 2]):
        with pytest.raises(IndexingError, match="from these three holes a lattice of"):
            index_spots(Spots.from_positions(yx), hand=yx[wrong])


@pytest.mark.parametrize(("between", "hexagonal"), [(90.0, False), (60.0, True)])
def test_a_lattice_that_is_handed_on_only_grows_on(between: float, hexagonal: bool) -> None:
    _, yx = lattice(between_deg=between, bend=0.05)
    first = index_spots(Spots.from_positions(yx[:-90]), sieve=False)
    # some are other spots now, some are gone, and all have been measured again
    moved = yx[::-1] + np.random.default_rng(1).normal(0, 0.02, yx.shape)
    rows = len(yx) - 1 - np.arange(len(yx))
    start = GrownLattice.of(first, rows[first.spot])
    spots = Spots.from_positions(moved)
    grown, anew = grow_lattice(spots, start=start), grow_lattice(spots)
    assert grown.hexagonal == hexagonal
    a, b = grown.points(spots), anew.points(spots)
    assert np.array_equal(a.spot, b.spot)
    assert np.array_equal(a.ij, b.ij)
    np.testing.assert_allclose(a.basis_px, b.basis_px, atol=0.01)
    # nothing is built on what is in doubt
    assert np.array_equal(grow_lattice(spots, start=replace(start, doubt=0.3)).patch.rows, anew.patch.rows)
