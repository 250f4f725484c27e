"""The task: plot on the left, panel on the right, and between them the workspace and the thread that does the work."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from silx.gui import qt

from ..base.errors import GridcalError, UsageError
from ..base.progress import Progress
from ..io.nexus.contents import detector_beside
from .drawing.artwork import icon
from .drawing.compare import BeforeAfter
from .drawing.layerbar import LayerBar
from .drawing.plot import GridPlot
from .panels.dialogs import Dialogs
from .panels.files import dropped_files
from .panels.messages import error_box, words_of
from .panels.panel import WorkPanel
from .work.core import Core
from .work.edits import Edit
from .work.state import STAGES, Exposure, StageName
from .work.views import Pair, View, prepare_pair, prepare_view
from .work.workspace import Workspace
from .worker import Job, Worker

__all__ = ["DistortionWidget"]


@dataclass(frozen=True, eq=False)
class _Outcome:
    """What a job brought: the picture of what is known now, and what stopped it."""

    view: View
    error: BaseException | None


class DistortionWidget(qt.QWidget):  # type: ignore[misc]
    """Calibrate the distortion of a detector by the image of a grid.

    Everything that is shown comes from the core by way of :class:`~pyfai_gridcal.gui.work.workspace.Workspace`; the
    widget
    only says what is wanted and draws what there is.
    """

    #: A :class:`~pyfai_gridcal.gui.work.views.View`, after it was drawn.
    sigViewChanged = qt.Signal(object)
    #: Path of a detector file that was written.
    sigSaved = qt.Signal(str)
    #: Path of a detector file that the user wants to use.
    sigAccepted = qt.Signal(str)
    #: The title to show: name of the image, with a star for unsaved work.
    sigTitleChanged = qt.Signal(str)

    def __init__(self, parent: qt.QWidget | None = None, *, backend: str | None = None, core: Any = None):
        super().__init__(parent)
        self.core: Any = core if core is not None else Core()
        self.workspace = Workspace(self.core, self.core.settings())
        self.worker = Worker(self)
        self._exposure = 0
        self._wanted: StageName = "found"
        self._explicit = False
        self._view: View | None = None
        self._file: str | None = None
        self._seen: tuple[Any, int] | None = None
        self.plot = GridPlot(self, backend=backend)
        self.layers = LayerBar(self.plot, self)
        self.compare = BeforeAfter(self, backend=backend)
        self.panel = WorkPanel(self.core.choices(), self)
        self.dialogs = Dialogs(self)
        self._makeLayout()
        self._makeActions()
        self._connect()
        self.setAcceptDrops(True)
        self._later = qt.QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(150)
        self._later.timeout.connect(self._update)
        self.workspace.listen(self._stateChanged)
        self._stateChanged()

    # -- parts
    def _makeLayout(self) -> None:
        first = qt.QWidget(self)
        column = qt.QVBoxLayout(first)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.layers)
        column.addWidget(self.plot, 1)
        self.tabs = qt.QTabWidget(self)
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(first, "Grid image")
        self.tabs.addTab(self.compare, "Before and after")
        self.splitter = qt.QSplitter(qt.Qt.Orientation.Horizontal, self)
        self.splitter.addWidget(self.tabs)
        self.splitter.addWidget(self.panel)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setStretchFactor(1, 0)
        self.splitter.setCollapsible(0, False)
        self.splitter.setSizes([900, 400])
        layout = qt.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.splitter)

    def _makeActions(self) -> None:
        standard = qt.QKeySequence.StandardKey
        table: list[tuple[str, str, Any, Callable[[], object]]] = [
            ("open", "Open image...", standard.Open, self.panel.files["image"].choose),
            ("open-result", "Open result...", "Ctrl+Shift+O", self.dialogs.openResult),
            ("save", "Save detector...", standard.Save, self.dialogs.save),
            ("undo", "Undo", standard.Undo, self.workspace.undo),
            ("redo", "Redo", "Ctrl+Shift+Z", self.workspace.redo),
            ("calibrate", "Calibrate", "F5", self.calibrate),
            ("cancel", "Cancel", "Ctrl+.", self.worker.cancel),
        ]
        self.actionsByName: dict[str, qt.QAction] = {}
        for name, text, key, slot in table:
            action = qt.QAction(text, self)
            action.setObjectName(f"action-{name}")
            action.setShortcut(qt.QKeySequence(key))
            action.setShortcutContext(qt.Qt.ShortcutContext.WidgetWithChildrenShortcut)
            action.triggered.connect(lambda _=False, slot=slot: slot())
            self.addAction(action)
            self.actionsByName[name] = action
        for name in ("undo", "redo"):
            self.actionsByName[name].setIcon(icon(name))
            self.layers.addAction(self.actionsByName[name])

    def _connect(self) -> None:
        panel = self.panel
        panel.sigSetting.connect(lambda name, value: self._guarded(self.workspace.set_settings, **{name: value}))
        panel.sigFile.connect(self._fileChosen)
        panel.sigExposure.connect(self.showExposure)
        panel.sigAddExposure.connect(self.dialogs.addExposure)
        panel.sigRemoveExposure.connect(self._removeExposure)
        panel.sigCalibrate.connect(self.calibrate)
        panel.sigCancel.connect(self.worker.cancel)
        panel.sigForgetEdits.connect(lambda: self.workspace.clear_edits(exposure=self._exposure))
        panel.sigSave.connect(self.dialogs.save)
        panel.sigExport.connect(self.dialogs.export)
        self.plot.tools.sigPointed.connect(self._pointed)
        self.plot.tools.sigRegion.connect(self._region)
        self.plot.sigMaskDrawn.connect(self._maskDrawn)
        self.layers.sigMapChanged.connect(lambda _: self._start(None))
        self.compare.sigWanted.connect(self._correct)
        self.worker.sigProgress.connect(panel.setProgress)
        self.worker.sigBusyChanged.connect(panel.setBusy)
        self.worker.sigCancelled.connect(lambda: panel.progressText.setText("cancelled"))
        self.worker.sigFailed.connect(lambda error: self.tell(error, "error"))

    # -- the user's wishes
    def openImage(self, name: str) -> None:
        """Begin with an image: its spots are looked for at once."""
        self._wanted, self._exposure = "found", 0
        self.workspace.set_exposures((Exposure(name),))

    def setArray(self, array: Any, name: str = "array") -> None:
        """Begin with an image that is in memory already, (ny, nx)."""
        self._wanted, self._exposure = "found", 0
        self.workspace.set_exposures((Exposure(name, np.asarray(array)),))

    def addExposure(self, name: str) -> None:
        """Add another exposure of the same plate."""
        self._exposure = len(self.workspace.state.exposures)
        self.workspace.set_exposures((*self.workspace.state.exposures, Exposure(name)))

    def showExposure(self, number: int) -> None:
        """Show one of several exposures."""
        if number != self._exposure and 0 <= number < len(self.workspace.state.exposures):
            self._exposure = number
            self._stateChanged()

    def calibrate(self) -> None:
        """Do all that is needed for a calibration."""
        try:
            self.panel.commit()
        except UsageError as error:
            self.tell(error, "Calibrate")
            return
        self._wanted, self._explicit = "calibration", True
        self._start("calibration")

    def openResult(self, path: str) -> None:
        """Take up a calibration where a file left it."""

        def done(opened: tuple[Any, Any, Any]) -> None:
            state, calibration, found = opened
            self._wanted, self._exposure, self._file = "calibration", 0, path
            self.workspace.reset(state)
            self.workspace.know(calibration, found)
            self._stateChanged()

        self.worker.start(
            Job("opening", lambda progress: self.core.open(path, progress), done, self._fail("Open result"), True)
        )

    def save(self, path: str, *, then: Callable[[str], None] | None = None) -> None:
        """Write the detector file."""
        state, calibration = self.workspace.state, self.calibration()

        def done(_: object) -> None:
            self._file = path
            self.workspace.mark_saved(state)
            self.panel.resultLabel.setText(f"written: {path}")
            self.panel.setProgress(0.0, "written")
            self.sigSaved.emit(path)
            if then is not None:
                then(path)

        found = tuple(work.found for work in self.workspace.results().exposures)
        write = lambda progress: self.core.save(calibration, state, found, path, progress)  # noqa: E731
        self.worker.start(Job("writing", write, done, self._fail("Save detector"), lasting=True))

    def export(self, path: str, kind: str) -> None:
        """Write the distortion as another kind of file."""
        calibration = self.calibration()

        def done(paths: Sequence[Path]) -> None:
            self.panel.resultLabel.setText("written: " + ", ".join(map(str, paths)))
            self.panel.setProgress(0.0, "written")

        detector = self.savedFile()
        write = lambda progress: self.core.export(calibration, path, kind, detector, progress)  # noqa: E731
        self.worker.start(Job("exporting", write, done, self._fail("Export"), lasting=True))

    def accept(self, path: str) -> None:
        """Write the detector file and say that it shall be used."""
        self.save(path, then=self.sigAccepted.emit)

    def isModified(self) -> bool:
        """Whether there is work that no file holds."""
        return self.workspace.is_modified

    def file(self) -> str | None:
        """The file that holds the work, if any."""
        return self._file

    def savedFile(self) -> str | None:
        """The file that holds the present state of the work; None when there were changes since."""
        return None if self.isModified() else self._file

    def defaultFile(self) -> str:
        """Name to propose for the detector file: beside the image."""
        if self._file:
            return self._file
        exposures = self.workspace.state.exposures
        return str(detector_beside(exposures[0].source)) if exposures else "detector.h5"

    def calibration(self) -> Any:
        """The present calibration; raises UsageError when there is none."""
        calibration = self.workspace.results().calibration
        if calibration is None:
            raise UsageError("there is no calibration yet", hint="press Calibrate first")
        return calibration

    # -- what comes from the panel and the plot
    def _guarded(self, step: Callable[..., object], **values: Any) -> None:
        try:
            step(**values)
        except GridcalError as error:
            self.tell(error, "Settings")

    def _fileChosen(self, role: str, name: str | None) -> None:
        if role != "image":
            self.workspace.set_files(**{role: name})
        elif name is None:
            self.workspace.set_exposures(())
        elif len(self.workspace.state.exposures) > 1:
            exposures = list(self.workspace.state.exposures)
            exposures[self._exposure] = Exposure(name)
            self.workspace.set_exposures(tuple(exposures))
        else:
            self.openImage(name)

    def _removeExposure(self) -> None:
        exposures = list(self.workspace.state.exposures)
        del exposures[self._exposure]
        self._exposure = 0
        self.workspace.set_exposures(tuple(exposures))

    def _pointed(self, tool: str, y: float, x: float) -> None:
        if not self.workspace.state.exposures:
            return
        if tool == "select-spot":
            self.workspace.toggle_spot(y, x, exposure=self._exposure)
        elif tool == "add-spot":
            self.workspace.edit(Edit.at("add", y, x), exposure=self._exposure)
        elif tool == "pick-origin":
            self._guarded(self.workspace.set_settings, origin=(round(y, 2), round(x, 2)))

    def _region(self, tool: str, corners: list[tuple[float, float]]) -> None:
        if self.workspace.state.exposures:
            kind = "exclude" if tool.startswith("exclude") else "include"
            self.workspace.edit(Edit.within(kind, corners), exposure=self._exposure)  # type: ignore[arg-type]

    def _maskDrawn(self) -> None:
        if self.workspace.state.exposures:
            self.workspace.set_drawn_mask(self.plot.drawnMask(), exposure=self._exposure)

    # -- from a state to a picture
    def _stateChanged(self) -> None:
        state, panel = self.workspace.state, self.panel
        self._exposure = min(self._exposure, max(0, len(state.exposures) - 1))
        panel.setSettings(state.settings)
        panel.files["image"].setName(state.exposures[self._exposure].source if state.exposures else None)
        for role in ("dark", "flat", "mask"):
            panel.files[role].setName(getattr(state, role))
        panel.setExposures([os.path.basename(e.source) for e in state.exposures], self._exposure)
        for name, step in (("undo", self.workspace.can_undo), ("redo", self.workspace.can_redo)):
            action = self.actionsByName[name]
            action.setEnabled(step is not None)
            action.setText(f"{name.capitalize()} {step}" if step else name.capitalize())
        if state.exposures:
            star = "*" if self.isModified() else ""
            self.sigTitleChanged.emit(os.path.basename(state.exposures[0].source) + star)
            if (state, self._exposure) != self._seen:
                self._seen = (state, self._exposure)
                self._later.start()
        else:
            self._seen = None  # what is undone to here and done again has to be drawn again
            self.plot.clearImage()
            self._show(prepare_view(self.workspace.results()))

    def _update(self) -> None:
        """Compute what is missing for what was reached before, where this is wished."""
        wanted = self._wanted
        if not self.panel.autoBox.isChecked() and STAGES.index(wanted) > STAGES.index("spots"):
            wanted = "spots"
        if self.workspace.results().missing == "image":
            self._start("image", then=lambda: self._start(wanted, patient=True))
        else:
            self._start(wanted)

    def _start(self, upto: StageName | None, *, then: Callable[[], None] | None = None, patient: bool = False) -> None:
        """Compute up to a stage (None: nothing) and draw what there is then, before going on with `then`."""
        workspace, state, exposure, old = self.workspace, self.workspace.state, self._exposure, self._view
        overlay, explicit = self.layers.map(), self._explicit
        self._explicit = False
        if not state.exposures:
            if explicit:
                self.tell(UsageError("there is no image", hint="open one, or drop a file on the window"), "Calibrate")
            return

        def work(progress: Progress) -> _Outcome:
            error: BaseException | None = None
            if upto is not None:
                try:
                    workspace.compute(upto, progress, state=state)
                except Exception as reason:
                    from .work.cache import Cancelled

                    if isinstance(reason, Cancelled):
                        raise
                    error = reason
            return _Outcome(prepare_view(workspace.results(state), exposure, overlay, old), error)

        def done(outcome: _Outcome) -> None:
            if self.workspace.state is state:
                self._show(outcome.view)
            if outcome.error is not None:
                self._stopped(outcome.error, explicit)
            elif then is not None and not self._later.isActive():
                then()

        self.worker.start(Job("working", work, done, self._fail("Calibrate"), patient=patient))

    def _stopped(self, error: BaseException, explicit: bool) -> None:
        """A stage failed: told in a box when the user asked for it, beside the progress bar when it came along."""
        if self.workspace.can_undo == "add spot":
            self.workspace.undo()
            explicit = True
        self.panel.setProgress(0.0, words_of(error))
        if explicit:
            self.tell(error, "Calibrate")

    def _show(self, view: View) -> None:
        old, self._view = self._view, view
        plot, state = self.plot, self.workspace.state
        if view.levels and (old is None or old.levels is not view.levels):
            plot.setImage(view.levels, view.limits)
        if state.exposures and view.image is not None:
            plot.setDrawnMask(state.exposures[view.exposure].drawn)
        plot.setSpots(view.spots)
        plot.setGrid(view.grid)
        plot.setVectors(view.vectors)
        plot.setMap(view.overlay)
        plot.setUnknown(view.unknown)
        plot.setOrigin(view.origin)
        self.panel.setView(view, edits=len(state.exposures[view.exposure].edits) if state.exposures else 0)
        if old is None or old.fit is not view.fit:
            self.compare.setPair(None)
        self.sigViewChanged.emit(view)

    def view(self) -> View | None:
        """What is drawn."""
        return self._view

    def _correct(self) -> None:
        """Correct the image for the comparison, when there is a calibration."""
        view = self._view
        if view is None or view.results.calibration is None or view.image is None or self.worker.isBusy:
            return
        calibration = view.results.calibration
        self.compare.note.setText("The image is being corrected by pyFAI.")

        def done(pair: Pair) -> None:
            if self._view is view:
                self.compare.setPair(pair)

        correct = lambda progress: prepare_pair(view, self.core.correct(calibration, view.exposure, progress))  # noqa: E731
        self.worker.start(Job("correcting the image", correct, done, self._fail("Before and after")))

    # -- errors and ends
    def _fail(self, doing: str) -> Callable[[BaseException], None]:
        return lambda error: self.tell(error, doing)

    def tell(self, error: BaseException, doing: str) -> None:
        """Open a box with an error."""
        self.panel.setProgress(0.0, words_of(error))
        error_box(self, error, doing)

    def stop(self) -> None:
        """End the thread."""
        self._later.stop()
        self.worker.stop()

    def dragEnterEvent(self, event: qt.QDragEnterEvent) -> None:
        """Take files."""
        if dropped_files(event):
            event.acceptProposedAction()

    def dropEvent(self, event: qt.QDropEvent) -> None:
        """Open a result, or the image in a file; further files are further exposures."""
        names = dropped_files(event)
        event.acceptProposedAction()
        if self.core.is_result(names[0]):
            self.openResult(names[0])
            return
        self.openImage(names[0])
        for name in names[1:]:
            self.addExposure(name)
