"""The plot shows a view: its image once, and all layers of it."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from qtest import qt  # noqa: F401

from pyfai_gridcal.gui.drawing.plot import LAYERS
from pyfai_gridcal.gui.work.views import WorkView

pytestmark = pytest.mark.gui


def test_a_view_is_shown(plot, view):
    plot.setView(view)
    assert plot.getImage("image").getData(copy=False).shape == view.image.shape
    assert plot.getImage("image").getColormap().getVRange() == view.limits
    assert plot.getImage("map") is not None
    assert plot.getImage("unknown") is not None
    assert plot.getCurve("grid") is None, "hidden until the user asks for it"
    assert plot.getColorBarWidget().getLegend() == view.overlay.label
    plot.setLayerVisible("vectors", True)
    assert plot.readout.note.text() == view.vectors.text
    plot.setLayerVisible("unknown", False)
    assert plot.getImage("unknown") is None


def test_layers_are_named_after_the_fields_of_a_view(plot):
    assert set(plot.layers) <= {field.name for field in fields(WorkView)}
    assert set(LAYERS) <= set(plot.layers)


def test_the_same_image_keeps_the_zoom(plot, view):
    plot.setView(view)
    plot.setLimits(20, 60, 10, 40)
    limits = plot.getXAxis().getLimits()
    plot.setView(replace(view, overlay=None))
    assert plot.getXAxis().getLimits() == limits
    assert plot.getImage("map") is None
    plot.clearImage()
    assert plot.getImage("image") is None
    plot.setView(view)
    assert plot.getImage("image") is not None
    assert plot.getXAxis().getLimits() != limits


def test_look_at(plot, view):
    plot.setView(view)
    plot.lookAt(np.array([40.0, 80.0]), 10.0, view.image.shape)
    left, right = plot.getXAxis().getLimits()
    bottom, top = plot.getYAxis().getLimits()
    assert ((left + right) / 2, (bottom + top) / 2) == pytest.approx((80.5, 40.5), abs=0.1)
    assert min(right - left, top - bottom) == pytest.approx(20, rel=0.05)
