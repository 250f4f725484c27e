"""The task in pyFAI-calib2 hands on a detector only when the user says so."""

from __future__ import annotations

import pytest
from qtest import qt  # noqa: F401

from pyfai_gridcal.gui.task import DistortionTask

pytestmark = pytest.mark.gui


@pytest.fixture
def task(qapp, keep):
    task = keep(DistortionTask())
    yield task
    task.aboutToClose()


def test_nothing_to_use_at_first(task):
    assert task.windowTitle() == "Distortion"
    assert not task.useButton.isEnabled()
    assert task.nextStepWarning() is None
    assert task.mayClose()


def test_a_refused_file_writes_nothing(task, monkeypatch):
    monkeypatch.setattr(task.widget.dialogs, "target", lambda title: None)
    monkeypatch.setattr(task.widget.document, "save", lambda *args, **more: pytest.fail("it wrote"))
    task.use()


def test_written_and_handed_on(task, monkeypatch):
    done = []
    monkeypatch.setattr(task.widget.dialogs, "target", lambda title: "d.h5")
    monkeypatch.setattr(task.widget.document, "save", lambda path, then: (done.append(path), then(path)))
    monkeypatch.setattr(task, "hand", lambda path: done.append(("handed", path)))
    task.use()
    assert done == ["d.h5", ("handed", "d.h5")]
