"""What the spline thinks of its points between rounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfai_gridcal.fitting.recipe import Sample
from pyfai_gridcal.fitting.spline.basis import Axis
from pyfai_gridcal.fitting.spline.problem import SplineProblem
from pyfai_gridcal.fitting.spline.state import Doubted, SplineState, Trial

SHAPE = (150, 210)


def sample(scatter: float = 0.02, sigma: float = 0.02) -> Sample:
    rng = np.random.default_rng(3)
    yx = rng.uniform((0, 0), SHAPE, (300, 2))
    d = np.stack([np.sin(yx[:, 0] / 40), np.cos(yx[:, 1] / 50)], axis=1) + rng.normal(0, scatter, yx.shape)
    return Sample(yx, d, np.full(yx.shape, sigma), SHAPE, 11.0, np.ones(300, bool), nugget=1.0)


def solved(state: SplineState, smoothness: float = 1e4):  # type: ignore[no-untyped-def]
    problem = SplineProblem(Axis(-1, 20.0, 8, 4), Axis(-1, 20.0, 11, 4), state.sample.yx, state.sample.d, 3)
    problem.weigh(state.weights())
    return problem.solve(smoothness)


def settled(points: Sample) -> SplineState:
    state = SplineState(points, points.used)
    for _ in range(8):
        state = state.after(solved(state), 5.0)
    return state


def test_scatter_beyond_sigma_is_the_nugget() -> None:
    state = settled(sample(scatter=0.05, sigma=0.02))
    assert state.nugget == pytest.approx(np.sqrt(0.05**2 - 0.02**2), rel=0.12)
    assert state.noise_scale == 1.0


def test_less_scatter_than_sigma_scales_it() -> None:
    state = settled(sample(scatter=0.02, sigma=0.04))
    assert state.nugget == 0.0
    assert state.noise_scale == pytest.approx(0.5, rel=0.1)


def test_a_wrong_point_is_not_used_and_may_come_back() -> None:
    points = sample()
    d = points.d.copy()
    d[77] += (0.6, -0.5)
    state = settled(replace(points, d=d))
    assert not state.used[77]
    assert state.used.sum() >= 298
    assert np.all(state.weights()[77] == 0)
    assert replace(state, sample=points).after(solved(replace(state, sample=points)), 5.0).used[77]


def test_like_weights() -> None:
    state = SplineState(sample(), np.ones(300, bool), nugget=0.02)
    assert state.weighs_like(replace(state, nugget=0.0201))
    assert not state.weighs_like(replace(state, nugget=0.04))
    assert not state.weighs_like(replace(state, used=np.arange(300) > 0))


def test_doubt_adds_a_share_of_the_careful_variance() -> None:
    state = SplineState(sample(), np.ones(300, bool))
    own, careful = solved(state, 1e5), solved(state, 1e2)
    at = np.random.default_rng(0).uniform((10, 10), (140, 200), (40, 2))
    plain, half = (Doubted(own, others).variance(at) for others in ((), ((careful, 0.5),)))
    assert np.allclose(half - plain, 0.5 * np.maximum(careful.variance(at) - own.variance(at), 0))
    assert (half > plain).all()


Y, X = Axis(-1.0, 30.0, 5, 4), Axis(-2.0, 30.0, 6, 4)


SIGMA = 0.05


def sample_of(scatter: float, *, wild: int | None = None) -> Sample:
    """A smooth field of which each point is off by `scatter`, while it claims SIGMA."""
    rng = np.random.default_rng(2)
    yx = np.stack([rng.uniform(0, 148, 260), rng.uniform(0, 177, 260)], axis=1)
    d = np.stack([np.sin(yx[:, 0] / 60), np.cos(yx[:, 1] / 80)], axis=1) + rng.normal(0, scatter, yx.shape)
    if wild is not None:
        d[wild] += 4.0
    return Sample(yx, d, np.full(d.shape, SIGMA), (150, 180), 10.0, np.ones(260, bool), nugget=1.0)


def weighed(sample: Sample, weights: np.ndarray) -> SplineProblem:
    problem = SplineProblem(Y, X, sample.yx, sample.d, 3)
    problem.weigh(weights)
    return problem


def trial_of(sample: Sample, **state) -> Trial:
    known = SplineState(sample, np.ones(len(sample), bool), **state)
    return Trial(weighed(sample, known.weights()).solve(1e4), known)


def test_variance_is_that_of_sigma_and_nugget() -> None:
    state = SplineState(sample_of(SIGMA), np.ones(260, bool), nugget=0.12, noise_scale=0.5)
    np.testing.assert_allclose(state.variance(), (0.5 * SIGMA) ** 2 + 0.12**2)
    outlier = replace(state, used=np.arange(260) > 0)
    assert (outlier.weights()[0] == 0).all()
    np.testing.assert_allclose(outlier.weights()[1:] * outlier.variance()[1:], 1.0)


def test_components_are_told_apart_on_demand() -> None:
    sample = sample_of(SIGMA)
    skew = replace(sample, sigma=np.tile([0.03, 0.04], (260, 1)))
    state = SplineState(skew, np.ones(260, bool))
    np.testing.assert_allclose(state.variance(), np.tile([9e-4, 16e-4], (260, 1)))
    np.testing.assert_allclose(state.variance(apart=False), 12.5e-4)


def test_scores_of_honest_points_scatter_by_one() -> None:
    trial = trial_of(sample_of(SIGMA))
    scores = trial.state.scores(trial.solution)
    assert np.sqrt(np.mean(scores**2)) == pytest.approx(1.0, abs=0.12)


def test_held_out_error_is_what_leaving_a_point_out_gives() -> None:
    """For one point, by really leaving it out."""
    trial = trial_of(sample_of(SIGMA))
    row = 77
    weights = trial.state.weights().copy()
    weights[row] = 0.0
    alone = weighed(trial.state.sample, weights).solve(trial.solution.smoothness)
    expected = alone.field.at(trial.state.sample.yx[[row]])[0] - trial.state.sample.d[row]
    np.testing.assert_allclose(trial.held_out[row], expected, rtol=1e-6)
    result = trial.result(trial.state.sample, "spline")
    assert result.held_out_px == pytest.approx(trial.held_out_px)


def test_points_are_crowded_by_parameters() -> None:
    """Not where two and more share one, altogether where nine of ten have one of their own."""
    few = sample_of(SIGMA).select(np.arange(70))
    state = SplineState(few, np.ones(70, bool))
    problem = weighed(few, state.weights())
    trials = [Trial(problem.solve(smoothness), state) for smoothness in np.logspace(8, -4, 13)]
    share = np.array([trial.freedom / 70 for trial in trials])
    crowded = np.array([trial.crowded for trial in trials])
    assert share[0] < 0.5
    assert share[-1] > 0.9
    assert crowded[0] == 0
    assert crowded[-1] == 1
    between = (share > 0.5) & (share < 0.9)
    assert between.any()
    np.testing.assert_allclose(crowded[between], (share[between] - 0.5) / 0.4)
