"""The task alone in a small window, for those who only want the detector file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from silx.gui import qt

from .application import BACKENDS, application, run_application, settings
from .distortion_widget import DistortionWidget
from .drawing.artwork import icon
from .drawing.plot import LAYERS
from .panels.messages import question_box

__all__ = ["GridcalWindow", "main"]


class GridcalWindow(qt.QMainWindow):  # type: ignore[misc]
    """Main window around a :class:`~pyfai_gridcal.gui.distortion_widget.DistortionWidget`."""

    def __init__(self, backend: str | None = None, *, store: qt.QSettings | None = None, core: Any = None):
        super().__init__()
        self._store = store
        self.task = DistortionWidget(self, backend=backend, core=core)
        self.setCentralWidget(self.task)
        self.setWindowIcon(icon("gridcal"))
        self._setTitle("")
        self.task.sigTitleChanged.connect(self._setTitle)
        self._closing = False
        self._makeMenus()
        self.resize(1280, 860)
        if store is not None:
            geometry = store.value("geometry")
            if geometry is not None:
                self.restoreGeometry(geometry)

    def _setTitle(self, name: str) -> None:
        self.setWindowTitle(f"{name} - pyFAI-gridcal" if name else "pyFAI-gridcal")

    def _makeMenus(self) -> None:
        actions = self.task.actionsByName
        menu = self.menuBar().addMenu("&File")
        for name in ("open", "open-result", "save"):
            menu.addAction(actions[name])
        export = menu.addMenu("Export")
        for action in self.task.panel.exportButton.menu().actions():
            export.addAction(action)
        menu.addSeparator()
        close = menu.addAction("Quit")
        close.setShortcut(qt.QKeySequence(qt.QKeySequence.StandardKey.Quit))
        close.triggered.connect(self.close)
        menu = self.menuBar().addMenu("&Edit")
        for name in ("undo", "redo"):
            menu.addAction(actions[name])
        menu.addSeparator()
        for action in self.task.plot.tools.actions():
            menu.addAction(action)
        menu = self.menuBar().addMenu("&View")
        for name in LAYERS:
            menu.addAction(self.task.layers.action(name))
        menu = self.menuBar().addMenu("&Calibration")
        for name in ("calibrate", "cancel"):
            menu.addAction(actions[name])

    def mayClose(self) -> bool:
        """Ask about unsaved work; saves it when the user wants that."""
        if not self.task.isModified():
            return True
        buttons = qt.QMessageBox.StandardButton
        able = self.task.workspace.results().calibration is not None
        answer = question_box(self, "The work on this image is not saved.", save=able)
        if answer == buttons.Save:
            # Writing takes a while: the window closes when it is done.
            self.task.sigSaved.connect(self._closeNow, qt.Qt.ConnectionType.UniqueConnection)
            self.task.dialogs.save()
            return False
        return bool(answer == buttons.Discard)

    def _closeNow(self, _path: str) -> None:
        self._closing = True
        self.close()

    def closeEvent(self, event: qt.QCloseEvent) -> None:
        """Close only when no work is lost that the user wants to keep."""
        if not self._closing and not self.mayClose():
            event.ignore()
            return
        if self._store is not None:
            self._store.setValue("geometry", self.saveGeometry())
        self.task.stop()
        event.accept()


def main(images: Sequence[str] = (), *, backend: str = "matplotlib", given: dict[str, Any] | None = None) -> int:
    """Open the window on images (exposures of one plate) or on a result file, with settings that were given."""
    app = application()
    window = GridcalWindow(BACKENDS[backend], store=settings("gui"))
    begin(window.task, images, given or {})
    return run_application(app, window)


def begin(task: DistortionWidget, images: Sequence[str], given: dict[str, Any]) -> None:
    """Open what the command line names."""
    roles = ("dark", "flat", "mask")
    wanted = {name: value for name, value in given.items() if name not in roles}
    if wanted:
        task.workspace.set_settings(**wanted)
    if any(given.get(role) for role in roles):
        task.workspace.set_files(**{role: given.get(role) for role in roles})
    if len(images) == 1 and task.core.is_result(images[0]):
        task.openResult(images[0])
    elif images:
        task.openImage(images[0])
        for name in images[1:]:
            task.addExposure(name)
