"""Layers and maps are shown and hidden by the bar."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.gui


def test_layers_and_maps(go):
    task = go.calibrated()
    for name, legend in (("grid", "grid"), ("vectors", "vectors")):
        task.layers.action(name).setChecked(True)
        assert task.plot.getCurve(legend) is not None
        task.layers.action(name).setChecked(False)
        assert task.plot.getCurve(legend) is None
    task.layers.action("vectors").setChecked(True)
    assert "× the displacement" in task.plot.readout.note.text()
    for index in range(1, task.layers.maps.count()):
        task.layers.maps.setCurrentIndex(index)
        go.idle()
        assert task.plot.getImage("map") is not None, task.layers.map()
    task.layers.maps.setCurrentIndex(task.layers.maps.findData("dy"))
    go.idle()
    shown = task.plot.getImage("map").getData()
    dy, _ = task.document.calibration().displacement_maps()
    mask = task.view().fit.distortion.mask
    np.testing.assert_allclose(shown, np.where(mask, np.nan, dy) if mask is not None else dy, atol=1e-9)
    task.layers.maps.setCurrentIndex(0)
    go.idle()
    assert task.plot.getImage("map") is None
    task.layers.colours.setCurrentIndex(1)
    assert task.plot.spots.colouring == "sigma"
