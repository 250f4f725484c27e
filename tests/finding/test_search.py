"""The stages of a search: each knows more than the one before."""

from __future__ import annotations

import numpy as np
import pytest
from looking import LEFT_OUT, PITCH_PX, candidates, picture, search
from scipy.spatial import cKDTree

from pyfai_gridcal.finding.search import completed, refine_at
from pyfai_gridcal.finding.selection import chosen
from pyfai_gridcal.records.spots import SpotFlag


def test_instrument_knows_the_lattice_of_the_candidates() -> None:
    tools, state, _ = search()
    assert len(state) == len(candidates())
    assert tools.spacing == pytest.approx(PITCH_PX, rel=0.08)
    assert tools.points is not None
    assert len(tools.points) > 0.95 * len(candidates())
    np.testing.assert_allclose(tools.learned.profile.basis_px, tools.points.basis_px)
    assert state.stretch is None or np.abs(state.stretch - np.eye(2)).max() < 0.1


def test_first_look_comes_nearer_by_a_factor_of_ten() -> None:
    _, _, look = search()
    tree = cKDTree(picture().truth.yx)
    before, after = (np.median(tree.query(yx)[0]) for yx in (candidates(), look.fitted.yx))
    assert before > 0.2
    assert after < 0.1 * before
    assert look.good.sum() > 0.8 * len(look.good)


def test_second_look_finds_what_had_no_candidate() -> None:
    tools, _, look = search()
    spots, usual = chosen(tools, look.fitted, stretch_error=look.stretch_error)
    whole, _ = completed(tools, look, spots, usual, "square")
    missing = picture().truth.yx[np.flatnonzero(picture().truth.whole)[list(LEFT_OUT)]]
    far, row = cKDTree(whole.yx).query(missing)
    assert far.max() < 0.1
    assert (whole.flags[row] & SpotFlag.PREDICTED).all()
    distance, _ = cKDTree(picture().truth.yx).query(whole.yx)
    assert distance.max() < 0.5, "and nothing else"


def test_nothing_is_found_where_there_is_nothing() -> None:
    tools, _, look = search()
    _, usual = chosen(tools, look.fitted, stretch_error=look.stretch_error)
    truth = picture().truth.yx
    between = truth + np.array([PITCH_PX / 2, 0.0])
    inside = ((between > 20) & (between < np.array(picture().image.shape) - 20)).all(axis=1)
    assert len(refine_at(tools, look, between[inside], 0.2 * PITCH_PX, usual)) == 0


def test_what_lies_too_far_from_its_prediction_is_another() -> None:
    tools, _, look = search()
    _, usual = chosen(tools, look.fitted, stretch_error=look.stretch_error)
    place = picture().truth.yx[np.flatnonzero(picture().truth.whole)[list(LEFT_OUT[:1])]] + np.array([[1.5, 0.0]])
    assert len(refine_at(tools, look, place, 3.0, usual)) == 1
    assert len(refine_at(tools, look, place, 1.0, usual)) == 0
