"""What the spline recipe thinks of its points: weights, outliers, and noise beyond their sigma."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfai_gridcal.fitting.recipe import Sample
from pyfai_gridcal.fitting.spline.basis import Axis
from pyfai_gridcal.fitting.spline.problem import SplineProblem
from pyfai_gridcal.fitting.spline.state import Doubted, SplineState, Trial

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


def test_states_that_weigh_alike() -> None:
    state = SplineState(sample_of(SIGMA), np.ones(260, bool))
    assert state.weighs_like(replace(state, nugget=0.1 * SIGMA))
    assert not state.weighs_like(replace(state, nugget=SIGMA))
    assert not state.weighs_like(replace(state, used=np.arange(260) > 0))


def test_scores_of_honest_points_scatter_by_one() -> None:
    trial = trial_of(sample_of(SIGMA))
    scores = trial.state.scores(trial.solution)
    assert np.sqrt(np.mean(scores**2)) == pytest.approx(1.0, abs=0.12)


def test_a_wild_point_is_no_longer_used_and_its_neighbours_are() -> None:
    trial = trial_of(sample_of(SIGMA, wild=123))
    after = trial.state.after(trial.solution, 5.0)
    assert np.flatnonzero(~after.used).tolist() == [123]


def test_points_that_scatter_more_than_they_say_ask_for_a_nugget() -> None:
    trial = trial_of(sample_of(0.13))
    after = trial.state.after(trial.solution, 6.0)
    for _ in range(6):
        again = trial_of(trial.state.sample, nugget=after.nugget, noise_scale=after.noise_scale)
        after = again.state.after(again.solution, 6.0)
    assert after.nugget == pytest.approx(np.sqrt(0.13**2 - SIGMA**2), rel=0.15)
    assert after.noise_scale == 1.0


def test_points_that_scatter_less_than_they_say_are_believed_more() -> None:
    trial = trial_of(sample_of(0.02))
    after = trial.state.after(trial.solution, 6.0)
    assert after.nugget == 0
    assert after.noise_scale == pytest.approx(0.4, rel=0.2)


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


def test_doubt_adds_a_share_of_what_a_more_careful_solution_has() -> None:
    sample = sample_of(SIGMA)
    state = SplineState(sample, np.ones(260, bool))
    problem = weighed(sample, state.weights())
    own, careful = (problem.solve(smoothness) for smoothness in (1e6, 1e3))
    at = np.array([[40.0, 60.0], [100.0, 20.0]])
    none, half, all_of_it = (Doubted(own, careful, share).variance(at) for share in (0.0, 0.5, 1.0))
    assert (all_of_it > none).all()
    np.testing.assert_allclose(half, (none + all_of_it) / 2)
    np.testing.assert_allclose(all_of_it - none, careful.variance(at) - own.variance(at))
