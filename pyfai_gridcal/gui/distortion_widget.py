"""The task: plot on the left, panel on the right, and between them the workspace and the thread that does the work."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

import numpy as np
from silx.gui import qt

from ..base.arrays import AnyArray
from ..base.errors import GridcalError
from ..io.nexus.contents import holds_result
from .application import settings
from .comparison import compare_on_demand
from .document import Document
from .drawing.actions import Command, make_action
from .drawing.artwork import icon
from .drawing.compare import BeforeAfter
from .drawing.layerbar import LayerBar
from .drawing.plot import GridPlot
from .hand import Hand
from .keeper import Keeper
from .layouts import column, holder, row, splitter, tabs
from .panels.dialogs import Dialogs
from .panels.files import RecentMenu, dropped_files
from .panels.messages import TITLE, error_box, words_of
from .panels.panel import WorkPanel
from .updates import Updates
from .work.core import Core
from .work.draft import Draft
from .work.state import WorkExposure
from .work.views import WorkView
from .work.workspace import Workspace
from .worker import Worker

_STANDARD = qt.QKeySequence.StandardKey


class DistortionWidget(qt.QWidget):  # type: ignore[misc]
    """Calibrate the distortion of a detector by the image of a grid.

    Everything that is shown comes from the core by way of :class:`~pyfai_gridcal.gui.work.workspace.Workspace`; the
    widget only says what is wanted and draws what there is.

    Attributes
    ----------
    core : the verbs that do the work
    workspace : what the user decided, and what is known from it
    worker : the thread
    updates : what is computed when, and what is drawn now
    document : the file behind the work
    keeper : what keeps the work until it is saved
    plot, layers, compare, panel, dialogs, recent : parts of the window
    """

    #: A :class:`~pyfai_gridcal.gui.work.views.WorkView`, after it was drawn.
    sigViewChanged = qt.Signal(object)
    #: The title to show: name of the image, with a star for unsaved work.
    sigTitleChanged = qt.Signal(str)

    def __init__(self, parent: qt.QWidget | None = None, *, backend: str | None = None, core: Core | None = None):
        super().__init__(parent)
        self.core = core if core is not None else Core()
        self.workspace = Workspace(self.core, Draft())
        self.worker = Worker(self)
        self.document = Document(self.core, self.workspace, self.worker)
        self.keeper = Keeper(self.core, self.document, self)
        self.plot = GridPlot(self, backend=backend)
        self.layers = LayerBar(self.plot, self)
        self.compare = BeforeAfter(self, backend=backend)
        self.panel = WorkPanel(self)
        self.updates = Updates(self.workspace, self.worker, self.layers.map)
        self.dialogs = Dialogs(self, self.document, self.tell)
        self.recent = RecentMenu(settings("gui"), lambda name: self.openFiles([name]), self)
        self._hand = Hand(self.plot, self.workspace, self.updates, self.guarded)
        self.tabs = tabs({"Grid image": holder(column(self.layers, (self.plot, 1), spacing=0)),
                          "Before and after": self.compare})  # fmt: skip
        self.splitter = splitter(self.tabs, self.panel, sizes=[900, 400])
        self.splitter.setCollapsible(0, False)
        row(self.splitter, on=self)
        self._makeActions()
        self._connect()
        self.setAcceptDrops(True)
        self.workspace.listen(self._stateChanged)
        self._stateChanged()

    # -- parts
    def _makeActions(self) -> None:
        table = {
            "open": (Command("Open image...", key=_STANDARD.Open), self.panel.files["image"].choose),
            "open-result": (Command("Open result...", key="Ctrl+Shift+O"), self.dialogs.openResult),
            "save": (Command("Save detector...", key=_STANDARD.Save), self.dialogs.save),
            "undo": (Command("Undo", key=_STANDARD.Undo), self.workspace.undo),
            "redo": (Command("Redo", key="Ctrl+Shift+Z"), self.workspace.redo),
            "calibrate": (Command("Calibrate", key="F5"), self.calibrate),
            "cancel": (Command("Cancel", key="Ctrl+."), self.worker.cancel),
        }
        self.actionsByName = {name: make_action(self, f"action-{name}", *one) for name, one in table.items()}
        for name in ("undo", "redo"):
            self.actionsByName[name].setIcon(icon(name))
            self.layers.addAction(self.actionsByName[name])

        # Their keys are heard beside the plot, too: a choice with the focus would take the letter.
        for beside in (self.tabs.widget(0), self.panel):
            beside.addActions(self.plot.tools.group.actions())

    def _connect(self) -> None:
        panel, workspace, worker = self.panel, self.workspace, self.worker
        for signal, slot in (
            # what the user wants
            (panel.sigSetting, lambda name, value: self.guarded("Settings", workspace.set_settings, **{name: value})),
            (panel.sigFile, self._fileChosen),
            (panel.sigExposure, self.showExposure),
            (panel.sigAddExposure, lambda: self.dialogs.addExposure(self.addExposure)),
            (panel.sigRemoveExposure, self._removeExposure),
            (panel.sigCalibrate, self.calibrate),
            (panel.sigCancel, worker.cancel),
            (panel.sigForgetEdits, lambda: workspace.clear_edits(exposure=self.updates.exposure)),
            (panel.sigSave, self.dialogs.save),
            (panel.sigExport, lambda kind: self.dialogs.export(kind, relative=panel.relativeAction.isChecked())),
            (panel.autoBox.toggled, lambda on: setattr(self.updates, "automatic", on)),
            (self.layers.sigMapChanged, lambda _: self.updates.start(None)),
            # what came of it
            (self.updates.sigView, self._show),
            (self.updates.sigStopped, self._stopped),
            (self.document.sigOpened, self._opened),
            (self.document.sigSaved, self.recent.add),
            (self.document.sigWritten, self._written),
            (worker.sigProgress, panel.setProgress),
            (worker.sigBusyChanged, panel.setBusy),
            (worker.sigCancelled, lambda: panel.progressText.setText("cancelled")),
            (worker.sigFailed, self.tell),
        ):
            signal.connect(slot)
        compare_on_demand(self.compare, self.view, self.core, worker)

    # -- the user's wishes
    def openImage(self, name: str) -> None:
        """Begin with an image: its spots are looked for at once."""
        self._begin(WorkExposure(name))

    def setArray(self, array: AnyArray, name: str = "array") -> None:
        """Begin with an image that is in memory already, (ny, nx)."""
        self._begin(WorkExposure(name, np.asarray(array)))

    def openFiles(self, names: Sequence[str]) -> None:
        """Open a result, or the image in a file; further files are further exposures."""
        if holds_result(names[0]):
            self.document.open(names[0])
            return
        self.openImage(names[0])
        for name in names[1:]:
            self.addExposure(name)

    def takeUp(self) -> bool:
        """Offer the work of a window that came to a bad end; whether the user goes on with it."""
        yes, no, later = (getattr(qt.QMessageBox.StandardButton, name) for name in ("Yes", "Discard", "Cancel"))
        for path in self.keeper.left():
            when = time.ctime(path.stat().st_mtime)
            text = f"A window ended before its work was saved ({when}). Go on with it?\n\nCancel asks again next time."
            answer = qt.QMessageBox.question(self, TITLE, text, yes | no | later, yes)
            if answer == yes:
                self.document.open(str(path.replace(self.keeper.path)), kept=True)
                return True
            if answer == no:
                path.unlink(missing_ok=True)
        return False

    def addExposure(self, name: str) -> None:
        """Add another exposure of the same plate."""
        exposures = self.workspace.state.exposures
        self.updates.exposure = len(exposures)
        self.workspace.set_exposures((*exposures, WorkExposure(name)))

    def showExposure(self, number: int) -> None:
        """Show one of several exposures."""
        if number != self.updates.exposure and 0 <= number < len(self.workspace.state.exposures):
            self.updates.exposure = number
            self._stateChanged()

    def calibrate(self) -> None:
        """Do all that is needed for a calibration."""
        self.guarded("Calibrate", self._calibrate)

    def _calibrate(self) -> None:
        self.panel.commit()
        self.updates.wanted = "calibration"
        self.updates.start("calibration", asked=True)

    def view(self) -> WorkView | None:
        """What is drawn."""
        return self.updates.view

    def isModified(self) -> bool:
        """Whether there is work that no file holds."""
        return self.workspace.is_modified

    def _begin(self, *exposures: WorkExposure) -> None:
        self.updates.begin("found")
        self.workspace.set_exposures(exposures)
        self.recent.add(exposures[0].source)

    def _fileChosen(self, role: str, name: str | None) -> None:
        exposures = list(self.workspace.state.exposures)
        if role != "image":
            self.workspace.set_files(**{role: name})
        elif name is None:
            self.workspace.set_exposures(())
        elif len(exposures) > 1:
            exposures[self.updates.exposure] = WorkExposure(name)
            self.workspace.set_exposures(tuple(exposures))
        else:
            self.openImage(name)

    def _removeExposure(self) -> None:
        exposures = list(self.workspace.state.exposures)
        del exposures[self.updates.exposure]
        self.updates.exposure = 0
        self.workspace.set_exposures(tuple(exposures))

    # -- what came of it
    def _opened(self) -> None:
        self.updates.begin("calibration")
        self._stateChanged()
        if file := self.document.file():
            self.recent.add(file)

    def _written(self, names: str) -> None:
        self.panel.setResult(f"written: {names}")
        self.panel.setProgress(0.0, "written")

    def _stateChanged(self) -> None:
        """Show what the user decided; what follows from it comes later, by :meth:`_show`."""
        state, panel = self.workspace.state, self.panel
        number = self.updates.exposure = min(self.updates.exposure, max(0, len(state.exposures) - 1))
        self.document.exposure = number
        panel.setSettings(state.settings)
        panel.files["image"].setName(state.exposures[number].source if state.exposures else None)
        for role in ("dark", "flat", "mask"):
            panel.files[role].setName(getattr(state, role))
        names = [os.path.basename(exposure.source) for exposure in state.exposures]
        panel.setExposures(names, number)
        for name, step in (("undo", self.workspace.can_undo), ("redo", self.workspace.can_redo)):
            action = self.actionsByName[name]
            action.setEnabled(step is not None)
            action.setText(f"{name.capitalize()} {step}" if step else name.capitalize())
        if names and state.settings.pitch is not None:
            self.updates.wanted = "calibration"  # all that is needed is there
        if names:
            self.sigTitleChanged.emit(names[0] + ("*" if self.isModified() else ""))
        else:
            self.plot.clearImage()
        self.updates.follow()

    def _show(self, view: WorkView, old: WorkView | None) -> None:
        exposures = self.workspace.state.exposures
        self.plot.setView(view)
        if exposures and view.image is not None:
            self.plot.drawnMask.setValue(exposures[view.exposure].drawn)
        self.panel.setView(view, edits=len(exposures[view.exposure].edits) if exposures else 0)
        if old is None or old.fit is not view.fit:
            self.compare.setPair(None)
            self.keeper.timer.start()
        self.sigViewChanged.emit(view)

    # -- errors and ends
    def _stopped(self, error: Exception, asked: bool) -> None:
        """A stage failed: told in a box when the user asked for it, beside the progress bar when it came along."""
        if self.workspace.can_undo == "add spot":
            # There is no hole where the user clicked.
            self.workspace.undo()
            asked = True
        self.panel.setProgress(0.0, words_of(error))
        if asked:
            self.tell(error, "Calibrate")

    def guarded(self, doing: str, step: Callable[..., object], *given: object, **values: object) -> None:
        """Do a step; what is wrong with it is told."""
        try:
            step(*given, **values)
        except GridcalError as error:
            self.tell(error, doing)

    def tell(self, error: BaseException, doing: str) -> None:
        """Open a box with an error."""
        self.panel.setProgress(0.0, words_of(error))
        error_box(self, error, doing)

    def stop(self) -> None:
        """End the thread."""
        self.updates.stop()
        self.worker.stop()
        self.keeper.stop()

    def dragEnterEvent(self, event: qt.QDragEnterEvent) -> None:
        """Take files."""
        if dropped_files(event):
            event.acceptProposedAction()

    def dropEvent(self, event: qt.QDropEvent) -> None:
        """Open what is dropped."""
        event.acceptProposedAction()
        self.openFiles(dropped_files(event))
