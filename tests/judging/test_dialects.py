"""Each confusion of frames, axes, signs and units is named, and chance is not."""

from __future__ import annotations

import numpy as np
import pytest
from hub import wave

from pyfai_gridcal.judging.dialects import agreement

SHAPE = (110, 150)
FIELD = np.stack(wave(SHAPE).displacement_maps(), axis=-1)
ORIGIN = np.stack(np.meshgrid(np.arange(SHAPE[0]), np.arange(SHAPE[1]), indexing="ij"), axis=-1)


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        (ORIGIN + FIELD + 0.5, "half-pixel"),
        (ORIGIN + FIELD - 0.5, "half-pixel"),
        (ORIGIN + FIELD + (0.2, -0.3), "shifted"),
        (ORIGIN - FIELD, "sign"),
        (ORIGIN + FIELD[..., ::-1], "exchanged"),
        (ORIGIN + FIELD[::-1, ::-1] * -1, "slow and the fast"),
        (ORIGIN + FIELD[::-1] * (-1, 1), "slow axis runs"),
        (ORIGIN + FIELD[:, ::-1] * (1, -1), "fast axis runs"),
        (ORIGIN + FIELD[:, ::-1], "without their signs"),
        (ORIGIN + 1e6 * FIELD, "µm for m"),
        (ORIGIN + 100 * FIELD, "1/100 px"),
        ((ORIGIN + FIELD + 0.5) * 1e3 - 0.5, "mm for m"),
        (ORIGIN.astype(float), "no distortion"),
    ],
)
def test_dialects_are_named(theirs, words):
    found = agreement(ORIGIN + FIELD, theirs)
    assert not found.agreed
    assert words in found.dialect
    assert found.left < 0.1 * found.rms


def test_transposition_of_square_maps_is_named():
    square = np.stack(wave((100, 100)).displacement_maps(), axis=-1)
    origin = np.stack(np.meshgrid(np.arange(100), np.arange(100), indexing="ij"), axis=-1)
    assert "transposed" in agreement(origin + square, origin + square.transpose(1, 0, 2)).dialect


def test_sampling_at_corners_is_named():
    truth = wave(SHAPE)
    field = np.asarray(truth.field.on_grid(np.arange(SHAPE[0]) - 0.5, np.arange(SHAPE[1]) - 0.5))
    assert "evaluated -0.5" in agreement(ORIGIN + FIELD, ORIGIN + field).dialect


def test_agreement_and_chance():
    rng = np.random.default_rng(0)
    assert agreement(ORIGIN + FIELD, ORIGIN + FIELD + rng.uniform(-1e-3, 1e-3, FIELD.shape)).agreed
    other = agreement(ORIGIN + FIELD, ORIGIN + FIELD + rng.normal(size=FIELD.shape))
    assert not other.agreed
    assert other.dialect == ""
    nothing = agreement(ORIGIN + FIELD, np.full(FIELD.shape, np.nan))
    assert not nothing.agreed
