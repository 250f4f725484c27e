"""Tools are taken in hand by keys and put away by the modes of the plot."""

from __future__ import annotations

import pytest
from qtest import QTest, qt

pytestmark = pytest.mark.gui


def test_shortcuts_of_tools(go, wait):
    go.load()
    go.task.plot.setFocus()
    QTest.keyClick(go.task.plot, qt.Qt.Key.Key_E)
    assert go.task.plot.tools.tool() == "exclude-rectangle"
    assert go.task.plot.getInteractiveMode()["mode"] == "draw"
    go.task.plot.setInteractiveMode("pan")
    assert go.task.plot.tools.tool() is None, "another mode puts the tool away"
