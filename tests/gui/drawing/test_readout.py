"""What the mouse points at."""

from __future__ import annotations

import pytest
import scenes
from qtest import QTest, at, qt
from scenes import hole

pytestmark = pytest.mark.gui


def test_what_the_mouse_points_at(go):
    task, (y, x) = go.calibrated(), hole()
    text = task.plot.spots.wordsAt(x + 0.5, y + 0.5)
    assert "residual" in text
    assert text.startswith("(")
    assert task.plot.readout.valueAt(x + 0.5, y + 0.5) == f"{scenes.small().image[round(y), round(x)]:g}"
    assert task.plot.readout.valueAt(-3, 5) == "-"


def test_spot_under_the_mouse_is_told_in_full(go, window):
    window.resize(1280, 860)
    task, (y, x) = go.calibrated(), hole()
    QTest.mouseMove(task.plot.getWidgetHandle(), at(task.plot, y, x))
    label = task.plot.findChild(qt.QLabel, "plot-spot")
    assert label.text() == f"<b>Spot:</b> {task.plot.spots.wordsAt(x + 0.5, y + 0.5)}"
    assert "sigma" in label.text()
    assert label.width() >= label.sizeHint().width()
