"""What is taken for a hole, and how sure its place is said to be."""

from __future__ import annotations

from dataclasses import replace

import looking
import numpy as np
import pytest
from holes import NOISE, RADIUS, REACH, lattice, picture, profile

from pyfai_gridcal.base.errors import PickingError
from pyfai_gridcal.finding.faults import SharedFaults
from pyfai_gridcal.finding.holes.learning import Instrument, Learned
from pyfai_gridcal.finding.holes.model import start_from
from pyfai_gridcal.finding.holes.refinement import FittedSpots
from pyfai_gridcal.finding.holes.templates import TemplateMaker
from pyfai_gridcal.finding.holes.windows import PreparedImage
from pyfai_gridcal.finding.selection import Usual, chosen, oddity, usual_misfit
from pyfai_gridcal.records.spots import Noise, SpotFlag
from pyfai_gridcal.synthetic import match_spots

YX = lattice()


def fitted(image: np.ndarray, mask: np.ndarray | None = None, yx: np.ndarray = YX) -> tuple[Instrument, FittedSpots]:
    prepared = PreparedImage(image, mask, "bright", saturation=5000.0)
    learned = Learned(profile(), Noise(0.0, NOISE))
    tools = Instrument(prepared, None, 20.0, RADIUS, REACH, 2.0, learned, TemplateMaker(profile(), REACH), 1)
    return tools, tools.fit(start_from(prepared, yx, REACH, RADIUS), 5)


def test_clean_holes_have_no_flags() -> None:
    tools, found = fitted(picture(YX))
    spots, usual = chosen(tools, found, Usual())
    assert len(spots) == len(YX)
    assert not spots.flags.any()
    assert spots.hole_px == pytest.approx(2 * RADIUS, abs=0.2)
    assert usual.sigma == pytest.approx(float(np.median(spots.sigma_yx.max(axis=1))))
    assert not oddity(tools, found, 0.0).any()


def test_masked_and_saturated_holes_are_flagged_and_less_sure() -> None:
    image = picture(YX)
    mask = np.zeros(image.shape, bool)
    y, x = np.rint(YX[20]).astype(int)
    mask[y - 8 : y + 9, x + 4 : x + 9] = True
    y, x = np.rint(YX[31]).astype(int)
    image[y + 6, x + 6] = 6000
    tools, found = fitted(image, mask)
    spots, usual = chosen(tools, found, Usual(stretch_error=0.01))
    rows = [int(np.argmin(np.hypot(*(spots.yx - YX[k]).T))) for k in (20, 31)]
    assert spots.flags[rows[0]] & SpotFlag.MASKED
    assert spots.flags[rows[1]] & SpotFlag.SATURATED
    # only one side is seen: the radius that is assumed counts along x
    assert spots.sigma_yx[rows[0], 1] > 2 * usual.sigma


def test_what_is_weak_or_elsewhere_or_twice_is_none() -> None:
    image = picture(np.delete(YX, 17, axis=0))
    tools, found = fitted(image, yx=np.vstack([YX, YX[40:41] + (0.2, -0.1)]))
    spots, _ = chosen(tools, found, Usual())
    assert len(spots) == len(YX) - 1
    assert np.hypot(*(spots.yx - YX[17]).T).min() > 5


def test_a_covered_hole_is_as_unsure_as_its_cover_is_large() -> None:
    image = picture(YX)
    y, x = np.rint(YX[22]).astype(int)
    image[y - 2 : y + 3, x : x + 4] -= 118
    tools, found = fitted(image)
    odd = oddity(tools, found, 0.0)
    assert np.flatnonzero(odd).tolist() == [22]
    spots, usual = chosen(tools, found, Usual())
    assert spots.sigma_yx[22].max() >= RADIUS * odd[22] * 0.9 > 3 * usual.sigma


def test_an_odd_hole_stays_with_a_large_sigma_and_odd_neighbours_go() -> None:
    image = picture(YX)
    tools, found = fitted(image)
    alone = np.isin(np.arange(len(YX)), (22, 40))
    spots, usual = chosen(tools, replace(found, chi2=np.where(alone, 100.0, found.chi2)), Usual())
    assert len(spots) == len(YX)
    assert spots.sigma_yx[alone].min() > 5 * usual.sigma
    together = np.argsort(np.hypot(*(YX - YX[33]).T))[:4]
    shared = np.isin(np.arange(len(YX)), together)
    spots, _ = chosen(tools, replace(found, chi2=np.where(shared, 100.0, found.chi2)), Usual())
    assert len(spots) == len(YX) - 4


