"""Before and after: the corrected image comes when it is looked for."""

from __future__ import annotations

import numpy as np
import pytest
import scenes

pytestmark = pytest.mark.gui


def test_before_and_after(go, wait):
    task = go.calibrated()
    task.tabs.setCurrentIndex(1)
    wait(lambda: task.compare.images() is not None, what="the corrected image")
    raw, corrected = task.compare.images()
    assert raw is task.view().image.data
    assert np.nansum(corrected) == pytest.approx(raw.sum(), rel=0.1)
    task.compare.mode.setCurrentIndex(1)
    wait(lambda: task.compare.pair.isVisible(), 20, "both plots")
    assert [plot.getImage("image").getData().shape for plot in task.compare.plots] == [scenes.SHAPE] * 2


def test_before_and_after_says_what_is_where(go, wait):
    from silx.gui.plot.items.marker import MarkerBase

    go.load()
    task = go.task
    task.tabs.setCurrentIndex(1)
    assert task.compare.note.isVisible()
    assert "needs an image and a calibration" in task.compare.note.text()
    task.tabs.setCurrentIndex(0)
    go.calibrated()
    task.tabs.setCurrentIndex(1)
    assert "being corrected" in task.compare.note.text()
    wait(lambda: task.compare.images() is not None, what="the corrected image")
    wait(lambda: not task.compare.note.isVisible(), 20, "the plot")
    assert task.compare._help.isVisible()
    lines = [item for item in task.compare.slider.getPlot().getItems() if isinstance(item, MarkerBase)]
    assert {line.getColor()[:2] for line in lines} == {(1.0, 208 / 255)}, "light, for the image is dark"
    assert "Means" not in task.compare._help.text()
    task.compare.mode.setCurrentIndex(1)
    assert not task.compare._help.isVisible()
