"""The stages of a search, one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import looking
import numpy as np
import pytest
from holes import NOISE, RADIUS, lattice, picture
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist
from scipy.special import erfc

from pyfai_gridcal.finding import search
from pyfai_gridcal.finding.detection import find_spots
from pyfai_gridcal.finding.holes.learning import Instrument
from pyfai_gridcal.finding.holes.model import SpotState
from pyfai_gridcal.finding.holes.refinement import NEAR, FittedSpots
from pyfai_gridcal.finding.holes.windows import PreparedImage
from pyfai_gridcal.finding.picking import Candidates
from pyfai_gridcal.finding.search import FirstLook, Found, completed, instrument_of, look_at, refine_at
from pyfai_gridcal.finding.selection import chosen
from pyfai_gridcal.finding.survey import HoleGuess
from pyfai_gridcal.indexing.indexing import index_spots
from pyfai_gridcal.records.spots import SpotFlag, Spots
from pyfai_gridcal.synthetic import Camera, Faults, Light, demo_scene, match_spots

YX = lattice()
#: Candidates are three tenths of a pixel off; that in the middle was not found.
GONE = 45
KEPT = np.arange(len(YX)) != GONE


@pytest.fixture(scope="module")
def looked() -> tuple[Instrument, FirstLook]:
    rough = YX[KEPT] + np.random.default_rng(3).uniform(-0.3, 0.3, (len(YX) - 1, 2))
    one = np.ones(len(rough))
    found = Found(
        HoleGuess("bright", 3.0), Candidates(rough, one, one, one, 0.35), index_spots(Spots.from_positions(rough))
    )
    tools, state, error = instrument_of(PreparedImage(picture(YX, slope=0.5), None, "bright"), found, None, 1)
    return tools, look_at(tools, state, error)


def test_the_instrument_knows_the_holes(looked: tuple[Instrument, FirstLook]) -> None:
    tools, _ = looked
    assert tools.radius == pytest.approx(RADIUS, abs=0.3)
    assert tools.profile_radius == pytest.approx(RADIUS, abs=0.15)
    assert 18 < tools.spacing < 21
    assert float(np.sqrt(tools.learned.noise.variance(np.array([400.0]))[0])) == pytest.approx(NOISE, rel=0.2)
    assert tools.learned.profile.basis_px is not None


def test_the_first_look_knows_the_places(looked: tuple[Instrument, FirstLook]) -> None:
    _, look = looked
    assert look.good.all()
    spots, usual = chosen(look.tools, look.fitted, look.usual)
    assert len(spots) == len(YX) - 1
    error = spots.yx - YX[KEPT]
    assert np.sqrt((error**2).mean()) < 1.3 * usual.sigma
    assert 0.6 < np.sqrt(np.mean((error / spots.sigma_yx) ** 2)) < 1.25


def test_the_second_look_finds_what_is_missing(looked: tuple[Instrument, FirstLook]) -> None:
    _, look = looked
    spots, usual = chosen(look.tools, look.fitted, look.usual)
    every, grown = completed(look, spots, usual, "auto")
    assert len(every) == len(YX)
    assert every.flags[-1] & SpotFlag.PREDICTED
    assert np.abs(every.yx[-1] - YX[GONE]).max() < 0.05
    assert grown is not None
    assert len(grown.points(every)) == len(YX)


def test_an_empty_place_is_asked_once(looked: tuple[Instrument, FirstLook], monkeypatch: pytest.MonkeyPatch) -> None:
    _, look = looked
    asked: list[np.ndarray] = []

    def heard(look: FirstLook, places: np.ndarray, *rest: Any) -> Spots:
        asked.extend(places)
        return refine_at(look, places, *rest)

    monkeypatch.setattr(search, "refine_at", heard)
    every, _ = completed(look, *chosen(look.tools, look.fitted, look.usual), "auto")
    assert len(asked) > len(every) - len(YX) + 1
    assert pdist(asked).min() > NEAR


def test_empty_places_stay_empty(looked: tuple[Instrument, FirstLook]) -> None:
    _, look = looked
    between = YX[[20, 21, 33]] + (10.0, 11.5)
    assert len(refine_at(look, between, 4.0, replace(look.usual, sigma=0.01))) == 0
    found = refine_at(look, np.vstack([between, YX[GONE]]), 4.0, replace(look.usual, sigma=0.01))
    assert len(found) == 1
    # a hole that lies farther off than asked for is not the one that was predicted
    assert len(refine_at(look, YX[GONE : GONE + 1] + 0.6, 0.3, replace(look.usual, sigma=0.01))) == 0


def test_what_lies_too_far_from_its_prediction_is_another() -> None:
    _, _, look = looking.search()
    _, usual = chosen(look.tools, look.fitted, look.usual)
    place = looking.picture().truth.yx[
        np.flatnonzero(looking.picture().truth.whole)[list(looking.LEFT_OUT[:1])]
    ] + np.array([[1.5, 0.0]])
    assert len(refine_at(look, place, 3.0, usual)) == 1
    assert len(refine_at(look, place, 1.0, usual)) == 0


def _found(yx: np.ndarray, points: np.ndarray) -> Found:
    """Candidates at `yx`, of which the rows `points` make the lattice."""
    one = np.ones(len(yx))
    grown = index_spots(Spots.from_positions(yx[points]))
    return Found(HoleGuess("bright", 3.0), Candidates(yx, one, one, one, 0.35), replace(grown, spot=points[grown.spot]))


def test_crowds_are_no_holes() -> None:
    """Candidates in a row along the rim of a plate go, holes that a field squeezes stay."""
    squeezed = YX * (1 - 0.0015 * YX)
    rim = np.column_stack([np.full(40, squeezed[:, 0].max() + 9.0), np.linspace(20, 140, 40)])
    yx = np.vstack([rim[:20], squeezed, rim[20:]])
    holes = np.arange(len(YX)) + 20
    found = _found(yx, holes)
    left = found.without_crowds()
    assert len(left.candidates) == len(left.points) == len(YX)  # type: ignore[arg-type]
    np.testing.assert_array_equal(left.candidates.yx[left.points.spot], left.points.yx)  # type: ignore[union-attr]
    # a second lattice across the first is no crowd: what is to be doubted stays in sight
    turned = (YX - 90.0) @ np.array([[0.97, -0.24], [0.24, 0.97]]) * 1.13 + 90.0
    two = _found(np.vstack([YX, turned[turned[:, 1] < 150]]), np.arange(len(YX)))
    assert two.without_crowds() is two
    # where nearly all are in crowds, as two candidates of each hole are, nothing is known
    double = _found(np.vstack([YX, YX + 3.0]), np.arange(len(YX)))
    assert double.without_crowds() is double
    alone = Found(found.guess, found.candidates, None)
    assert alone.without_crowds() is alone


def test_a_plate_in_full_light() -> None:
    """Beyond the rim of the plate the light is as bright as in the holes: the rim teaches neither size nor noise."""
    rng, shape, angle, middle = np.random.default_rng(3), (360, 440), np.deg2rad(7.0), np.array([178.3, 221.6])
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    ij = np.stack(np.meshgrid(np.arange(-4, 5), np.arange(-5, 6), indexing="ij"), axis=-1).reshape(-1, 2)
    yx = (ij * [26.0, 27.5]) @ turn.T + middle
    along, across = (np.abs((y - middle[0]) * a + (x - middle[1]) * b) for a, b in turn.T)
    light = erfc(-np.maximum(along - 124.0, across - 160.0) / 1.6)
    for a, b in yx:
        light = np.maximum(light, erfc((np.hypot(y - a, x - b) - 4.6) / 1.6))
    spots = find_spots(rng.poisson(200 + 1100 * light) + rng.normal(0, 6, shape))
    distance, _ = cKDTree(yx).query(spots.yx)
    assert len(spots) >= 63
    assert distance.max() < 0.5
    assert np.median(distance) < 0.012
    assert np.median(spots.sigma_yx) < 0.012


def test_of_many_spots_some_tell_of_the_light(monkeypatch: pytest.MonkeyPatch) -> None:
    """And all those that are not as bright as it: a half shadow along the border is followed as well as by all."""
    base = demo_scene((430, 520), pitch_px=17.0, seed=4)
    half_lit = replace(base, light=Light(12000.0, 500.0, penumbra=(20.0, 60.0)))
    plate = half_lit.render(np.random.default_rng(1))
    compared, asked = Instrument.compared, []

    def counted(self: Instrument, state: SpotState, sizes: tuple[float, float]) -> tuple[FittedSpots, ...]:
        asked.append(len(state))
        return compared(self, state, sizes)

    monkeypatch.setattr(Instrument, "compared", counted)
    every = find_spots(plate.image)
    monkeypatch.setattr(search, "_TELLING", 60)
    some = find_spots(plate.image)
    assert asked[1] < 0.7 * asked[0]
    # of the few that lie where light ends, each look finds others
    away, row = cKDTree(every.yx).query(some.yx)
    assert np.mean(away < 0.3) > 0.97
    common = [match_spots(spots, plate.truth) for spots in (every.select(row[away < 0.3]), some.select(away < 0.3))]
    assert common[1].rms_px < 1.2 * common[0].rms_px
    assert match_spots(some, plate.truth).over_sigma < 1.3


@pytest.mark.parametrize("seed", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_small_plate_of_which_nothing_is_left_to_do(seed: int) -> None:
    """One step brings all of its holes to their places."""
    scene = replace(demo_scene((300, 340), pitch_px=31.0, seed=4), light=Light(9000.0, 700.0, vignetting=0.0))
    for peak, columns in ((9000.0, 1), (30000.0, 1), (9000.0, 2)):
        light, faults = replace(scene.light, peak=peak), Faults(extent=(-2, 2 + columns // 2, -2, columns), seed=2)
        picture = replace(scene, light=light, camera=Camera(1.1), faults=faults).render(np.random.default_rng(seed))
        assert len(find_spots(picture.image)) == len(picture.truth)


def test_what_is_no_hole_stretches_none() -> None:
    """Along the rim of a bright frame candidates lie on the lattice that are none: nine holes in a hundred were lost
    beside them, stretched as nobody had stretched them."""
    scene = demo_scene((360, 430), pitch_px=27.0, seed=3)
    light, faults = Light(9000.0, 700.0, vignetting=0.0, outside=9000.0), Faults(extent=(-4, 5, -6, 6), seed=2)
    picture = replace(scene, light=light, camera=Camera(1.1), faults=faults).render(np.random.default_rng(7))
    score = match_spots(find_spots(picture.image), picture.truth)
    assert (score.recall, score.precision) == (1, 1)
