"""The mask drawn by hand counts, and an empty one is not drawn."""

from __future__ import annotations

import numpy as np
import pytest
import scenes
from qtest import kept

pytestmark = pytest.mark.gui


def test_drawn_mask_counts(go):
    task = go.calibrated()
    before = kept(task)
    mask = np.zeros(scenes.SHAPE, np.uint8)
    mask[:100, :120] = 1
    overlay = task.plot.getImage(task.plot.getMaskToolsDockWidget().widget()._maskName)
    assert overlay is None or not overlay.isVisible(), "an empty mask is drawn, which takes as long as the image"
    task.plot.getMaskToolsDockWidget().setVisible(True)
    task.plot.getMaskToolsDockWidget().setSelectionMask(mask)
    assert task.plot.getImage(task.plot.getMaskToolsDockWidget().widget()._maskName).isVisible()
    go.idle()
    assert task.workspace.state.exposures[0].drawn.sum() == 100 * 120
    assert kept(task) < before - 8
    task.workspace.undo()
    go.idle()
    assert kept(task) == before
    assert not task.plot.drawnMask.value().any()
