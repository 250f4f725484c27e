"""Powder rings through a distorting camera: after the calibration by a grid, the peaks are as narrow as without
distortion.
"""

from __future__ import annotations

import numpy as np
import pytest
from docpages import DOC, run_script

SCRIPT = DOC / "gallery" / "rings.py"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What the script of the gallery measured while it drew its figure."""
    if not SCRIPT.is_file():
        pytest.skip("the documentation is not beside the tests")
    return run_script(SCRIPT, tmp_path_factory.mktemp("rings"))["experiment"]()[:3]


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
