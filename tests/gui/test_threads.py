"""All of Qt begins and ends in the thread of the windows."""

from __future__ import annotations

import threading

import pytest
from qtest import qt

pytestmark = pytest.mark.gui


def watch(deaths, *roots):
    """Note in which thread objects die."""
    for root in roots:
        for one in (root, *root.findChildren(qt.QObject)):
            name = f"{type(one).__name__} {one.objectName()}"
            one.destroyed.connect(
                lambda *_, name=name: deaths.append((name, threading.current_thread())),
                qt.Qt.ConnectionType.DirectConnection,
            )


def make_garbage(_progress):
    """What calls for Python's collector in the thread of the work."""
    for _ in range(20_000):
        one: list = []
        one.append(one)


def test_no_object_of_qt_dies_in_another_thread(go, window, wait, qapp):
    """A file dialog that ended in the garbage, collected by the thread of the work, took the program with it."""
    from silx.gui.dialog.ImageFileDialog import ImageFileDialog

    from pyfai_gridcal.gui.worker import BackgroundJob

    deaths, done, task = [], [], go.task

    def leave():
        for dialog in [w for w in qapp.topLevelWidgets() if isinstance(w, ImageFileDialog) and w.isVisible()]:
            watch(deaths, dialog)
            dialog.reject()

    timer = qt.QTimer()
    timer.timeout.connect(leave)
    timer.start(20)

    watch(deaths, window)
    for _ in range(2):
        task.panel.files["dark"].choose()
    timer.stop()
    qapp.sendPostedEvents(None, qt.QEvent.Type.DeferredDelete.value)  # a running application does it by itself
    task.worker.start(BackgroundJob("garbage", make_garbage, done.append))
    wait(lambda: done)
    wait(lambda: any("FileSystemModel" in name for name, _ in deaths), 5, "the end of the dialogs")
    assert not task.findChildren(qt.QDialog), "dialogs that go on watching their folder"
    widget = qt.QWidget()
    hold = threading.Event()
    watch(deaths, widget)
    job = BackgroundJob("held", lambda _, widget=widget: hold.wait(5), lambda _, widget=widget: done.append(1))
    task.worker.start(job)
    del widget, job
    task.worker.cancel()
    hold.set()
    wait(lambda: ("QWidget ", threading.main_thread()) in deaths, 5, "the widget that a job held")
    task.stop()
    assert task.worker.wait()
    assert {thread for _, thread in deaths} == {threading.main_thread()}
