"""Lines are drawn where the records say, as long as they are to be seen."""

from __future__ import annotations

import numpy as np
import pytest
from qtest import qt  # noqa: F401

from pyfai_gridcal.gui.drawing.lines import GridLayer, OriginLayer, VectorLayer
from pyfai_gridcal.gui.work.layers import grid_lines, vector_lines

pytestmark = pytest.mark.gui


def test_grid(plot, fit):
    layer, lines = GridLayer(plot, visible=False), grid_lines(fit)
    plot.setLimits(0, 160, 0, 90)
    layer.show(lines)
    assert plot.getCurve("grid") is None
    layer.setVisible(True)
    x = plot.getCurve("grid").getXData()
    assert len(x) == 3 * len(lines.number)
    np.testing.assert_array_equal(x[:2], lines.x[0])
    plot.setLimits(1000, 1100, 1000, 1100)
    layer.draw()
    assert plot.getCurve("grid") is None or not len(plot.getCurve("grid").getXData()), "none is in view"
    layer.show(None)
    assert plot.getCurve("grid") is None


def test_vectors_tell_their_scale(plot, fit):
    layer, arrows = VectorLayer(plot, visible=False), vector_lines(fit.distortion)
    layer.show(arrows)
    assert layer.note == ""
    layer.setVisible(True)
    assert layer.note == arrows.text
    np.testing.assert_array_equal(plot.getCurve("vectors").getYData(), arrows.y)


def test_origin(plot):
    layer = OriginLayer(plot)
    layer.show((20.0, 31.0))
    assert plot._getMarker("origin").getPosition() == (31.5, 20.5)
    layer.show(None)
    assert plot._getMarker("origin") is None