def test_what_all_holes_share_drops_none_and_what_some_share_drops_these() -> None:
    tools, found = fitted(picture(YX))
    some = YX[:, 1] > np.quantile(YX[:, 1], 0.7)
    one = np.arange(len(YX)) == 33
    usual = Usual(
        faults=SharedFaults(found.yx, np.repeat(np.where(one, 0.12, 0.0)[:, None], 2, axis=1), np.zeros_like(found.yx))
    )
    assert len(chosen(tools, found, usual)[0]) == len(YX) - 1
    for most, few, left in ((0.005, 0.0075, len(YX)), (0.0, 0.12, len(YX) - int(some.sum()))):
        size = np.where(some, few, most)
        usual = Usual(faults=SharedFaults(found.yx, np.repeat(size[:, None], 2, axis=1), np.zeros_like(found.yx)))
        assert len(chosen(tools, found, usual)[0]) == left


def test_a_misfit_is_judged_by_the_noise_of_its_own_level() -> None:
    """Places where nothing is are no measure of noise: among them a sliver of a hole passed as one, a pitch off."""
    image = picture(YX[:1])
    y, x = np.rint(YX[0]).astype(int)
    image[y - 9 : y + 10, x - 9 : x] = 300
    tools, found = fitted(image)
    tools = replace(tools, learned=replace(tools.learned, noise=Noise(2.0, NOISE, 300.0)))
    alone = oddity(tools, FittedSpots(*(column[:1] for column in vars(found).values())), 0.0)
    assert alone[0] > 0.1
    assert oddity(tools, found, 0.0)[0] == alone[0]


def test_nothing_left_is_told_or_empty() -> None:
    tools, found = fitted(picture(YX))
    bad = replace(found, good=np.zeros(len(YX), bool))
    with pytest.raises(PickingError, match="no candidate looks like a hole"):
        chosen(tools, bad, Usual())
    assert len(chosen(tools, bad, Usual(sigma=0.01), there=np.ones(len(YX), bool))[0]) == 0


def test_all_holes_stay_and_know_their_sigma() -> None:
    tools, _, look = looking.search()
    spots, usual = chosen(tools, look.fitted, look.usual)
    assert len(spots) == len(look.fitted.yx)
    score = match_spots(spots, looking.picture().truth)
    assert score.precision == 1
    assert score.over_sigma == pytest.approx(1.0, abs=0.25)
    assert usual.sigma == pytest.approx(np.median(spots.sigma_yx.max(axis=1)))
    assert spots.hole_px == 2 * tools.profile_radius
    assert spots.noise is tools.learned.noise


def test_flags_tell_where_a_spot_comes_from() -> None:
    tools, _, look = looking.search()
    everybody = np.ones(len(look.fitted.yx), bool)
    predicted, _ = chosen(tools, look.fitted, replace(look.usual, sigma=0.1), there=everybody)
    assert (predicted.flags & SpotFlag.PREDICTED).all()
    spots, _ = chosen(tools, look.fitted, look.usual)
    at = np.rint(spots.yx)
    border = ((at < tools.reach) | (at > np.array(looking.picture().image.shape) - 1 - tools.reach)).any(axis=1)
    np.testing.assert_array_equal((spots.flags & SpotFlag.BORDER) > 0, border)


def test_odd_ones_are_those_far_beyond_the_usual() -> None:
    tools, _, look = looking.search()
    usual = usual_misfit(tools, look.fitted, look.good)
    assert 0 <= usual < 0.01
    assert (oddity(tools, look.fitted, usual) == 0).mean() > 0.95
    strange = replace(look.fitted, chi2=np.where(np.arange(len(look.fitted.yx)) == 7, 900.0, look.fitted.chi2))
    assert np.flatnonzero(oddity(tools, strange, usual) > 0.1).tolist() == [7]


def test_what_a_model_is_wrong_by_is_shared_as_the_pixels_say() -> None:
    """A misfit that neighbours have in common moves them together: no number of them makes that smaller."""
    tools, found = fitted(picture(YX))
    found = replace(found, chi2=np.full(len(YX), 3.0))
    faults = SharedFaults(YX, np.zeros_like(YX), np.tile([0.0, 0.81], (len(YX), 1)))
    spots, _ = chosen(tools, found, Usual(misfit=1.0, faults=faults))
    assert spots.shared_yx is not None
    assert not spots.shared_yx[:, 0].any()
    np.testing.assert_allclose(spots.shared_yx[:, 1], 0.9 * np.sqrt(2 / 3) * spots.sigma_yx.max(axis=1), rtol=0.1)


def test_what_was_assumed_of_the_light_is_shared_by_neighbours() -> None:
    tools, found = fitted(picture(YX))
    assert chosen(tools, found, Usual())[0].shared_yx is None
    found = replace(found, assumed=np.tile((0.03, 0.04), (len(YX), 1)) ** 2)
    shared = chosen(tools, found, Usual())[0].shared_yx
    assert shared is not None
    np.testing.assert_allclose(shared, np.tile((0.03, 0.04), (len(shared), 1)))
