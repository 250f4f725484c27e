"""A layer is in the plot or not, and keeps the limits of the plot."""

from __future__ import annotations

import numpy as np
import pytest
from qtest import qt  # noqa: F401
from silx.gui.plot.items.image import ImageData

from pyfai_gridcal.gui.drawing.layer import Layer, is_drawn, seen_part

pytestmark = pytest.mark.gui


def test_items_come_and_go(plot):
    layer, item = Layer(plot), ImageData()
    item.setName("thing")
    for wanted in (False, True, True, False):
        layer.place(item, wanted)
        assert is_drawn(item) == wanted
        assert (plot.getImage("thing") is not None) == wanted


def test_a_line_leaves_the_limits_alone(plot):
    plot.setLimits(10, 30, 5, 12)
    before = seen_part(plot)
    Layer(plot).addLine(np.array([0.0, 500.0]), np.array([1.0, 900.0]), "far", color="red")
    assert plot.getCurve("far") is not None
    assert seen_part(plot) == before
    assert before.left < 10.1
    assert before.right > 29.9
    assert before.bottom < 5.1


def test_show_and_hide_draw(plot):
    class Counting(Layer):
        drawn = 0

        def draw(self):
            self.drawn += 1

    layer = Counting(plot)
    layer.show("data")
    layer.setVisible(False)
    assert (layer.data, layer.visible, layer.drawn, layer.note) == ("data", False, 2, "")
