"""Rings as judge: what they say of a calibration is what is true of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from ringdrawing import GEOMETRY, WAVELENGTH, bent, draw, gaps, perfect, share, without_noise

from pyfai_gridcal.base.errors import CalibrationError, FileFormatError, UsageError
from pyfai_gridcal.io.nexus.detector import to_detector
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.jobs import Validate
from pyfai_gridcal.rings.judge import RingValidation, refined, seen, validate_ring_files, validate_rings

SHAPE = (360, 400)


def judged(calibration: Distortion, truth: Distortion, rng: np.random.Generator, **light: float) -> RingValidation:
    image = draw(truth, rng, **light)
    return validate_rings(calibration, image, GEOMETRY, wavelength=WAVELENGTH, mask=gaps(SHAPE))


def true_gain(found: RingValidation, calibration: Distortion, truth: Distortion) -> float:
    """What the calibration takes away from points without noise, px."""
    points = without_noise(found.points, truth)
    square = []
    for one in (perfect(SHAPE), calibration):
        geometry = refined(points, one, to_detector(one), GEOMETRY)
        square.append(seen(points, one, geometry).rms()[1] ** 2)
    return float(np.sign(square[0] - square[1]) * np.sqrt(abs(square[0] - square[1])))


#: One for each seed in turn.
LIGHTS = ({}, {"texture": 0.6}, {"spots": 0.7}, {"peak": 60.0})


@cache
def gain(seed: int) -> tuple[RingValidation, Distortion, Distortion]:
    """A calibration that is all of a distortion, or most of it: what is found, it and the truth."""
    rng = np.random.default_rng(seed)
    truth = bent(SHAPE, rng.uniform(0.4, 1.2), rng)
    calibration = share(truth, (1.0, 0.7)[seed % 2])
    return judged(calibration, truth, rng, **LIGHTS[seed % 4]), calibration, truth


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 20))])
def test_a_gain_is_told_as_it_is(seed: int) -> None:
    found, calibration, truth = gain(seed)
    assert found.verdict == "helps"
    # grains of the powder shift whole stretches of a ring, and with them the sum of squares: one in five is off by 12 %
    within = 0.15 if "spots" in LIGHTS[seed % 4] else 0.1
    assert found.gone[1] == pytest.approx(true_gain(found, calibration, truth), rel=within)


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 20))])
def test_no_gain_is_told_where_there_is_none(seed: int) -> None:
    """A perfect raster with a calibration that is noise, or a distortion with one that has nothing to do with it."""
    rng = np.random.default_rng(100 + seed)
    truth = perfect(SHAPE) if seed % 2 else bent(SHAPE, 0.3, rng)
    calibration = bent(SHAPE, rng.choice([0.002, 0.02, 0.3]), rng)
    found = judged(calibration, truth, rng, **LIGHTS[seed % 4])
    assert found.verdict != "helps" or true_gain(found, calibration, truth) > 0.01


@pytest.mark.slow
def test_a_calibration_that_harms_is_told() -> None:
    rng = np.random.default_rng(5)
    found = judged(bent(SHAPE, 0.8, rng), perfect(SHAPE), rng)
    assert found.verdict == "harms"
    assert "harms" in found.report()
    assert found.gone[1] < 0


@pytest.mark.slow
def test_the_same_detector_twice_is_no_difference() -> None:
    rng = np.random.default_rng(6)
    found = judged(perfect(SHAPE), bent(SHAPE, 0.5, rng), rng)
    assert found.verdict == "no difference"
    assert found.significance == 0.0


def test_summary_and_report_tell_rings_modules_and_widths() -> None:
    found, _, _ = gain(0)
    told = found.summary()
    assert {row["module"] for row in told["modules"]} == {0, 1, 2, 3}
    assert sum(row["points"] for row in told["rings"]) == told["points"] == len(found.points)
    assert told["after"]["rms_mdeg"] < 0.7 * told["before"]["rms_mdeg"]
    assert told["width_mdeg"]["after"][0] == pytest.approx(150, rel=0.2)
    assert found.report().count("ring ") == len(told["rings"])


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    image = draw(perfect(SHAPE), rng)
    with pytest.raises(UsageError, match="image of shape"):
        validate_rings(perfect(SHAPE), image[1:], GEOMETRY, wavelength=WAVELENGTH)
    with pytest.raises(UsageError, match="calibrant 'unobtainium'"):
        validate_rings(perfect(SHAPE), image, GEOMETRY, wavelength=WAVELENGTH, calibrant="unobtainium")
    with pytest.raises(FileFormatError, match="no detector file"):
        validate_ring_files(Validate(detector_file=None, rings="a.tif"))
    with pytest.raises(UsageError, match="without a geometry"):
        validate_ring_files(Validate(detector_file=str(tmp_path / "d.h5"), rings="a.tif"))


@pytest.mark.parametrize(
    ("calibrant", "change"),
    [
        ("LaB6", {}),
        pytest.param("CeO2", {"dist": 0.11}, marks=pytest.mark.slow),
        pytest.param("CeO2", {"poni1": 0.0225}, marks=pytest.mark.slow),
    ],
)
def test_a_wrong_calibrant_or_geometry_is_refused(calibrant: str, change: dict[str, float]) -> None:
    image = draw(perfect(SHAPE), np.random.default_rng(9))
    with pytest.raises(CalibrationError, match=r"off their rings|on a ring in"):
        validate_rings(perfect(SHAPE), image, GEOMETRY | change, wavelength=WAVELENGTH, calibrant=calibrant)
