"""The fit of a known profile: places at their bound, wild pixels left out, priors and tilts where asked for."""

from __future__ import annotations

from dataclasses import replace

import looking
import numpy as np
import pytest
from holes import NOISE, RADIUS, REACH, lattice, picture, profile, started
from scipy.spatial import cKDTree

from pyfai_gridcal.finding.holes.model import SpotState, start_from
from pyfai_gridcal.finding.holes.refinement import FittedSpots, compared, fit_spots
from pyfai_gridcal.finding.holes.templates import TemplateMaker
from pyfai_gridcal.finding.holes.windows import PreparedImage
from pyfai_gridcal.records.spots import Noise, Polarity

KNOWN = Noise(0.0, NOISE)


def fit(image: PreparedImage, state: SpotState, noise: Noise | None = KNOWN, **options: object) -> FittedSpots:
    bank = TemplateMaker(profile(), REACH).bank(None, len(state))
    return fit_spots(image, state, bank, noise, **{"iterations": 5, "limit": 2.0, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("polarity", ["bright", "dark"])
def test_places_scatter_as_their_covariance_says(polarity: Polarity) -> None:
    yx = lattice()
    found = fit(*started(yx, polarity=polarity))
    assert found.good.all()
    pull = (found.yx - yx) / np.sqrt(np.einsum("nii->ni", found.covariance)[:, :2])
    assert 0.85 < np.sqrt((pull**2).mean()) < 1.15
    assert np.median(found.chi2) == pytest.approx(1.0, abs=0.12)
    assert np.median(found.amplitude) == pytest.approx(1000, rel=0.01)


def test_without_noise_model_the_scatter_tells_it() -> None:
    yx = lattice()
    found, known = fit(*started(yx), None), fit(*started(yx))
    assert np.median(found.chi2) == pytest.approx(NOISE**2, rel=0.15)
    assert np.allclose(
        np.median(found.covariance, axis=0)[:2, :2], np.median(known.covariance, axis=0)[:2, :2], rtol=0.2
    )


def test_hot_pixels_are_left_out() -> None:
    yx = lattice()
    image = picture(yx)
    at = np.rint(yx[7] + (3.0, 1.0)).astype(int)
    image[tuple(at)] += 600
    prepared = PreparedImage(image, None, "bright")
    found = fit(prepared, start_from(prepared, yx, REACH, RADIUS))
    assert 0 < found.lost[7] < 0.02
    assert np.count_nonzero(found.lost) < 3
    assert np.abs(found.yx[7] - yx[7]).max() < 0.03


def test_a_spot_that_runs_away_is_not_good() -> None:
    yx = lattice()
    image, state = started(yx)
    away = state.yx.copy()
    away[4] += (2.6, 0.0)
    found = fit(image, replace(state, yx=away), limit=1.5)
    assert not found.good[4]
    assert np.abs(found.yx[4] - away[4]).max() <= 1.5
    assert found.good.sum() == len(yx) - 1


def test_priors_hold_amplitude_and_ground() -> None:
    image, state = started(lattice())
    n = len(state)
    prior = np.stack([np.full(n, 900.0), np.full(n, 1e-3), np.full(n, np.nan), np.full(n, np.inf)], axis=1)
    prior[:, 2] = 0.0
    found = fit(image, replace(state, prior=prior))
    assert np.allclose(found.amplitude, 900, atol=1)
    assert np.median(found.background) > 250


def test_a_gradient_is_found_where_it_is_asked_for() -> None:
    image, state = started(lattice(), slope=0.5)
    asked = np.zeros((len(state), 2))
    asked[::2, 0] = 0.05
    found = fit(image, state, extra=asked)
    assert found.covariance.shape[1:] == (4, 4)
    # the ground rises by 0.5 counts per px along x, and nothing along y
    slope = np.median((found.extra[:, 1] * found.background)[::2])
    assert slope == pytest.approx(0.5, abs=0.1)
    assert abs(np.median((found.extra[:, 0] * found.background)[::2])) < 0.1
    np.testing.assert_array_equal(found.slope[::2], found.extra[::2, :2])
    assert not found.extra[1::2].any()
    assert not fit(image, state).extra.any()


def test_what_comes_on_top_is_found_and_moves_nothing_any_more() -> None:
    yx = lattice()
    _, state = started(yx)
    # waves along x with another phase at every hole: no light of the plate
    wave = 40 * np.sin(np.arange(picture(yx).shape[1]) / 5.0)
    dirty = PreparedImage(picture(yx) + wave, None, "bright")
    off, mended = fit(dirty, state), fit(dirty, state, extra=(0.0, 0.3))
    assert np.sqrt(((off.yx - yx)[:, 1] ** 2).mean()) > 2.5 * np.sqrt(((mended.yx - yx)[:, 1] ** 2).mean())
    ended = mended.after(state, 0.0)
    assert np.abs(ended.ground[:, [1, 3, 5]]).max() > 5 * np.abs(ended.ground[:, [0, 2, 4]]).mean()
    # by how much one moves the spots when it is left out is what the lever says
    guess = np.sqrt((mended.extra**2 * mended.lever)[:, 2:].sum(axis=1))
    assert 0.2 < np.median(guess) / np.median(np.abs((off.yx - mended.yx)[:, 1])) < 5


def test_a_gradient_does_not_belong_to_what_pixels_read_without_light() -> None:
    image, state = started(lattice())
    found = fit(image, state, extra=(0.05, 0.0), dark=200.0)
    assert np.abs(np.median(found.extra[:, :2], axis=0)).max() < 1e-3


def test_light_that_explains_the_ground_needs_no_slope_of_the_ground_beside() -> None:
    """Where light is thought to be steep, the ground may have a slope of its own, which would hide what it tells."""
    yx, image = lattice(), picture(lattice())
    along = np.arange(-REACH - 1, REACH + 2)
    for y, x in np.rint(yx).astype(int):
        image[y - REACH - 1 : y + REACH + 2, x - REACH - 1 : x + REACH + 2] *= np.exp(-0.04 * along)
    prepared = PreparedImage(image, None, "bright")
    thought = np.tile([0.0, -0.008], (len(yx), 1))
    start = replace(start_from(prepared, yx, REACH, RADIUS), slope_a=thought, slope_b=thought)
    found = fit(prepared, start, extra=(0.15, 0.0))
    assert np.abs((found.yx - yx).mean(axis=0)).max() < 0.01
    assert found.slope.mean(axis=0) == pytest.approx([0.0, -0.04], abs=0.002)


def test_pieces_are_put_back_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyfai_gridcal.finding.holes import refinement

    image, state = started(lattice())
    whole = fit(image, state)
    monkeypatch.setattr(refinement, "_CHUNK", 1)
    assert np.allclose(fit(image, state).yx, whole.yx, atol=1e-6)


def true_of(yx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True place and Cramér-Rao bound of the holes nearest to these places."""
    truth = looking.picture().truth
    rows = cKDTree(truth.yx).query(yx)[1]
    return truth.yx[rows], truth.sigma_yx[rows]


@pytest.fixture(scope="module")
def fitted() -> FittedSpots:
    return looking.search()[2].fitted


def test_places_scatter_by_their_sigma_which_is_the_bound(fitted: FittedSpots) -> None:
    whole = looking.search()[0].image.is_whole(fitted.yx, looking.search()[0].reach)
    yx, bound = true_of(fitted.yx)
    sigma = np.sqrt(np.einsum("nii->ni", fitted.covariance)[:, :2])
    assert fitted.good.all()
    assert whole.sum() > 50
    np.testing.assert_allclose(np.median(sigma[whole] / bound[whole]), 1.0, atol=0.15)
    pull = (fitted.yx - yx)[whole] / sigma[whole]
    assert np.sqrt(np.mean(pull**2)) == pytest.approx(1.0, abs=0.2)


def test_chi_square_is_one(fitted: FittedSpots) -> None:
    assert np.median(fitted.chi2) == pytest.approx(1.0, abs=0.1)


def test_light_is_that_of_the_scene(fitted: FittedSpots) -> None:
    scene = looking.picture().scene
    at = np.rint(fitted.yx).astype(int)
    lamp = scene.light.lamp(scene.shape)[tuple(at.T)]
    np.testing.assert_allclose(fitted.amplitude / (4000 * lamp), 1.0, atol=0.05)
    np.testing.assert_allclose((fitted.background - 100) / (700 * lamp), 1.0, atol=0.15)


def test_three_ways_in_one_step_are_those_of_three_fits() -> None:
    image, state = started(lattice(), slope=0.8)
    bank = TemplateMaker(profile(), REACH).bank(None, len(state))
    state = fit(image, state).after(state, 0.0)
    ways = compared(image, state, bank, KNOWN, sizes=(0.1, 0.3), limit=2.0, dark=0.0)
    for way, extra in zip(ways, ((0.0, 0.0), (0.0, 0.3), (0.1, 0.0)), strict=True):
        alone = fit(image, state, iterations=1, extra=extra)
        near = np.abs(alone.yx - state.yx).max(axis=1) < 0.03
        assert near.sum() > 20
        np.testing.assert_allclose(way.yx, alone.yx, atol=1e-5)
        np.testing.assert_allclose(way.extra, alone.extra, atol=1e-5)
        np.testing.assert_allclose(way.covariance[near], alone.covariance[near], rtol=1e-3, atol=1e-6)


def test_who_lies_near_its_place_ends_after_one_step() -> None:
    """Of those that start at their places one has a wild pixel: it alone is looked at once more; a start with a wrong
    amplitude costs no precision."""
    yx = lattice()
    image = picture(yx)
    image[tuple(np.rint(yx[7] + (3.0, 1.0)).astype(int))] += 600
    prepared = PreparedImage(image, None, "bright")
    state = start_from(prepared, yx + 0.02, REACH, RADIUS)
    state = replace(state, amplitude=np.where(np.arange(len(yx)) % 2, 1.3, 0.8) * state.amplitude)
    once, found = (fit(prepared, state, iterations=count) for count in (1, 5))
    near = np.abs(found.yx - state.yx).max(axis=1) < 0.028
    assert near.sum() > 20
    np.testing.assert_array_equal(found.yx[near & (once.lost == 0)], once.yx[near & (once.lost == 0)])
    assert found.lost[7] > 0
    settled = fit(prepared, found.after(state, 0.0))
    np.testing.assert_allclose(found.yx, settled.yx, atol=0.002)
