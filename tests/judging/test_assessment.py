"""Each fault of a fit is seen by the check that is made for it, and a clean fit by none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from pyfai_gridcal.fitting.fitting import fit_distortion
from pyfai_gridcal.judging.assessment import assess
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.records.spots import HoleProfile, Noise, Spots
from pyfai_gridcal.records.verdict import Check, Verdict

SHAPE = (330, 420)
PITCH = 23.1
TURN = 0.11
BASIS = PITCH * np.array([[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]])
SIGMA = 0.02


def lattice(basis: np.ndarray = BASIS) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and places of all points in the picture, bent by a smooth field."""
    ij = np.stack([v.ravel() for v in np.mgrid[-25:26, -25:26]], axis=1)
    yx = ij @ basis + (161.3, 215.7)
    yx = yx + 1.5 * np.sin(yx[:, ::-1] / 150)
    inside = ((yx > 8) & (yx < np.array(SHAPE) - 8)).all(axis=1)
    return ij[inside], yx[inside]


def spots_of(yx: np.ndarray) -> Spots:
    n = len(yx)
    return Spots(
        yx,
        np.full((n, 2), SIGMA),
        np.full(n, 1000.0),
        np.full(n, 200.0),
        np.ones(n),
        np.zeros(n, np.uint8),
        hole_px=8.0,
        noise=Noise(1.0, 5.0),
    )


def judged(
    ij: np.ndarray,
    yx: np.ndarray,
    *,
    others: np.ndarray | None = None,
    plate: Plate | None = None,
    pixel: float | None = None,
    spots: Spots | None = None,
    basis: np.ndarray = BASIS,
    model: str = "auto",
) -> Verdict:
    rng = np.random.default_rng(5)
    yx = yx + SIGMA * rng.standard_normal(yx.shape)
    n = len(ij)
    points = ControlPoints(yx, np.full((n, 2), SIGMA), ij, np.arange(n), np.zeros(n, np.uint8), basis)
    every = spots or spots_of(yx if others is None else np.concatenate([yx, others]))
    fit = fit_distortion(points, plate=plate or Plate(1.1e-3), shape=SHAPE, pixel_size=pixel, model=model)
    return assess(fit, (every,), pixel_given=pixel is not None)


def alarms(verdict: Verdict) -> dict[str, str]:
    return {c.name: c.level for c in verdict.checks if c.level != "good"}


def test_a_clean_fit_is_good() -> None:
    verdict = judged(*lattice())
    assert (verdict.level, verdict.reasons) == ("good", ())
    assert len(verdict.checks) > 12
    assert all(type(c.value) is float for c in verdict.checks)


def test_few_points() -> None:
    ij, yx = lattice()
    few = (np.abs(ij - (0, 0)) <= (1, 2)).all(axis=1)
    assert alarms(judged(ij[few], yx[few]))["control points"] == "doubtful"


def test_a_second_lattice() -> None:
    ij, yx = lattice()
    verdict = judged(ij, yx, others=yx + 0.42 * BASIS[0] + 0.31 * BASIS[1])
    assert verdict.level == "failed"
    assert "second lattice" in verdict.reasons[0]


def test_dirt_between_the_nodes() -> None:
    ij, yx = lattice()
    rng = np.random.default_rng(2)
    found = alarms(judged(ij, yx, others=rng.uniform(10, 320, (120, 2))))
    assert found["spots between the nodes"] == "doubtful"
    assert "failed" not in found.values()


@pytest.mark.parametrize(("shake", "level"), [(0.04, "doubtful"), (0.12, "failed")])
def test_irregular(shake: float, level: str) -> None:
    ij, yx = lattice()
    moved = yx + shake * PITCH * np.random.default_rng(3).standard_normal(yx.shape)
    assert alarms(judged(ij, moved))["irregularity of the lattice, pitch"] == level


def test_a_row_counted_wrongly() -> None:
    ij, yx = lattice()
    keep = ij[:, 0] != 3
    ij, yx = ij[keep].copy(), yx[keep]
    ij[ij[:, 0] > 3, 0] -= 1
    assert "spots inconsistent with their neighbours" in alarms(judged(ij, yx))


def test_pieces_that_may_be_a_row_off() -> None:
    ij, yx = lattice()
    n = len(ij)
    zeros = np.zeros(n, np.uint8)
    points = ControlPoints(yx, np.full((n, 2), SIGMA), ij, np.arange(n), zeros, BASIS, seam_doubt=0.41)
    fit = fit_distortion(points, plate=Plate(1.1e-3), shape=SHAPE)
    assert alarms(assess(fit, (spots_of(yx),))) == {"tiles offset by about half a pitch, pitch": "doubtful"}


def test_a_jump_between_tiles_is_no_contradiction_below_half_a_pitch() -> None:
    ij, yx = lattice()
    found = [
        judged(ij, np.where(yx[:, 1:] > 203, yx + (0.6 * jump, -jump), yx), model="mosaic") for jump in (7.0, 21.0)
    ]
    assert [v.level for v in found] == ["good", "failed"]
    assert any("inconsistent" in reason for reason in found[1].reasons)


