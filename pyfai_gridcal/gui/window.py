"""The task alone in a small window, for those who only want the detector file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from silx.gui import qt

from .application import BACKENDS, application, fit_screen, run_application, settings
from .distortion_widget import DistortionWidget
from .drawing.artwork import icon
from .drawing.plot import LAYERS
from .panels.messages import question_box
from .work.core import Core


class GridcalWindow(qt.QMainWindow):  # type: ignore[misc]
    """Main window around a :class:`~pyfai_gridcal.gui.distortion_widget.DistortionWidget`."""

    def __init__(self, backend: str | None = None, *, core: Core | None = None):
        super().__init__()
        self.task = DistortionWidget(self, backend=backend, core=core)
        self.setCentralWidget(self.task)
        self.setWindowIcon(icon("gridcal"))
        self._setTitle("")
        self.task.sigTitleChanged.connect(self._setTitle)
        self._closing = False
        self._makeMenus()
        fit_screen(self, 1440, 960)

    def _setTitle(self, name: str) -> None:
        self.setWindowTitle(f"{name} - pyFAI-gridcal" if name else "pyFAI-gridcal")

    def _makeMenus(self) -> None:
        task, named = self.task, self.task.actionsByName
        close = qt.QAction("Quit", self)
        close.setShortcut(qt.QKeySequence(qt.QKeySequence.StandardKey.Quit))
        close.triggered.connect(self.close)
        export = qt.QMenu("Export", self)
        export.addActions(task.panel.exportButton.menu().actions())
        # None is a line between what is above and below.
        menus: dict[str, list[qt.QAction | None]] = {
            "&File": [
                named["open"],
                named["open-result"],
                task.recent.menuAction(),
                named["save"],
                export.menuAction(),
                None,
                close,
            ],
            "&Edit": [named["undo"], named["redo"], None, *task.plot.tools.actions()],
            "&View": [task.layers.action(name) for name in LAYERS],
            "&Calibration": [named["calibrate"], named["cancel"]],
        }
        for title, actions in menus.items():
            menu = self.menuBar().addMenu(title)
            for action in actions:
                menu.addSeparator() if action is None else menu.addAction(action)

    def mayClose(self) -> bool:
        """Ask about unsaved work; saves it when the user wants that."""
        if not self.task.isModified():
            return True
        buttons = qt.QMessageBox.StandardButton
        able = self.task.workspace.calibration is not None
        answer = question_box(self, "The work on this image is not saved.", save=able)
        if answer == buttons.Save:
            # Writing takes a while: the window closes when it is done.
            self.task.document.sigSaved.connect(self._closeNow, qt.Qt.ConnectionType.UniqueConnection)
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
        self.task.stop()
        event.accept()


def main(images: Sequence[str], *, backend: str, given: Mapping[str, Any], files: Mapping[str, str | None]) -> int:
    """Open the window on images (exposures of one plate) or on a result file, with settings and files (dark, flat,
    mask) that were given."""
    app = application()
    window = GridcalWindow(BACKENDS[backend])
    if not window.task.takeUp():
        begin(window.task, images, given, files)
    return run_application(app, window, settings("gui"))


def begin(
    task: DistortionWidget, images: Sequence[str], given: Mapping[str, Any], files: Mapping[str, str | None]
) -> None:
    """Open what the command line names."""
    task.workspace.set_settings(**given)
    task.workspace.set_files(**files)
    if images:
        task.openFiles(images)
    task.workspace.forget_past()
