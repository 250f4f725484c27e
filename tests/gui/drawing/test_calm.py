"""No axes that nobody reads, and a wheel that changes nothing while it passes by."""

from __future__ import annotations

import pytest
from qtest import QTest, qt

from pyfai_gridcal.gui.drawing.calm import when_calm

pytestmark = pytest.mark.gui


def wheel(widget):
    """Turn the wheel over the middle of a widget; returns whether it took the turn."""
    place = qt.QPointF(widget.rect().center())
    event = qt.QWheelEvent(
        place, widget.mapToGlobal(place), qt.QPoint(0, 0), qt.QPoint(0, -120), qt.Qt.MouseButton.NoButton,
        qt.Qt.KeyboardModifier.NoModifier, qt.Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    event.ignore()
    qt.QApplication.sendEvent(widget, event)
    return event.isAccepted()


def test_the_wheel_is_left_to_the_panel_and_changes_nothing(go):
    task = go.calibrated()
    panel, before = task.panel, task.workspace.state
    for widget in (panel.editor("model"), panel.exposures, panel.quality.histogram.getWidgetHandle()):
        limits = panel.quality.histogram.getXAxis().getLimits()
        assert not wheel(widget), "it goes on to what is around"
        assert panel.quality.histogram.getXAxis().getLimits() == limits
    assert panel.editor("model").currentText() == "auto"
    assert task.workspace.state is before
    limits = task.plot.getXAxis().getLimits()
    wheel(task.plot.getWidgetHandle())
    assert task.plot.getXAxis().getLimits() != limits, "the image is zoomed by the wheel"


def test_axes_are_not_drawn(go):
    """They would be moved out of the picture only, and their ticks come back where the aspect is kept."""
    go.load()
    backend = go.task.plot.getBackend()
    assert not backend.ax.axison
    assert not backend.ax2.axison


def test_many_changes_make_one_update(qapp, wait):
    owner, done = qt.QObject(), []
    timer = when_calm(owner, 30, lambda: done.append(1))
    for _ in range(5):
        timer.start()
        qapp.processEvents()
    assert not done
    wait(lambda: done, 5, "the update")
    QTest.qWait(60)
    assert done == [1]