def test_a_tile_that_may_be_a_row_off() -> None:
    """The lattice may grow on where the tiles happen to fit; beyond half a pitch, the next row would fit better."""
    ij, yx = lattice()
    moved = np.where(yx[:, 1:] > 203, yx + 0.44 * BASIS[0] - 0.1 * BASIS[1], yx)
    found = alarms(judged(ij, moved, model="mosaic"))
    assert found == {"tiles offset by about half a pitch, pitch": "doubtful"}


def test_a_piece_far_away() -> None:
    ij, yx = lattice()
    keep = (ij[:, 1] < -3) | (ij[:, 1] > 2)
    found = alarms(judged(ij[keep], yx[keep]))
    assert found.get("points apart from the others") == "doubtful"


@pytest.mark.parametrize(("ratio", "level"), [(1.15, "doubtful"), (1.5, "failed")])
def test_wrong_ratio_of_the_pitches(ratio: float, level: str) -> None:
    basis = BASIS * [[ratio], [1.0]]
    ij, yx = lattice(basis)
    verdict = judged(ij, yx, basis=basis)
    assert alarms(verdict)["aspect of the lattice"] == level
    assert "--pitch" in verdict.reasons[0]
    right = judged(ij, yx, basis=basis, plate=Plate((1.1e-3 * ratio, 1.1e-3)))
    assert right.level == "good", str(right)


@pytest.mark.parametrize(("factor", "level"), [(1.0, None), (1.25, "doubtful"), (3.0, "failed")])
def test_pixel_size_that_contradicts_the_lattice(factor: float, level: str | None) -> None:
    ij, yx = lattice()
    found = alarms(judged(ij, yx, pixel=factor * 1.1e-3 / PITCH))
    assert found.get("pixel size seen and given") == level


def test_a_field_that_the_model_cannot_follow() -> None:
    ij, yx = lattice()
    found = alarms(judged(ij, yx + 0.4 * np.sin(yx / 18), model="rigid"))
    assert "common residuals of neighbours, px" in found
    assert "error of the field, px" in found


def test_a_ripple_that_looks_like_errors_of_the_holes() -> None:
    ij, yx = lattice()
    phase = 2 * np.pi / (2.3 * PITCH) * (yx @ [0.6, 0.8])
    found = alarms(judged(ij, yx + 0.25 * np.stack([np.sin(phase), np.cos(phase)], axis=1)))
    assert "common residuals of neighbours, px" in found
    # errors of the same size, but of single holes, leave the field as good as it is claimed to be
    turn = np.random.default_rng(1).uniform(0, 2 * np.pi, len(yx))
    found = alarms(judged(ij, yx + 0.25 * np.stack([np.sin(turn), np.cos(turn)], axis=1)))
    assert set(found) <= {"area off by a tenth of a pixel"}


def test_a_seam_that_the_model_does_not_have() -> None:
    ij, yx = lattice()
    step = np.where(yx[:, 1:] > 203.0, 1.2, -1.2) * [0.6, 1.0]
    found = alarms(judged(ij, yx + step, model="polynomial"))
    assert "jump of the residuals, px" in found or "common residuals of neighbours, px" in found


def test_a_slanted_seam_that_the_model_does_not_have() -> None:
    ij, yx = lattice()
    step = np.where(yx[:, 1:] + 0.4 * yx[:, :1] > 280.0, 0.6, -0.6) * [0.6, 1.0]
    assert judged(ij, yx + step).level == "good"  # tiles are found
    found = alarms(judged(ij, yx + step, model="spline"))
    assert "jump of the residuals, px" in found


def test_a_plate_that_was_made_in_steps() -> None:
    ij, yx = lattice()
    verdict = judged(ij, yx + np.where(ij[:, :1] > 2, 0.6, -0.6) * [0.6, 1.0], model="spline")
    assert any("along a row of holes" in reason for reason in verdict.reasons)
    assert any("One more exposure tells: turn the plate by a quarter" in reason for reason in verdict.reasons)


