"""Statistics of what is in a rectangle."""

from __future__ import annotations

import numpy as np
import pytest
from qtest import QTest, drag, qt

pytestmark = pytest.mark.gui


def test_statistics_of_a_rectangle(plot, view, qapp):
    plot.setView(view)
    (dock,) = [dock for dock in plot.findChildren(qt.QDockWidget) if "rectangles" in dock.windowTitle()]
    assert dock.isHidden()
    next(a for a in plot.findChildren(qt.QAction) if a.toolTip() == "Statistics of a rectangle").trigger()
    drag(plot, (20, 30), (50, 90))
    QTest.qWait(50)
    assert dock.isVisible()
    table = dock.findChild(qt.QTableWidget)
    cells = {table.horizontalHeaderItem(k).text().lower(): table.item(0, k).text() for k in range(table.columnCount())}
    inside = view.image.data[20:51, 30:91]
    assert float(cells["mean"]) == pytest.approx(np.mean(inside), rel=0.05)


def test_profile_and_histogram_are_at_hand(plot, view):
    plot.setView(view)
    assert plot.getIntensityHistogramAction().isVisible()
    plot.getIntensityHistogramAction().trigger()
    plot.getIntensityHistogramAction().getHistogramWidget().close()
