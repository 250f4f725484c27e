"""Look at a result: maps and vectors over the image, control points, before and after, report, and the whole file."""

from __future__ import annotations

import os
from typing import Any

from scipy.spatial import cKDTree
from silx.gui import qt
from silx.gui.data.DataViewerFrame import DataViewerFrame
from silx.gui.hdf5 import Hdf5TreeView

from .application import BACKENDS, application, run_application, settings
from .drawing.artwork import icon
from .drawing.compare import BeforeAfter
from .drawing.layerbar import LayerBar
from .drawing.plot import GridPlot
from .panels.messages import error_box
from .panels.quality import QualityView, VerdictLabel
from .panels.table import PointTable
from .work.core import Core
from .work.layers import plot_xy, yx_of_plot
from .work.results import Bare, read_any
from .work.state import Results
from .work.views import Pair, WorkView, prepare_pair, prepare_view
from .worker import BackgroundJob, Worker

__all__ = ["ResultWindow", "main"]


class ResultWindow(qt.QMainWindow):  # type: ignore[misc]
    """Viewer of one result file, or of any other file with a distortion."""

    #: After a file was read and drawn.
    sigShown = qt.Signal(object)

    def __init__(self, backend: str | None = None):
        super().__init__()
        self.setWindowIcon(icon("gridcal"))
        self.setWindowTitle("pyFAI-gridcal view")
        self.resize(1300, 850)
        self.worker = Worker(self)
        self.worker.sigFailed.connect(lambda error: error_box(self, error, "View"))
        self._results: Results | None = None
        self._view: WorkView | None = None
        self._tree: cKDTree | None = None
        self.plot = GridPlot(self, backend=backend)
        self.plot.tools.setVisible(False)
        self.layers = LayerBar(self.plot, self)
        # The colours are the map's here, until the user asks for others.
        self.layers.colours.setCurrentIndex(self.layers.colours.findData("kind"))
        self.compare = BeforeAfter(self, backend=backend)
        self.table = PointTable(self)
        self.verdict, self.quality = VerdictLabel(self), QualityView(self)
        self.report = qt.QPlainTextEdit(self)
        self.report.setReadOnly(True)
        self.report.setFont(qt.QFontDatabase.systemFont(qt.QFontDatabase.SystemFont.FixedFont))
        self._makeLayout()
        self.layers.sigMapChanged.connect(lambda _: self._prepare())
        self.compare.sigWanted.connect(self._correct)
        self.table.sigPoint.connect(self._goTo)
        self.plot.sigPlotSignal.connect(self._plotSignal)

    def _makeLayout(self) -> None:
        left = qt.QWidget(self)
        column = qt.QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        self.exposures = qt.QComboBox(self)
        self.exposures.setObjectName("exposures")
        self.exposures.activated.connect(lambda _: self._prepare())
        self._exposureAction = self.layers.addWidget(self.exposures)
        self._exposureAction.setVisible(False)
        column.addWidget(self.layers)
        column.addWidget(self.plot, 1)
        right = qt.QTabWidget(self)
        right.setDocumentMode(True)
        points = qt.QWidget(self)
        inner = qt.QVBoxLayout(points)
        inner.addWidget(self.verdict)
        inner.addWidget(self.quality)
        inner.addWidget(self.table, 1)
        right.addTab(points, "Control points")
        right.addTab(self.report, "Report")
        page = qt.QSplitter(qt.Qt.Orientation.Horizontal, self)
        page.addWidget(left)
        page.addWidget(right)
        page.setStretchFactor(0, 1)
        page.setSizes([820, 480])
        self.file = Hdf5TreeView(self)
        self.data = DataViewerFrame(self)
        self.file.selectionModel().selectionChanged.connect(self._fileSelected)
        whole = qt.QSplitter(qt.Qt.Orientation.Horizontal, self)
        whole.addWidget(self.file)
        whole.addWidget(self.data)
        whole.setStretchFactor(1, 1)
        self.tabs = qt.QTabWidget(self)
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(page, "Displacement")
        self.tabs.addTab(self.compare, "Before and after")
        self.tabs.addTab(whole, "File")
        self.tabs.currentChanged.connect(self._tabShown)
        self.setCentralWidget(self.tabs)
        self.statusBar()

    # -- reading and drawing
    def open(self, path: str) -> None:
        """Read a file in the thread, and draw it."""
        overlay = self.layers.map() or "magnitude"
        self.statusBar().showMessage(f"reading {path}")

        def read(progress: Any) -> WorkView:
            return prepare_view(read_any(path, progress), 0, overlay)

        def done(view: WorkView) -> None:
            self.setWindowTitle(f"{os.path.basename(path)} - pyFAI-gridcal view")
            self._results = view.results
            calibration = view.results.calibration
            self.verdict.setVerdict(calibration.verdict)
            self.report.setPlainText(calibration.report())
            self.exposures.clear()
            self.exposures.addItems([f"exposure {k + 1}" for k in range(len(view.results.exposures))])
            self._exposureAction.setVisible(self.exposures.count() > 1)
            self._showFile(path)
            blocked = self.layers.maps.blockSignals(True)
            self.layers.maps.setCurrentIndex(self.layers.maps.findData(overlay))
            self.layers.maps.blockSignals(blocked)
            self.layers.action("vectors").setChecked(True)
            self._show(view)

        self.worker.start(BackgroundJob("reading", read, done))

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
        results, overlay, old = self._results, self.layers.map(), self._view
        exposure = max(0, self.exposures.currentIndex())
        if results is not None:
            self.worker.start(
                BackgroundJob("drawing", lambda progress: prepare_view(results, exposure, overlay, old), self._show)
            )

    def _show(self, view: WorkView) -> None:
        old, self._view = self._view, view
        plot, fit = self.plot, view.fit
        assert fit is not None
        if view.levels and (old is None or old.levels is not view.levels):
            plot.setImage(view.levels, view.limits)
        plot.setSpots(view.spots)
        plot.setGrid(view.grid)
        plot.setVectors(view.vectors)
        plot.setMap(view.overlay)
        plot.setUnknown(view.unknown)
        plot.setOrigin(view.origin)
        if not view.levels:
            ny, nx = fit.distortion.shape
            plot.setLimits(0, nx, 0, ny)
        known = view.exposure < len(fit.points)
        if old is None or old.fit is not fit or old.exposure != view.exposure:
            self.table.setFit(fit if known else None, view.exposure)
            self.quality.setFit(fit if known else None, view.exposure)
            self._tree = cKDTree(fit.points[view.exposure].yx) if known and len(fit.points[view.exposure]) else None
            self.compare.setPair(None)
        self.statusBar().clearMessage()
        self.sigShown.emit(view)

    def view(self) -> WorkView | None:
        """What is drawn."""
        return self._view

    def _correct(self) -> None:
        view = self._view
        if view is None or view.image is None or isinstance(view.results.calibration, Bare) or self.worker.isBusy:
            return
        calibration = view.results.calibration
        self.compare.note.setText("The image is being corrected by pyFAI.")

        def correct(progress: Any) -> Pair:
            return prepare_pair(view, Core().correct(calibration, view.exposure, progress))

        def done(pair: Pair) -> None:
            if self._view is not None and self._view.image is view.image:
                self.compare.setPair(pair)

        self.worker.start(BackgroundJob("correcting", correct, done))

    # -- table and plot
    def _goTo(self, point: int) -> None:
        """Show a control point in the middle of the plot."""
        view = self._view
        if view is None or view.fit is None:
            return
        points = view.fit.points[view.exposure]
        self.plot.lookAt(points.yx[point], 6 * max(points.pitch_px), view.fit.distortion.shape)
        self._mark(point)

    def _mark(self, point: int) -> None:
        view = self._view
        assert view is not None
        assert view.fit is not None
        points = view.fit.points[view.exposure]
        x, y = plot_xy(points.yx[[point]])
        text = f"({points.ij[point, 0]}, {points.ij[point, 1]})"
        self.plot.addMarker(x[0], y[0], legend="chosen", text=text, color="#ffffff", symbol="s")

    def _plotSignal(self, event: dict[str, Any]) -> None:
        if event["event"] != "mouseClicked" or event["button"] != "left" or self._tree is None or self._view is None:
            return
        assert self._view.fit is not None
        y, x = yx_of_plot(event["x"], event["y"])
        distance, point = self._tree.query((y, x))
        if distance < 0.5 * min(self._view.fit.points[self._view.exposure].pitch_px):
            self.table.choose(int(point))
            self._mark(int(point))

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
    store = settings("view")
    if store.value("geometry") is not None:
        window.restoreGeometry(store.value("geometry"))
    window.open(path)
    status = run_application(app, window)
    store.setValue("geometry", window.saveGeometry())
    return status
