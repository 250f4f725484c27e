"""Regular errors of a plate are told apart from those of single holes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from turnedplates import OFF, PLATE, imperfect

from pyfai_gridcal.fitting.plates.ordered import ordered_errors
from pyfai_gridcal.fitting.plates.registration import map_print
from pyfai_gridcal.records.plate import Plate


def off(error: np.ndarray) -> Plate:
    return replace(imperfect(), error_yx=imperfect().error_yx + error)


def places() -> np.ndarray:
    return np.asarray(imperfect().error_ij @ PLATE.basis)


def test_single_holes_are_no_regular_errors() -> None:
    parts = ordered_errors(imperfect())
    assert parts is not None
    assert parts.single_m == pytest.approx(OFF, rel=0.05)
    assert parts.bend_m == parts.rows_m == 0
    assert parts.words() == "errors of the plate: no regular ones; single holes 18 µm rms"
    assert ordered_errors(PLATE) is None


def test_each_regular_error_is_named() -> None:
    p = places()
    rows = np.random.default_rng(1).normal(0, 10e-6, 51)[imperfect().error_ij[:, 0] + 25]
    cases = {
        "pitch longer by +": 1e-3 * p,
        "axes differ by +": 5e-4 * p * [1, -1],
        "axes off square by +": 5e-4 * p[:, ::-1],
        "bent by ": 0.1 * p * p[:, :1],
        "rows off by ": np.stack([rows, 0 * rows], axis=1),
    }
    for name, error in cases.items():
        parts = ordered_errors(off(error))
        assert parts is not None
        assert name in parts.words()
        assert sum(other in parts.words() for other in cases) == 1
        assert parts.single_m == pytest.approx(OFF, rel=0.05)
    assert ordered_errors(off(1e-3 * p)).scale == pytest.approx(1e-3, rel=0.1)  # type: ignore[union-attr]


def test_the_fingerprint_has_no_smooth_part() -> None:
    bent = map_print(off(1e-3 * places()))
    plain = map_print(imperfect())
    assert bent is not None
    assert plain is not None
    assert bent.error == pytest.approx(plain.error, abs=1e-12)
