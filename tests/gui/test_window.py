"""The window: what it asks before it closes, and what the command line opens in it."""

from __future__ import annotations

import pytest
from qtest import qt

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
    module.begin(task, seen["images"], {**seen["given"], "mask": None})
    assert task.workspace.state.settings.pitch == (0.0014, 0.0014)
    assert task.workspace.state.settings.model == "spline"
    assert task.panel.editor("model").currentText() == "spline"
    wait(lambda: task.view() is not None and task.view().spots is not None, what="spots")
