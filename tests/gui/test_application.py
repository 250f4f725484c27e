"""The application of a process is one, and windows come back in the size they had."""

from __future__ import annotations

import signal

import pytest
from qtest import qt

from pyfai_gridcal.gui.application import application, fit_screen, run_application

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


def test_a_missing_library_of_the_screen_is_said(monkeypatch, capsys):
    """Qt ends the program with a word on a plugin that is there; Debian lacks libxcb-cursor0."""
    from pyfai_gridcal.cli import main as command
    from pyfai_gridcal.gui import application as module

    lost = "libxcb-cursor.so.0: cannot open shared object file: No such file or directory"

    def load(name):
        assert name.endswith("libqxcb.so")
        raise OSError(lost)

    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    module.check_screen()
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    monkeypatch.setattr(module.os.path, "exists", lambda path: True)
    monkeypatch.setattr(module.ctypes, "CDLL", load)
    monkeypatch.setattr(qt.QApplication, "instance", staticmethod(lambda: None))
    assert command(["gui"]) == 2
    told = capsys.readouterr().err
    assert lost in told
    assert "apt install libxcb-cursor0" in told


def test_a_window_is_no_larger_than_its_screen(qapp):
    window, screen = qt.QWidget(), qapp.primaryScreen().availableSize()
    fit_screen(window, 400, 300)
    assert (window.width(), window.height()) == (400, 300)
    fit_screen(window, 4000, 3000)
    assert window.width() == screen.width()
    assert window.height() < screen.height(), "its title is in sight, too"
