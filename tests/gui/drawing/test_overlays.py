"""The map and its scale go with the spots and with the plot."""

from __future__ import annotations

import pytest
from qtest import QTest

pytestmark = pytest.mark.gui


def test_a_scale_does_not_move_the_plot(go):
    go.load()
    task = go.task
    assert not task.plot.getColorBarWidget().isVisible()
    bounds = task.plot.getPlotBoundsInPixels()
    task = go.calibrated()
    assert task.plot.getColorBarWidget().isVisible()
    assert task.plot.getPlotBoundsInPixels() == bounds
    task.layers.maps.setCurrentIndex(task.layers.maps.findData("dx"))
    go.idle()
    QTest.qWait(50)
    assert task.plot.getPlotBoundsInPixels() == bounds


def test_map_and_spots_of_the_residuals_have_the_same_colours(go):
    task = go.calibrated()
    spots = task.plot.spots.colormap
    task.layers.maps.setCurrentIndex(task.layers.maps.findData("residual"))
    go.idle()
    colormap = task.plot.getImage("map").getColormap()
    assert colormap.getVRange() == spots.getVRange()
    shared = colormap.getVRange()
    task.layers.colours.setCurrentIndex(task.layers.colours.findData("sigma"))
    assert spots.getVRange() != shared
    assert task.plot.getImage("map").getColormap().getVRange() != spots.getVRange()
    assert task.plot.getColorBarWidget().getLegend() == "Residual, px"
