"""Powder rings as a task of pyFAI-calib2: the points that were picked and the geometry that was fitted there give the
modules, or the distortion, of the detector."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pyFAI.gui.tasks.AbstractCalibrationTask import AbstractCalibrationTask
from silx.gui import qt
from silx.gui.utils.matplotlib import FigureCanvasQTAgg

from ..base.errors import GridcalError, UsageError
from ..base.progress import Progress
from ..io.kinds.kinds import read_distortion
from ..io.kinds.pointers import GEOMETRY
from ..io.nexus.detector import from_detector
from ..rings.doors import told_of
from ..rings.drawing import ring_figure
from ..rings.judge import RingValidation, validate_rings
from ..rings.points import RingPoints, ring_points
from ..rings.record import RingCalibration
from ..rings.solution import fit_rings
from .drawing.artwork import icon
from .layouts import button, column, holder, row, splitter
from .panels.messages import error_box
from .worker import BackgroundJob, Worker

if TYPE_CHECKING:
    from pyFAI.detectors import Detector
    from pyFAI.gui.model.CalibrationModel import CalibrationModel

#: What the window calls the models that rings know.
_MODELS = {"automatic": "auto", "modules": "rigid", "smooth field": "spline", "both": "tiles"}
_HINT = "Pick points of rings and fit the geometry, then add them here; again for images at other places."


def picked_points(model: CalibrationModel) -> RingPoints:
    """The points that were picked in the window, with the geometry that was fitted to them.

    Raises
    ------
    UsageError, FittingError
        No geometry, no calibrant, no wavelength, or too few points.
    """
    settings, fitted = model.experimentSettingsModel(), model.fittedGeometry()
    calibrant, wavelength = settings.calibrantModel().calibrant(), settings.wavelength().value()
    if not fitted.isValid() or calibrant is None or not wavelength:
        raise UsageError("no geometry yet", expected="one that was fitted in the task before")
    values = (fitted.distance(), fitted.poni1(), fitted.poni2())
    turns = (fitted.rotation1(), fitted.rotation2(), fitted.rotation3())
    geometry = {name: float(one.value()) for name, one in zip(GEOMETRY, (*values, *turns), strict=True)}
    peaks = [p for p in model.peakSelectionModel() if p.isEnabled() and len(p.coords())]
    rows = [np.column_stack([p.coords(), np.full(len(p.coords()), p.ringNumber() - 1.0)]) for p in peaks]
    calibrant.wavelength = wavelength
    name = Path(settings.image().filename() or "image").name
    table = np.concatenate(rows) if rows else np.zeros((0, 3))
    return ring_points(table, calibrant, geometry, name)


class RingsTask(AbstractCalibrationTask):  # type: ignore[misc]
    """Calibrate the detector by the rings of one image or of several, and go on with it."""

    def _initGui(self) -> None:
        self.setWindowTitle("Rings")
        self.setWindowIcon(icon("task-rings"))
        self.images: list[RingPoints] = []
        self.result: RingCalibration | None = None
        self.worker = Worker(self)
        self.report = qt.QPlainTextEdit(_HINT)
        self.report.setReadOnly(True)
        self.report.setFont(qt.QFontDatabase.systemFont(qt.QFontDatabase.SystemFont.FixedFont))
        self.listed = qt.QListWidget()
        self.model_choice = qt.QComboBox()
        self.model_choice.addItems(list(_MODELS))
        self.depths = qt.QCheckBox("modules may be tilted and out of the plane")
        self.distances = qt.QLineEdit()
        self.distances.setPlaceholderText("100mm, 200mm ± 1um: by a motor, if it is known")
        tip = "Take the points of the task Peak picking, with the geometry that was fitted to them"
        self.addButton = button("Add the picked points", self.add, name="add", tip=tip)
        self.clearButton = button("Clear", self.clear, name="clear")
        self.fitButton = button("Calibrate", self.fit, name="fit", height=40)
        self.useButton = button("Use this detector", self.use, name="use", height=40)
        tip = "Whether a detector file makes the rings of this image straighter than the present detector"
        self.judgeButton = button("Judge a detector", self.judge, name="judge", tip=tip)
        self.picture: qt.QWidget = qt.QWidget()
        self.progress = qt.QLabel()
        settings = (qt.QLabel("Model"), self.model_choice, self.depths, qt.QLabel("Distances"), self.distances)
        images = (qt.QLabel("Images"), self.listed, row(self.addButton, self.clearButton))
        panel = column(
            *images, *settings, self.progress, row(self.fitButton, self.useButton), self.judgeButton, margin=6
        )
        self.told = column(self.report, self.picture)
        self.splitter = splitter(holder(self.told), holder(panel))
        column(self.splitter, on=self)
        self.worker.sigProgress.connect(lambda fraction, text: self.progress.setText(f"{100 * fraction:.0f} % {text}"))
        self.worker.sigFailed.connect(lambda error, title: error_box(self, error, title))
        self.worker.sigBusyChanged.connect(lambda _: self._enable())
        super()._initGui()
        self._enable()

    def _updateModel(self, model: CalibrationModel) -> None:
        """The points are taken when the user asks for it."""

    def _enable(self) -> None:
        self.fitButton.setEnabled(bool(self.images) and not self.worker.isBusy)
        self.useButton.setEnabled(self.result is not None and not self.worker.isBusy)
        self.judgeButton.setEnabled(not self.worker.isBusy)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Tell what is missing."""
        try:
            yield
        except GridcalError as error:
            error_box(self, error, "Rings")

    def add(self) -> None:
        """Take the points that are picked now; those of an image of the same name before go."""
        with self._telling():
            new = picked_points(self.model())
            self.images = [one for one in self.images if one.name != new.name] + [new]
            self._list()

    def clear(self) -> None:
        """Forget all images."""
        self.images = []
        self._list()

    def _list(self) -> None:
        self.listed.clear()
        for one in self.images:
            self.listed.addItem(f"{one.name}: {len(one)} points on {len(np.unique(one.ring))} rings")
        self._enable()

    def fit(self) -> None:
        """Calibrate, in a thread."""
        detector, images = self.model().experimentSettingsModel().detectorModel().detector(), tuple(self.images)
        model, distances = _MODELS[self.model_choice.currentText()], self.distances.text().strip() or None
        depths = self.depths.isChecked()

        def work(progress: Progress) -> RingCalibration:
            told = told_of(model, distances, depths)
            known = from_detector(detector)
            return fit_rings(
                images, shape=known.shape, pixel_size=known.pixel_size, mask=known.mask, progress=progress, **told
            )

        def done(found: RingCalibration) -> None:
            self.result = found
            self.report.setPlainText(found.report())
            self.progress.setText("calibrated")
            self._enable()

        self.worker.start(BackgroundJob("calibrating by rings", work, done, "Rings"))

    def use(self) -> None:
        """Ask where to write the detector, write it and hand it on."""
        path, _ = qt.QFileDialog.getSaveFileName(self, "Write the detector to", "detector.h5", "HDF5 (*.h5)")
        found = self.result
        if not path or found is None:
            return

        def work(progress: Progress) -> Detector:
            from pyFAI.detectors import detector_factory

            # Absolute, for the name goes into the PONI file.
            return detector_factory(os.path.abspath(found.save(path, progress=progress)))

        def done(detector: Detector) -> None:
            self.model().experimentSettingsModel().detectorModel().setDetector(detector)
            self.progress.setText(f"in use: {os.path.basename(path)}")

        self.worker.start(BackgroundJob("writing the detector", work, done, "Rings", lasting=True))

    def judge(self) -> None:
        """Ask for a detector file, then tell and draw whether it makes the rings of the image straighter."""
        path, _ = qt.QFileDialog.getOpenFileName(self, "Detector to be judged")
        if path:
            with self._telling():
                self._judge(path, picked_points(self.model()))

    def _judge(self, path: str, points: RingPoints) -> None:
        settings = self.model().experimentSettingsModel()
        image, detector = settings.image().value(), settings.detectorModel().detector()
        if image is None:
            raise UsageError("no image yet", expected="one with rings")

        def work(progress: Progress) -> RingValidation:
            before = from_detector(detector)
            return validate_rings(
                read_distortion(path), image, points.geometry, wavelength=points.wavelength, calibrant=points.calibrant,
                before=before, mask=before.mask, name=points.name, progress=progress,
            )  # fmt: skip

        def done(found: RingValidation) -> None:
            self.report.setPlainText(found.report())
            self.progress.setText(found.sentence)
            new = FigureCanvasQTAgg(ring_figure(found))
            self.told.replaceWidget(self.picture, new)
            self.picture.deleteLater()
            self.picture = new

        self.worker.start(BackgroundJob("judging a detector by rings", work, done, "Rings"))

    def mayClose(self) -> bool:
        """Nothing here is lost that cannot be had again by a click."""
        return True

    def aboutToClose(self) -> None:
        """End the thread."""
        self.worker.stop()
