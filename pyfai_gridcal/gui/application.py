"""What all our programs with windows share: the application, its settings, its end."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from collections.abc import Sequence

import silx.gui.utils.matplotlib  # noqa: F401  (before Qt draws with matplotlib)
from silx.gui import qt

from ..base.errors import UsageError
from .drawing.artwork import icon, register

#: Plot backends by the name that the user gives.
BACKENDS = {"matplotlib": "mpl", "opengl": "gl"}
#: Height of the title of a window, generously.
TITLE_PX = 40


def application(arguments: Sequence[str] = ()) -> qt.QApplication:
    """The application of this process, made if there is none yet.

    Raises
    ------
    UsageError
        No window can be opened here.
    """
    app = qt.QApplication.instance()
    if app is None:
        check_screen()
        app = qt.QApplication([sys.argv[0], *arguments])
    app.setApplicationName("pyFAI-gridcal")
    app.setWindowIcon(icon("gridcal"))
    register()
    return app


def check_screen() -> None:
    """Say what is missing where Qt would end the program: most often a library that plain Debian does not bring.

    Raises
    ------
    UsageError
        Qt's windows for X11 cannot be loaded.
    """
    wanted = os.environ.get("QT_QPA_PLATFORM", "" if os.environ.get("WAYLAND_DISPLAY") else "xcb")
    plugin = f"{qt.QLibraryInfo.path(qt.QLibraryInfo.LibraryPath.PluginsPath)}/platforms/libqxcb.so"
    if wanted.startswith("xcb") and os.path.exists(plugin):
        try:
            ctypes.CDLL(plugin)
        except OSError as error:
            hint = "sudo apt install libxcb-cursor0 (Debian, Ubuntu), or sudo dnf install xcb-util-cursor"
            raise UsageError(f"no window can be opened: {error}", hint=hint) from None


def settings(name: str) -> qt.QSettings:
    """Where a program of ours keeps sizes and recent choices of the user."""
    return qt.QSettings(qt.QSettings.Format.IniFormat, qt.QSettings.Scope.UserScope, "pyfai", f"gridcal-{name}")


def fit_screen(window: qt.QWidget, width: int, height: int) -> None:
    """Give a window a size at which all of it is in sight, with its title and the bars of the desktop."""
    window.resize(qt.QSize(width, height).boundedTo(window.screen().availableSize() - qt.QSize(0, TITLE_PX)))


def _spare_the_loaded() -> None:
    """Keep Python's collector of garbage from what has been loaded by now.

    Looking through all of it, as it does now and then, stops a window for a tenth of a second.
    """
    gc.collect()
    gc.freeze()


def run_application(app: qt.QApplication, window: qt.QMainWindow, store: qt.QSettings | None = None) -> int:
    """Show a window until it is closed, with the size that it had the last time; Ctrl+C in the terminal closes it too.

    pyFAI's windows keep their size themselves: they have no `store`.
    """
    if store is not None and store.value("geometry") is not None:
        window.restoreGeometry(store.value("geometry"))
    before = signal.signal(signal.SIGINT, lambda *_: window.close())
    # Python sees a signal only while it runs: let it, now and then.
    ticks = qt.QTimer()
    ticks.timeout.connect(lambda: None)
    ticks.start(300)
    _spare_the_loaded()
    try:
        window.show()
        return int(app.exec())
    finally:
        if store is not None:
            store.setValue("geometry", window.saveGeometry())
        ticks.stop()
        signal.signal(signal.SIGINT, before)
