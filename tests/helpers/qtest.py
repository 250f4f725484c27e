"""Qt for the tests of windows: where it is missing they are skipped, with the hint how to get it."""

from __future__ import annotations

import pytest

for _name in ("PySide6", "qtawesome"):
    pytest.importorskip(_name, reason=f"{_name} is missing: python3 -m pip install 'pyfai-gridcal[gui]'")

from PySide6.QtTest import QTest  # noqa: E402
from silx.gui import qt  # noqa: E402

LEFT = qt.Qt.MouseButton.LeftButton

__all__ = ["LEFT", "QTest", "at", "click", "drag", "kept", "qt", "write"]


def at(plot, y, x):
    """Place of a pixel (index frame) on the widget of a plot, once all that is pending was drawn."""
    before = None
    while before != (now := (plot.getXAxis().getLimits(), plot.getPlotBoundsInPixels())):
        before = now
        plot.replot()
        QTest.qWait(60)
    left, top = plot.dataToPixel(x + 0.5, y + 0.5)
    return qt.QPoint(round(left), round(top))


def click(plot, y, x):
    """Click on a pixel of a plot."""
    widget, place = plot.getWidgetHandle(), at(plot, y, x)
    QTest.mouseMove(widget, place)
    QTest.mouseClick(widget, LEFT, pos=place)


def drag(plot, start, end):
    """Drag from a pixel (y, x) of a plot to another."""
    widget, first, last = plot.getWidgetHandle(), at(plot, *start), at(plot, *end)
    QTest.mouseMove(widget, first)
    QTest.mousePress(widget, LEFT, pos=first)
    for part in (0.3, 0.7, 1.0):
        QTest.mouseMove(widget, first + part * (last - first))
    QTest.mouseRelease(widget, LEFT, pos=last)


def write(edit, text):
    """Write into a line and press Return."""
    edit.clear()
    QTest.keyClicks(edit, text)
    QTest.keyClick(edit, qt.Qt.Key.Key_Return)


def kept(task):
    """How many spots of the first exposure are used."""
    return int(task.workspace.results().exposures[0].kept.sum())
