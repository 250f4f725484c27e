"""The equations of a step: what is summed up in short is what the long sums are."""

from __future__ import annotations

import numpy as np
import pytest
from holes import NOISE, REACH, lattice, profile, started

from pyfai_gridcal.finding.holes.looks import Kit, wild_square
from pyfai_gridcal.finding.holes.templates import TemplateMaker
from pyfai_gridcal.finding.holes.windows import odd_powers
from pyfai_gridcal.records.spots import Noise


def test_the_ground_has_the_sums_of_its_columns() -> None:
    prepared, state = started(lattice())
    bank = TemplateMaker(profile(), REACH).bank(None, len(state))
    kit = Kit(prepared, REACH, Noise(0.01, NOISE), 0.0, light=True, ground=True)
    windows, free = prepared.windows(state.yx, REACH), np.full((len(state), 2), np.inf)
    seen = kit.seen(state, windows, bank)
    look = kit.look(state, seen, np.zeros((len(state), 8)), free)
    ground = state.amplitude[:, None, None] * odd_powers(REACH)
    columns = np.concatenate([seen.rows[:, :-1], ground, seen.rows[:, -1:]], axis=1)
    gram = np.einsum("nip,np,njp->nij", columns, look.weight, columns)
    for found, wanted in ((look.normal, gram[:, :-1, :-1]), (look.right, gram[:, :-1, -1])):
        assert np.abs(found - wanted).max() < 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("dark", [0.0, 120.0, None])
def test_the_gradient_of_the_light_has_the_derivative_of_what_is_read(dark: float | None) -> None:
    """Once with a part of the square of the slope: steps ended where holes in steep light were off by 0.2 px."""
    prepared, state = started(lattice())
    light = np.tile([0.03, -0.02], (len(state), 1))
    state = state.topped(np.concatenate([light, np.full((len(state), 6), 0.01)], axis=1), dark)
    bank = TemplateMaker(profile(), REACH).bank(None, len(state))
    kit, windows = Kit(prepared, REACH, None, dark, light=True), prepared.windows(state.yx, REACH)
    found = kit.seen(state, windows, bank).rows[:, 4:6]
    for k in (0, 1):
        step = np.zeros((len(state), 8))
        step[:, k] = 0.002
        up, down = (kit.seen(state.topped(way * step, dark), windows, bank).level for way in (1, -1))
        wanted = (up.astype(float) - down) / 0.004
        assert np.abs(found[:, k] - wanted).max() < 2e-3 * np.abs(wanted).max()


def test_what_is_expected_of_more_is_added_to_the_equations() -> None:
    prepared, state = started(lattice())
    bank = TemplateMaker(profile(), REACH).bank(None, len(state))
    kit = Kit(prepared, REACH, Noise(0.0, NOISE), 0.0, light=True)
    seen = kit.seen(state, prepared.windows(state.yx, REACH), bank)
    so_far, size = np.full((len(state), 8), 0.02), np.full((len(state), 2), 0.1)
    free, held = (kit.look(state, seen, so_far, one) for one in (0 * size + np.inf, size))
    np.testing.assert_allclose((held.normal - free.normal)[:, [4, 5], [4, 5]], 100.0, rtol=1e-4)
    np.testing.assert_allclose((held.right - free.right)[:, 4:], -2.0, rtol=1e-4)


def test_wild_is_much_more_than_the_noise_and_a_share_of_the_amplitude() -> None:
    variance = np.array([[4.0, 9.0]])
    np.testing.assert_allclose(wild_square(variance, np.array([100.0]), 0.1), [[200.0, 325.0]])
