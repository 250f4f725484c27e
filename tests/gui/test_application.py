"""The application of a process is one, and windows come back in the size they had."""

from __future__ import annotations

import signal

import pytest
from qtest import qt

from pyfai_gridcal.gui.application import application, run_application

pytestmark = pytest.mark.gui


def test_there_is_one_application(qapp):
    assert application() is qapp
    assert qapp.applicationName() == "pyFAI-gridcal"
    assert not qapp.windowIcon().isNull()


def test_size_is_kept_until_the_next_time(qapp, tmp_path):
    store = qt.QSettings(str(tmp_path / "sizes.ini"), qt.QSettings.Format.IniFormat)
    handler = signal.getsignal(signal.SIGINT)
    for wanted in ((512, 307), None):
        window = qt.QMainWindow()
        if wanted:
            window.resize(*wanted)
        else:
            window.resize(200, 200)
        shown = []

        def end(window=window, shown=shown):
            shown.append((window.width(), window.height()))
            window.close()
            qapp.quit()

        qt.QTimer.singleShot(50, end)
        assert run_application(qapp, window, store) == 0
        assert shown == [(512, 307)]
        window.deleteLater()
    assert signal.getsignal(signal.SIGINT) is handler, "Ctrl+C means again what it meant before"
