"""Residuals and verdict are shown as they are."""

from __future__ import annotations

import numpy as np
import pytest
from qtest import qt  # noqa: F401

from pyfai_gridcal.gui.panels.quality import QualityView, VerdictLabel
from pyfai_gridcal.records.verdict import Verdict

pytestmark = pytest.mark.gui


def test_histogram_holds_all_used_spots(qapp, keep, fit):
    quality = keep(QualityView())
    quality.setFit(fit)
    counts = {item.getName(): item.getValueData(copy=False).sum() for item in quality.histogram.getItems()}
    assert counts == {"slow (y)": 11, "fast (x)": 11}
    quality.setCurrentIndex(1)
    colours = quality.scatter.getScatter("spots").getValueData(copy=False)
    np.testing.assert_array_equal(colours, fit.used[0])
    quality.setFit(None)
    assert not quality.scatter.getItems()
    quality.setCurrentIndex(0)
    assert not quality.histogram.getItems()


def test_verdict_in_words(qapp, keep):
    label = keep(VerdictLabel())
    assert label.text() == "Not calibrated yet."
    label.setVerdict(Verdict("doubtful", ("a < b & c",)))
    assert label.text() == "<b>doubtful</b><br/>• a &lt; b &amp; c"
