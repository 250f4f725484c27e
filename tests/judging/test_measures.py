"""Figures of the residuals see what they are made for, and pure noise is noise to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from calibrated import PITCH_PX, demo

from pyfai_gridcal.judging import measures
from pyfai_gridcal.records.fit import DistortionFit


@pytest.fixture(scope="module")
def known() -> DistortionFit:
    """The fit with residuals that are pure noise of 0.01 px."""
    made = demo()
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, made.points[0].yx.shape)
    points = replace(made.points[0], sigma_yx=np.full_like(noise, 0.01))
    return replace(
        made.fit,
        points=(points,),
        residual_yx=(noise,),
        held_out_yx=(noise,),
        used=(np.ones(len(noise), bool),),
        plate_sigma_px=0.0,
    )


def test_distances_of_noise_are_equally_wrong_at_all_ranges(known: DistortionFit) -> None:
    pairs = measures.pair_distances(known)
    assert [p.steps for p in pairs] == sorted({p.steps for p in pairs})
    assert pairs[0].steps == 1
    assert pairs[-1].steps >= 6
    for p in pairs:
        assert np.std(p.after) == pytest.approx(0.01 * np.sqrt(2), rel=0.25)


def test_a_wrong_scale_shows_at_long_range_only(known: DistortionFit) -> None:
    pixel = known.distortion.pixel_size
    node = known.poses[0].corrected(known.plate.positions(known.points[0].ij), pixel)
    wrong = replace(known, residual_yx=(1e-3 * (node - node.mean(axis=0)),))
    first, *_, last = measures.pair_distances(wrong)
    assert np.mean(last.after) / np.mean(first.after) == pytest.approx(last.steps, rel=0.05)
    assert np.mean(first.after) == pytest.approx(1e-3 * PITCH_PX, rel=0.15)


def test_correlation(known: DistortionFit) -> None:
    for _, value, sigma in measures.residual_correlation(known):
        assert abs(value) < 4.5 * sigma
    waves = np.sin(known.points[0].yx / 100)
    steps, value, _ = measures.residual_correlation(replace(known, residual_yx=(waves,)))[0]
    assert steps == 1
    assert value > 0.8


def test_pulls_of_honest_noise_have_width_one(known: DistortionFit) -> None:
    figures = measures.quality(known)["pulls"]
    assert figures["width_yx"] == pytest.approx([1, 1], abs=0.25)
    assert figures["within_1_sigma"] == pytest.approx(0.68, abs=0.08)
    assert figures["standardised_width_yx"] == pytest.approx(figures["width_yx"])
    twice = replace(known, held_out_yx=(2 * known.held_out_yx[0],))
    assert measures.quality(twice)["pulls"]["width_yx"] == pytest.approx([2, 2], abs=0.5)


def test_a_spot_that_is_hardly_known_does_not_decide(known: DistortionFit) -> None:
    """A spoiled hole, a pixel off, with an uncertainty that says so: the figures are those of all others."""
    at = int(np.argmin(np.hypot(*(known.points[0].yx - known.points[0].yx.mean(axis=0)).T)))
    sigma, residual = known.points[0].sigma_yx.copy(), known.residual_yx[0].copy()
    sigma[at], residual[at] = 0.3, 1.0
    odd = replace(
        known, points=(replace(known.points[0], sigma_yx=sigma),), residual_yx=(residual,), held_out_yx=(residual,)
    )
    before, after = measures.quality(known), measures.quality(odd)
    for key in ("after_px", "held_out_px"):
        for one, other in zip(before["pair_distances"], after["pair_distances"], strict=True):
            assert other[key] == pytest.approx(one[key], rel=0.25)
    for one, other in zip(before["subpixel_bias"], after["subpixel_bias"], strict=True):
        assert other["mean_px"] == pytest.approx(one["mean_px"], abs=4e-3)
    waves = 0.01 * np.sin(known.points[0].yx / 100)
    waves[at] = 1.0
    assert measures.residual_correlation(replace(odd, residual_yx=(waves,)))[0][1] > 0.7


def test_subpixel_bias_sees_a_pull_to_the_middle(known: DistortionFit) -> None:
    yx = known.points[0].yx
    pulled = replace(known, residual_yx=(np.stack([-0.02 * (yx - np.rint(yx))[:, 0], 0 * yx[:, 1]], axis=1),))
    rows = list(measures.subpixel_bias(pulled))
    phase, mean = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    assert phase == pytest.approx(np.arange(10) / 10 - 0.45)
    assert mean[:, 0] == pytest.approx(-0.02 * phase, abs=1.1e-3)
    assert np.all(mean[:, 1] == 0)


def test_the_worst_spots_are_named_with_what_is_special_about_them() -> None:
    made = demo()
    points, spots = made.points[0], made.spots[0]
    row, out = 7, 3
    residual, used = 0.001 * np.ones_like(points.yx), np.ones(len(points), bool)
    residual[row], residual[out] = (0.6, -0.8), (5.0, 0.0)
    used[out] = False
    chi2 = np.ones(len(spots))
    chi2[points.spot[row]] = 9.0
    fit = replace(made.fit, residual_yx=(residual,), used=(used,))
    worst = measures.worst_spots(fit, (replace(spots, chi2=chi2),))
    assert len(worst) == 5
    assert worst[0].node_ij == tuple(points.ij[row])
    assert worst[0].place_yx_px == pytest.approx(points.yx[row])
    assert worst[0].residual_px == pytest.approx(1.0)
    assert "dirt" in worst[0].why
    assert "dirt" not in worst[1].why
    assert all(one.node_ij != tuple(points.ij[out]) for one in worst)  # who is rejected is not in use
    assert fit.plain_residual_px == pytest.approx(np.sqrt(np.mean(residual[used] ** 2)))
    assert measures.worst_rows(replace(fit, used=(np.zeros(len(points), bool),))) == []
