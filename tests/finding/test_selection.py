"""Which fits are holes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from looking import picture, search

from pyfai_gridcal.base.errors import PickingError
from pyfai_gridcal.finding.selection import chosen, oddity, usual_misfit
from pyfai_gridcal.records.spots import SpotFlag
from pyfai_gridcal.synthetic import match_spots


def test_all_holes_stay_and_know_their_sigma() -> None:
    tools, _, look = search()
    spots, usual = chosen(tools, look.fitted, stretch_error=look.stretch_error)
    assert len(spots) == len(look.fitted.yx)
    score = match_spots(spots, picture().truth)
    assert score.precision == 1
    assert score.over_sigma == pytest.approx(1.0, abs=0.25)
    assert usual == pytest.approx(np.median(spots.sigma_yx.max(axis=1)))
    assert spots.hole_px == 2 * tools.profile_radius
    assert spots.noise is tools.learned.noise


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda f: {"good": np.arange(len(f.yx)) > 3},
        lambda f: {"amplitude": np.where(np.arange(len(f.yx)) > 3, f.amplitude, 1.0)},
        lambda f: {"chi2": np.where(np.arange(len(f.yx)) > 3, f.chi2, 1e4)},
        lambda f: {"yx": np.where(np.arange(len(f.yx))[:, None] > 3, f.yx, -5.0)},
    ],
    ids=["ran away", "no brighter than noise", "unlike the profile", "outside"],
)
def test_what_is_no_hole_goes(spoilt) -> None:
    tools, _, look = search()
    fitted = replace(look.fitted, **spoilt(look.fitted))
    spots, _ = chosen(tools, fitted, stretch_error=look.stretch_error)
    np.testing.assert_allclose(spots.yx, look.fitted.yx[4:])


def test_of_two_fits_of_one_hole_the_better_stays() -> None:
    tools, _, look = search()
    twice = np.concatenate([[5], np.arange(len(look.fitted.yx))])
    fitted = replace(look.fitted, **{name: v[twice] for name, v in vars(look.fitted).items()})
    fitted.chi2[0] += 1.0
    spots, _ = chosen(tools, fitted, stretch_error=look.stretch_error)
    np.testing.assert_allclose(spots.chi2, look.fitted.chi2)


def test_where_nothing_is_a_hole_it_is_said() -> None:
    tools, _, look = search()
    nothing = replace(look.fitted, good=np.zeros(len(look.fitted.yx), bool))
    with pytest.raises(PickingError, match="no candidate looks like a hole"):
        chosen(tools, nothing, stretch_error=look.stretch_error)
    nobody = np.zeros(len(look.fitted.yx), bool)
    spots, _ = chosen(tools, look.fitted, stretch_error=look.stretch_error, usual=0.1, there=nobody)
    assert len(spots) == 0


def test_flags_tell_where_a_spot_comes_from() -> None:
    tools, _, look = search()
    everybody = np.ones(len(look.fitted.yx), bool)
    predicted, _ = chosen(tools, look.fitted, stretch_error=look.stretch_error, usual=0.1, there=everybody)
    assert (predicted.flags & SpotFlag.PREDICTED).all()
    spots, _ = chosen(tools, look.fitted, stretch_error=look.stretch_error)
    at = np.rint(spots.yx)
    border = ((at < tools.reach) | (at > np.array(picture().image.shape) - 1 - tools.reach)).any(axis=1)
    np.testing.assert_array_equal((spots.flags & SpotFlag.BORDER) > 0, border)


def test_odd_ones_are_those_far_beyond_the_usual() -> None:
    tools, _, look = search()
    assert 0 <= usual_misfit(tools, look.fitted) < 0.01
    assert (oddity(tools, look.fitted) == 0).mean() > 0.95
    strange = replace(look.fitted, chi2=np.where(np.arange(len(look.fitted.yx)) == 7, 900.0, look.fitted.chi2))
    assert np.flatnonzero(oddity(tools, strange) > 0.1).tolist() == [7]
