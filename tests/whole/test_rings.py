"""Powder rings through a distorting camera: after the calibration by a grid, the peaks are as narrow as without
distortion.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "doc" / "gallery" / "rings.py"


@pytest.fixture(scope="module")
def results():
    if not SCRIPT.is_file():
        pytest.skip("the documentation is not beside the tests")
    spec = importlib.util.spec_from_file_location("gallery_rings", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        return module.experiment()[:3]
    finally:
        del sys.modules[spec.name]


def test_peaks_are_where_and_as_narrow_as_they_should(results):
    ideal, raw, corrected = results
    assert len(ideal.peaks) >= 6
    assert len(ideal.peaks) == len(corrected.peaks) == len(raw.peaks)
    ratio = corrected.fwhm / ideal.fwhm
    assert np.median(ratio) < 1.05
    assert ratio.max() < 1.05
    assert np.abs(corrected.peaks - ideal.peaks).max() < 0.01


def test_without_the_calibration_they_are_visibly_broader(results):
    ideal, raw, _ = results
    assert np.median(raw.fwhm / ideal.fwhm) > 1.15
