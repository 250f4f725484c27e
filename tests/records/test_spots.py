"""Spots as columns of one length, and the noise of their pixels."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.records.spots import HoleProfile, Noise, SpotFlag, Spots


def spots(n: int = 4) -> Spots:
    k = np.arange(n, dtype=float)
    yx = np.stack([k, 10 * k], axis=1)
    return Spots(yx, yx + 1, k, -k, 1 + k, k.astype(np.uint8), "dark", 7.5, Noise(0.5, 2.0))


def test_selected_and_joined_rows() -> None:
    every = spots()
    first, rest = every.select(np.array([2, 0])), every.select(np.arange(4) == 3)
    both = first.joined(rest)
    assert both.amplitude.tolist() == [2, 0, 3]
    assert np.array_equal(both.yx, every.yx[[2, 0, 3]])
    assert (both.polarity, both.hole_px, both.noise) == ("dark", 7.5, Noise(0.5, 2.0))


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="different lengths"):
        Spots(np.zeros((3, 2)), np.zeros((3, 2)), np.zeros(2), np.zeros(3), np.zeros(3), np.zeros(3, np.uint8))


def test_spots_of_positions_only() -> None:
    some = Spots.from_positions([[3.0, 4.0], [5.0, 6.0]], sigma=0.2)
    assert some.sigma_yx.tolist() == [[0.2, 0.2]] * 2
    assert not (some.flags & SpotFlag.USER).any()


def test_variance_is_a_line_above_a_floor() -> None:
    noise = Noise(gain=0.5, readout=3.0, pedestal=100.0)
    assert noise.variance(np.array([100.0, 300.0])) == pytest.approx([9.0, 109.0])
    assert noise.variance(np.array([-1e6])) == pytest.approx([4.5])


def test_reach_of_a_profile() -> None:
    assert HoleProfile(np.zeros((41, 41)), 4).reach == 5.0


def test_flags_are_bits_of_their_own() -> None:
    assert sum(SpotFlag) == 2 ** len(SpotFlag) - 1
    assert SpotFlag.MASKED & (SpotFlag.MASKED | SpotFlag.USER)


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
