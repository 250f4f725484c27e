"""What is computed and drawn when, and what stops it."""

from __future__ import annotations

import threading

import pytest
from qtest import LEFT, QTest, write
from scenes import hole

pytestmark = pytest.mark.gui


def test_the_image_is_seen_before_its_spots(go, wait, image):
    seen = []
    go.task.sigViewChanged.connect(lambda view: seen.append((view.image is not None, view.spots is not None)))
    go.load()
    assert seen[:2] == [(True, False), (True, True)]


def test_without_update_nothing_is_fitted(go):
    task, (y, x) = go.calibrated(), hole()
    task.panel.autoBox.setChecked(False)
    task.workspace.toggle_spot(y, x)
    go.idle()
    assert task.view().fit is None
    assert task.view().spots is not None
    assert "Not calibrated" in task.panel.verdict.text()
    task.actionsByName["calibrate"].trigger()
    go.idle()
    assert task.view().fit is not None


def test_undone_to_nothing_and_done_again(go):
    task = go.calibrated()
    spots = len(task.view().spots)
    while task.workspace.can_undo:
        task.workspace.undo()
    go.idle()
    assert task.plot.getImage("image") is None
    while task.workspace.can_redo:
        task.workspace.redo()
    go.idle()
    assert task.plot.getImage("image") is not None
    assert len(task.view().spots) == spots


def test_cancel(go, wait, monkeypatch):
    go.load()
    task, held = go.task, threading.Event()
    real = task.core.index
    monkeypatch.setattr(task.core, "index", lambda *args: (held.wait(10), real(*args))[1])
    write(task.panel.editor("pitch"), "1.4mm")  # all that is needed is there
    wait(lambda: task.panel.progressText.text() == "indexing image", 10, "the stage that is held")
    assert task.panel.cancelButton.isEnabled()
    QTest.mouseClick(task.panel.cancelButton, LEFT)
    assert not task.worker.isBusy
    assert not task.panel.cancelButton.isEnabled()
    held.set()
    task.actionsByName["calibrate"].trigger()
    wait(lambda: task.view().fit is not None, what="the next run")
