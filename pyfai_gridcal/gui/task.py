"""The task as a part of pyFAI-calib2: the first in the list, it hands on a calibrated detector."""

from __future__ import annotations

import html
import os
from typing import TYPE_CHECKING

from pyFAI.gui.tasks.AbstractCalibrationTask import AbstractCalibrationTask
from silx.gui import qt

from ..base.progress import Progress
from ..calibration import Calibration
from .distortion_widget import DistortionWidget
from .drawing.artwork import icon
from .layouts import button, column, row
from .panels.messages import question_box
from .work.views import WorkView
from .worker import BackgroundJob

if TYPE_CHECKING:
    from pyFAI.detectors import Detector
    from pyFAI.gui.model.CalibrationModel import CalibrationModel


class DistortionTask(AbstractCalibrationTask):  # type: ignore[misc]
    """Find the distortion of the detector by the image of a grid, then go on with the detector that knows it."""

    #: Plot backend of tasks to come; pyFAI makes tasks without arguments.
    backend: str | None = None

    def _initGui(self) -> None:
        self.setWindowTitle("Distortion")
        self.setWindowIcon(icon("task-distortion"))
        self.widget = DistortionWidget(self, backend=self.backend)
        self.splitter = self.widget.splitter
        column(self.widget, on=self)
        tip = "Write the detector to a file and take it for the calibration of the experiment"
        self.useButton = button("Use this detector", self.use, name="use", tip=tip, height=40)
        self.useButton.setEnabled(False)
        self._nextStep = qt.QPushButton("Next >")
        self._nextStep.setMinimumHeight(40)
        self.widget.panel.layout().addLayout(row(self.useButton, self._nextStep))
        self._accepted: Calibration | None = None
        self.initNextStep()
        super()._initGui()
        self.widget.sigViewChanged.connect(self._viewChanged)

    def _updateModel(self, model: CalibrationModel) -> None:
        """Follow the experiment; nothing in it is of use for this task."""
        self.updateNextStepStatus()

    def nextStepWarning(self) -> str | None:
        """Why it would be too early to go on: a calibration that is not used."""
        calibration = self.widget.workspace.calibration
        if calibration is None or calibration is self._accepted:
            return None
        return "The detector that was calibrated here is not in use yet: press <b>Use this detector</b>"

    def _viewChanged(self, view: WorkView) -> None:
        self.useButton.setEnabled(view.results.calibration is not None)
        self.updateNextStepStatus()

    def use(self) -> None:
        """Ask where to write the detector, write it and hand it on."""
        name = self.widget.dialogs.target("Write the detector to")
        if name:
            self.accept(name)

    def accept(self, path: str) -> None:
        """Write the detector file and hand it on."""
        self.widget.document.save(path, then=self.hand)

    def hand(self, path: str) -> None:
        """Give the detector of a file to the calibration of the experiment."""
        calibration = self.widget.workspace.calibration

        def read(_progress: Progress) -> Detector:
            from pyFAI.detectors import detector_factory

            # Absolute, for the name goes into the PONI file.
            return detector_factory(os.path.abspath(path))

        def done(detector: Detector) -> None:
            self._accepted = calibration
            self.model().experimentSettingsModel().detectorModel().setDetector(detector)
            self.widget.panel.setResult(f"in use: {html.escape(path)}")
            self.widget.panel.setProgress(0.0, f"in use: {os.path.basename(path)}")
            self.updateNextStepStatus()

        title = "Use this detector"
        self.widget.worker.start(BackgroundJob("reading the detector with pyFAI", read, done, title, lasting=True))

    def mayClose(self) -> bool:
        """Ask about unsaved work."""
        if not self.widget.isModified() or self.widget.workspace.calibration is None:
            return True
        answer = question_box(self, "The calibration of the distortion is not saved.", save=False)
        return bool(answer == qt.QMessageBox.StandardButton.Discard)

    def aboutToClose(self) -> None:
        """End the thread."""
        self.widget.stop()
