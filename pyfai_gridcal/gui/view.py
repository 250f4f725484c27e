"""Look at a result: maps and vectors over the image, control points, before and after, report, and the whole file."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import numpy as np
from silx.gui import qt
from silx.gui.data.DataViewerFrame import DataViewerFrame
from silx.gui.hdf5 import Hdf5TreeView
from silx.gui.utils import blockSignals

from ..base.progress import Progress
from ..records.points import ControlPoints
from .application import BACKENDS, application, fit_screen, run_application, settings
from .comparison import compare_on_demand
from .drawing.artwork import icon
from .drawing.compare import BeforeAfter
from .drawing.layerbar import LayerBar
from .drawing.plot import GridPlot
from .layouts import column, holder, splitter, tabs
from .panels.messages import error_box
from .panels.quality import QualityView, VerdictLabel
from .panels.table import PointTable
from .work.core import Core
from .work.layers import plot_xy, yx_of_plot
from .work.results import read_any
from .work.views import WorkView, prepare_view
from .worker import BackgroundJob, Worker


class ResultWindow(qt.QMainWindow):  # type: ignore[misc]
    """Viewer of one result file, or of any other file with a distortion."""

    #: After a file was read and drawn.
    sigShown = qt.Signal(object)

    def __init__(self, backend: str | None = None):
        super().__init__()
        self.setWindowIcon(icon("gridcal"))
        self.setWindowTitle("pyFAI-gridcal view")
        fit_screen(self, 1440, 900)
        self.worker = Worker(self)
        self.worker.sigFailed.connect(partial(error_box, self))
        self._view: WorkView | None = None
        self.plot = GridPlot(self, backend=backend)
        self.plot.tools.setVisible(False)
        self.layers = LayerBar(self.plot, self)
        # The colours are the map's here, with nothing over them, until the user asks for others.
        self.layers.colours.setCurrentIndex(self.layers.colours.findData("kind"))
        self.layers.action("spots").setChecked(False)
        self.exposures = qt.QComboBox(self)
        self.exposures.setObjectName("exposures")
        self._exposureAction = self.layers.addWidget(self.exposures)
        self._exposureAction.setVisible(False)
        self.compare = BeforeAfter(self, backend=backend)
        self.table = PointTable(self)
        self.verdict, self.quality = VerdictLabel(self), QualityView(self)
        self.report = qt.QPlainTextEdit(self)
        self.report.setReadOnly(True)
        self.report.setFont(qt.QFontDatabase.systemFont(qt.QFontDatabase.SystemFont.FixedFont))
        self.file, self.data = Hdf5TreeView(self), DataViewerFrame(self)
        self._makeLayout()
        for signal, slot in (
            (self.layers.sigMapChanged, lambda _: self._prepare()),
            (self.exposures.activated, lambda _: self._prepare()),
            (self.table.sigPoint, self._goTo),
            (self.plot.sigPlotSignal, self._plotSignal),
            (self.tabs.currentChanged, self._tabShown),
            (self.file.selectionModel().selectionChanged, self._fileSelected),
        ):
            signal.connect(slot)
        compare_on_demand(self.compare, self.view, Core(), self.worker)

    def _makeLayout(self) -> None:
        points = holder(column(self.verdict, self.quality, (self.table, 1), margin=9))
        right = tabs({"Control points": points, "Report": self.report})
        left = holder(column(self.layers, (self.plot, 1)))
        self.tabs = tabs(
            {
                "Displacement": splitter(left, right, sizes=[820, 480]),
                "Before and after": self.compare,
                "File": splitter(self.file, self.data, growing=1),
            }
        )
        self.setCentralWidget(self.tabs)
        self.statusBar()

    # -- reading and drawing
    def open(self, path: str) -> None:
        """Read a file in the thread, and draw it."""
        overlay = self.layers.map() or "magnitude"
        self.statusBar().showMessage(f"reading {path}")

        # In the thread of the worker.
        def read(progress: Progress) -> WorkView:
            return prepare_view(read_any(path, progress), 0, overlay)

        # Back in the thread of the windows.
        def done(view: WorkView) -> None:
            self.setWindowTitle(f"{os.path.basename(path)} - pyFAI-gridcal view")
            calibration = view.results.calibration
            assert calibration is not None
            self.verdict.setVerdict(calibration.verdict)
            self.report.setPlainText(calibration.report())
            self.exposures.clear()
            self.exposures.addItems([f"exposure {k + 1}" for k in range(len(view.results.exposures))])
            self._exposureAction.setVisible(self.exposures.count() > 1)
            self._showFile(path)
            with blockSignals(self.layers.maps):
                self.layers.maps.setCurrentIndex(self.layers.maps.findData(overlay))
            self.layers.action("vectors").setChecked(True)
            self._show(view)

        self.worker.start(BackgroundJob("reading", read, done, "View"))

    def _showFile(self, path: str) -> None:
        try:
            self.file.findHdf5TreeModel().insertFile(path)
        except OSError:
            # Maps and splines are no HDF5 files; there is no tree to show.
            self.tabs.setTabEnabled(2, False)

    def _tabShown(self, index: int) -> None:
        """Show what a file opens on, as silx view does, until something else is chosen."""
        if index == 2 and not list(self.file.selectedH5Nodes()):
            self.file.setCurrentIndex(self.file.model().index(0, 0))

    def _fileSelected(self, *_: Any) -> None:
        chosen = list(self.file.selectedH5Nodes())
        if len(chosen) == 1:
            self.data.setData(chosen[0])

    def _prepare(self) -> None:
        """Draw another exposure or another map."""
        overlay, old = self.layers.map(), self._view
        if old is not None:
            exposure = max(0, self.exposures.currentIndex())
            prepare = lambda progress: prepare_view(old.results, exposure, overlay, old)  # noqa: E731
            self.worker.start(BackgroundJob("drawing", prepare, self._show, "View"))

    def _show(self, view: WorkView) -> None:
        old, self._view = self._view, view
        fit = view.fit
        assert fit is not None
        self.plot.setView(view)
        if not view.levels:
            ny, nx = fit.distortion.shape
            self.plot.setLimits(0, nx, 0, ny)
        known = view.exposure < len(fit.points)
        if old is None or old.fit is not fit or old.exposure != view.exposure:
            self.table.setFit(fit if known else None, view.exposure)
            self.quality.setFit(fit if known else None, view.exposure)
            self.compare.setPair(None)
        self.statusBar().clearMessage()
        self.sigShown.emit(view)

    def view(self) -> WorkView | None:
        """What is drawn."""
        return self._view

    # -- table and plot
    def _points(self) -> ControlPoints | None:
        """The control points that are shown."""
        view = self._view
        if view is None or view.fit is None or view.exposure >= len(view.fit.points):
            return None
        return view.fit.points[view.exposure]

    def _goTo(self, point: int) -> None:
        """Show a control point in the middle of the plot."""
        points = self._points()
        if points is not None and self._view is not None and self._view.fit is not None:
            self.plot.lookAt(points.yx[point], 6 * max(points.pitch_px), self._view.fit.distortion.shape)
            self._mark(points, point)

    def _mark(self, points: ControlPoints, point: int) -> None:
        x, y = plot_xy(points.yx[[point]])
        text = f"({points.ij[point, 0]}, {points.ij[point, 1]})"
        self.plot.addMarker(x[0], y[0], legend="chosen", text=text, color="#ffffff", symbol="s")

    def _plotSignal(self, event: dict[str, Any]) -> None:
        points = self._points()
        if event["event"] != "mouseClicked" or event["button"] != "left" or points is None or not len(points):
            return
        distance = np.hypot(*(points.yx - yx_of_plot(event["x"], event["y"])).T)
        point = int(distance.argmin())
        if distance[point] < 0.5 * min(points.pitch_px):
            self.table.choose(point)
            self._mark(points, point)

    def closeEvent(self, event: qt.QCloseEvent) -> None:
        """End the thread and let go of the file."""
        self.worker.stop()
        self.data.setData(None)
        self.file.findHdf5TreeModel().clear()
        event.accept()


def main(path: str, *, backend: str = "matplotlib") -> int:
    """Open the viewer on a file."""
    app = application()
    window = ResultWindow(BACKENDS[backend])
    window.open(path)
    return run_application(app, window, settings("view"))
