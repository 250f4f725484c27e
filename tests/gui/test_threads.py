"""All of Qt begins and ends in the thread of the windows."""

from __future__ import annotations

import threading
import time

import pytest
from qtest import qt
from scenes import hole

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


@pytest.mark.slow
def test_fifty_saves_under_load_with_dialogs_left_open(go, window, wait, qapp, tmp_path, capfd):
    """The walk in which the window once died: each save in a dialog that is left open while the work goes on."""
    task, deaths, saved = go.calibrated(), [], []
    task.document.sigSaved.connect(saved.append)
    watch(deaths, window)

    def answer():
        for dialog in [w for w in qapp.topLevelWidgets() if isinstance(w, qt.QFileDialog) and w.isVisible()]:
            if time.monotonic() - opened[0] > 0.3:
                dialog.accept()
        for dialog in [w for w in qapp.topLevelWidgets() if isinstance(w, ImageFileDialog) and w.isVisible()]:
            watch(deaths, dialog)
            dialog.reject()

    from silx.gui.dialog.ImageFileDialog import ImageFileDialog

    timer, opened = qt.QTimer(), [0.0]
    timer.timeout.connect(answer)
    timer.start(20)
    stop = threading.Event()

    def burden():
        while not stop.wait(0.05):
            make_garbage(None)

    load = threading.Thread(target=burden)
    load.start()
    for k in range(50):
        task.panel.files["dark"].choose()
        task.tabs.setCurrentIndex(k % 2)
        if k % 10 == 0:
            task.workspace.toggle_spot(*hole())
            go.idle()
        task.document._file = str(tmp_path / f"{k}.h5")
        opened[0] = time.monotonic()
        task.actionsByName["save"].trigger()
        wait(lambda k=k: len(saved) == k + 1, what="the file")
    stop.set()
    load.join()
    timer.stop()
    assert len(list(tmp_path.iterdir())) == 50, "and nothing else"
    assert any("FileSystemModel" in name for name, _ in deaths)
    assert {thread for _, thread in deaths} == {threading.main_thread()}
    assert "QSocketNotifier" not in capfd.readouterr().err
