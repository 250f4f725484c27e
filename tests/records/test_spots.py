"""Spots as measured, and the noise behind their uncertainty."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.records.spots import HoleProfile, Noise, SpotFlag, Spots


@pytest.fixture
def spots() -> Spots:
    n = 5
    return Spots(
        np.arange(10.0).reshape(n, 2),
        np.linspace(0.01, 0.1, 10).reshape(n, 2),
        np.arange(n) + 100.0,
        np.arange(n) + 7.0,
        np.linspace(0.9, 1.3, n),
        np.array([0, SpotFlag.BORDER, SpotFlag.MASKED | SpotFlag.USER, 0, SpotFlag.SATURATED]),
        "dark",
        6.5,
        Noise(2.0, 3.0),
    )


def test_select_keeps_columns_together(spots: Spots) -> None:
    some = spots.select(spots.flags != 0)
    assert len(some) == 3
    for name in ("yx", "sigma_yx", "amplitude", "background", "chi2", "flags"):
        np.testing.assert_array_equal(getattr(some, name), getattr(spots, name)[[1, 2, 4]])
    assert (some.polarity, some.hole_px, some.noise) == ("dark", 6.5, Noise(2.0, 3.0))
    np.testing.assert_array_equal(spots.select(np.array([3, 0])).amplitude, [103, 100])
    assert len(spots.select(np.zeros(5, bool))) == 0


def test_columns_cannot_be_changed_and_have_one_length(spots: Spots) -> None:
    with pytest.raises(ValueError, match="read-only"):
        spots.yx[0, 0] = 1.0
    with pytest.raises(ValueError, match="different lengths"):
        Spots(spots.yx, spots.sigma_yx, spots.amplitude[:4], spots.background, spots.chi2, spots.flags)


def test_flags_are_bits_of_their_own() -> None:
    assert sum(SpotFlag) == 2 ** len(SpotFlag) - 1
    assert SpotFlag.MASKED & (SpotFlag.MASKED | SpotFlag.USER)


def test_spots_of_bare_positions() -> None:
    spots = Spots.from_positions([[3, 4], [5, 6.5]], sigma=0.2, polarity="dark", hole_px=8.0)
    np.testing.assert_array_equal(spots.yx, [[3, 4], [5, 6.5]])
    np.testing.assert_array_equal(spots.sigma_yx, np.full((2, 2), 0.2))
    assert (spots.polarity, spots.hole_px, int(spots.flags.sum())) == ("dark", 8.0, 0)
    assert len(Spots.from_positions(np.empty((0, 2)))) == 0


def test_variance_of_a_camera_is_that_of_its_counts() -> None:
    """Photons N behind a gain g: the counts g N have the variance g^2 N."""
    rng = np.random.default_rng(4)
    gain, readout, pedestal = 3.0, 5.0, 90.0
    photons = 400.0
    counts = gain * rng.poisson(photons, 200_000) + readout * rng.standard_normal(200_000) + pedestal
    noise = Noise(gain, readout, pedestal)
    assert noise.variance(np.array([gain * photons + pedestal]))[0] == pytest.approx(counts.var(), rel=0.02)
    assert noise.variance(np.array([pedestal]))[0] == pytest.approx(readout**2)


def test_variance_is_never_zero() -> None:
    """Pixels far below the pedestal are not known better than possible."""
    assert (Noise(1.0, 0.0).variance(np.array([[-50.0, 0.0, 1.0]])) > 0).all()


def test_reach_of_a_profile_in_pixels() -> None:
    profile = HoleProfile(np.zeros((41, 41)), 4, np.array([[20.0, 1.0], [0.0, 17.0]]))
    assert profile.reach == 5.0
    assert not profile.table.flags.writeable
    assert not profile.basis_px.flags.writeable