@pytest.mark.parametrize("size", [0.12, 1.5])
def test_steps_that_the_field_follows_or_that_look_like_tiles(size: float) -> None:
    ij, yx = lattice()
    off = np.random.default_rng(4).normal(0.0, size, (6, 6, 2))
    stepped = yx + off[(ij[:, 0] + 20) // 7 % 6, (ij[:, 1] + 20) // 6 % 6]
    found = alarms(judged(ij, stepped))
    assert "steps along rows of holes, px" in found


@pytest.mark.slow
def test_steps_are_those_of_the_detector_when_tiles_are_asked_for() -> None:
    ij, yx = lattice()
    jumping = yx + np.where(ij[:, :1] > 1, 0.6, -0.6) * [0.6, 1.0]
    assert "steps along rows of holes, px" in alarms(judged(ij, jumping))
    assert judged(ij, jumping, model="mosaic").level == "good"


def test_odd_spots() -> None:
    ij, yx = lattice()
    n = len(yx)
    chi2 = np.ones(n)
    chi2[: n // 4] = 200.0
    found = alarms(judged(ij, yx, spots=replace(spots_of(yx), chi2=chi2)))
    assert found == {"share of odd spots": "doubtful"}


def test_amplitudes_that_scatter() -> None:
    ij, yx = lattice()
    amplitude = 1000 * np.exp(0.4 * np.random.default_rng(1).standard_normal(len(yx)))
    found = alarms(judged(ij, yx, spots=replace(spots_of(yx), amplitude=amplitude)))
    assert found == {"scatter of the amplitudes": "doubtful"}


def test_masked_pixels_are_not_missed() -> None:
    ij, yx = lattice()
    keep = yx[:, 1] < 95
    n = int(keep.sum())
    zeros = np.zeros(n, np.uint8)
    points = ControlPoints(yx[keep], np.full((n, 2), SIGMA), ij[keep], np.arange(n), zeros, BASIS)
    fit = fit_distortion(points, plate=Plate(1.1e-3), shape=SHAPE)
    dead = np.zeros(SHAPE, bool)
    dead[:, 100:] = True
    spots = (spots_of(yx[keep]),)
    assert alarms(assess(fit, spots))["coverage"] == "doubtful"
    assert "coverage" not in alarms(assess(fit, spots, mask=dead))


@pytest.mark.parametrize(
    ("rough", "count", "least", "most"), [(2.0, 3, 2.0, 3.0), (0.0, 3, 1.0, 1.5), (2.0, 20, 1.0, 1.5)]
)
def test_the_claim_of_few_points_in_a_rough_field_is_believed_less(
    rough: float, count: int, least: float, most: float
) -> None:
    assert least <= claim_over_map(rough, count)[0] < most


def test_that_is_a_reason_to_doubt_and_none_to_fail() -> None:
    raised, check = claim_over_map(2.0, 3)
    assert (check.doubtful, check.failed) == (0.1, pytest.approx(raised * 0.05 * PITCH, rel=0.05))


@pytest.mark.slow
def test_each_tile_has_its_own_few_points() -> None:
    labels = np.arange(SHAPE[0])[:, None] // 110 * 4 + np.arange(SHAPE[1]) // 105
    assert claim_over_map(1.0, 20)[0] < 1.5
    assert claim_over_map(1.0, 20, labels)[0] > 2.0


def claim_over_map(rough: float, count: int, labels: np.ndarray | None = None) -> tuple[float, Check]:
    """What a verdict says of the error of a field, over what the map of its uncertainty says; and that check."""
    ij, yx = lattice()
    yx = yx + rough * np.sin(yx[:, ::-1] / 17)
    some = np.abs(ij).max(axis=1) <= count
    n = int(some.sum())
    zeros = np.zeros(n, np.uint8)
    points = ControlPoints(yx[some], np.full((n, 2), SIGMA), ij[some], np.arange(n), zeros, BASIS)
    model = "auto" if labels is None else "tiles"
    fit = fit_distortion(points, plate=Plate(1.1e-3), shape=SHAPE, labels=labels, model=model)
    maps = fit.distortion.sigma_maps(step=8)
    assert maps is not None
    assert fit.distortion.mask is not None
    claimed = np.sqrt(np.mean((maps[0] ** 2 + maps[1] ** 2)[~fit.distortion.mask[::8, ::8]]))
    checks = {c.name: c for c in assess(fit, (spots_of(yx[some]),)).checks}
    check = checks["error of the field, px"]
    return float(check.value / claimed), check


@pytest.mark.parametrize(("hole_px", "level"), [(8.0, "good"), (16.0, "failed")])
def test_square_holes_are_holes_but_the_fields_of_a_chessboard_are_not(hole_px: float, level: str) -> None:
    ij, yx = lattice()
    side = np.abs(np.arange(-60, 61)) < 20
    table = ndimage.gaussian_filter(np.outer(side, side).astype(float), 3.0)
    square = replace(spots_of(yx), profile=HoleProfile(table, 5), hole_px=hole_px)
    assert judged(ij, yx, spots=square).level == level


def test_holes_that_take_turns() -> None:
    ij, yx = lattice()
    turns = np.where(ij.sum(axis=1) % 2, 1.0, 0.85)
    verdict = judged(ij, yx, spots=replace(spots_of(yx), amplitude=1000 * turns))
    assert alarms(verdict) == {"two kinds of spots": "doubtful"}


def test_holes_in_plain_sight_that_are_no_spots() -> None:
    ij, yx = lattice()
    verdict = judged(ij, yx, spots=replace(spots_of(yx), passed_over=0.8))
    assert alarms(verdict) == {"holes that were passed over": "doubtful"}
