"""The window: what it asks before it closes, and what the command line opens in it."""

from __future__ import annotations

import pytest
from qtest import QTest, qt, write

from pyfai_gridcal.cli import main as command

pytestmark = pytest.mark.gui


def test_closing_asks_when_there_is_something_to_lose(go, window, monkeypatch):
    go.calibrated()
    asked = []
    answers = [qt.QMessageBox.StandardButton.Cancel, qt.QMessageBox.StandardButton.Discard]
    monkeypatch.setattr(
        qt.QMessageBox, "question", staticmethod(lambda *args: (asked.append(args[2]), answers.pop(0))[1])
    )
    assert not window.close()
    assert window.isVisible()
    assert window.close()
    assert len(asked) == 2


def test_closing_says_nothing_when_all_is_saved(go, window, wait, tmp_path, monkeypatch):
    task = go.calibrated()
    task.document.save(str(tmp_path / "d.h5"))
    wait(lambda: not task.isModified())
    monkeypatch.setattr(qt.QMessageBox, "question", staticmethod(lambda *args: pytest.fail("it asked")))
    assert window.close()


def test_command_line_opens_what_it_names(go, image, wait, monkeypatch):
    from pyfai_gridcal.gui import window as module

    task, seen = go.task, {}
    monkeypatch.setattr(module, "main", lambda images, **options: seen.update(images=images, **options) or 0)
    words = ["gui", str(image), "--pitch", "1.4mm", "--mask", str(image), "--model", "spline", "--gl"]
    assert command(words) == 0
    assert seen["backend"] == "opengl"
    module.begin(task, seen["images"], seen["given"], {**seen["files"], "mask": None})
    assert task.workspace.state.settings.pitch == (0.0014, 0.0014)
    assert task.workspace.state.settings.model == "spline"
    assert task.panel.editor("model").currentText() == "spline"
    wait(lambda: task.view() is not None and task.view().spots is not None, what="spots")
    assert task.workspace.can_undo is None, "one undo too many would unload the image"


def test_keys_are_heard_wherever_the_focus_is(go, window, monkeypatch):
    """Not by silx's own action of the same key, and not as the first letter of a choice."""
    task, saved = go.task, []
    go.load()
    monkeypatch.setattr(task.dialogs, "save", lambda: saved.append(1))
    task.actionsByName["save"].triggered.connect(lambda: saved.append(2))
    window.activateWindow()
    for number, widget in enumerate(
        (task.plot, task.plot.getWidgetHandle(), task.layers.maps, task.panel.editor("model"))
    ):
        widget.setFocus()
        QTest.keyClick(widget, qt.Qt.Key.Key_S, qt.Qt.KeyboardModifier.ControlModifier)
        assert saved.count(2) == number + 1
        before = widget.currentIndex() if isinstance(widget, qt.QComboBox) else None
        for key, tool in ((qt.Qt.Key.Key_R, "select-spot"), (qt.Qt.Key.Key_A, "add-spot")):
            QTest.keyClick(widget, key)
            assert task.plot.tools.tool() == tool, widget
        assert before == (widget.currentIndex() if isinstance(widget, qt.QComboBox) else None)
    task.plot.getMaskToolsDockWidget().show()
    QTest.keyClick(task.plot, qt.Qt.Key.Key_R)
    assert task.plot.tools.tool() == "select-spot", "the rectangle of the mask has the same letter"
    edit = task.panel.editor("pitch")
    edit.setFocus()
    QTest.keyClicks(edit, "3mm")
    assert edit.text() == "3mm"


def test_calibrated_as_soon_as_image_and_pitch_are_known(go, wait):
    go.load()
    assert go.task.view().fit is None
    write(go.task.panel.editor("pitch"), "1.4mm")
    wait(lambda: go.task.view().fit is not None, what="the calibration")


def test_the_window_fits_a_small_screen(window):
    assert window.minimumSizeHint().width() <= 1280
    assert window.minimumSizeHint().height() <= 700
