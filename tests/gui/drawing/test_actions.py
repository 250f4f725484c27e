"""Actions say what they do, hear their keys and keep their icons in sight."""

from __future__ import annotations

import pytest
from qtest import QTest, qt

from pyfai_gridcal.gui.drawing.actions import Command, IconBar, make_action

pytestmark = pytest.mark.gui


def test_an_action_of_a_command(qapp, keep, wait):
    owner, done = keep(qt.QMainWindow()), []
    inside = qt.QLineEdit()
    owner.setCentralWidget(inside)
    owner.activateWindow()
    inside.setFocus()
    wait(inside.hasFocus, 5, "the focus")
    action = make_action(owner, "action-go", Command("Go", "Goes on", "Ctrl+G"), lambda: done.append("gone"))
    assert action in owner.actions()
    assert action.toolTip() == "<b>Go</b> (Ctrl+G)<br/>Goes on"
    QTest.keyClick(inside, qt.Qt.Key.Key_G, qt.Qt.KeyboardModifier.ControlModifier)
    assert done == ["gone"]


def test_buttons_of_a_bar(qapp, keep):
    bar, seen = keep(IconBar("test", "Test", None)), []
    bar.addCommand("layer-grid", Command("Grid"), seen.append, on=True)
    action = bar.action("layer-grid")
    assert action.isChecked()
    action.trigger()
    assert seen == [False]
    before = action.icon().pixmap(32, 32).toImage()
    palette = qt.QPalette()
    palette.setColor(qt.QPalette.ColorRole.WindowText, qt.QColor("#20e020"))
    bar.setPalette(palette)
    assert action.icon().pixmap(32, 32).toImage() != before
