"""Before and after: the image as recorded and as corrected, under a slider or side by side."""

from __future__ import annotations

from functools import cached_property

from silx.gui import qt
from silx.gui.colors import Colormap
from silx.gui.plot import PlotWidget
from silx.gui.plot.CompareImages import CompareImages
from silx.gui.plot.items.marker import MarkerBase
from silx.gui.plot.utils.axis import SyncAxes

from ...base.arrays import AnyArray
from ..layouts import column, row
from ..work.views import Pair
from .calm import hide_axes, when_calm
from .pyramid import PyramidImage

#: What is told in the place of images.
NOTHING = "Nothing to compare yet: the correction needs an image and a calibration."


class BeforeAfter(qt.QWidget):  # type: ignore[misc]
    """Two images of the same shape to compare."""

    #: The widget is shown and holds no corrected image yet.
    sigWanted = qt.Signal()

    def __init__(self, parent: qt.QWidget | None = None, backend: str | None = None):
        super().__init__(parent)
        self._colormap = Colormap("gray", normalization=Colormap.LOGARITHM)
        self._shown: Pair | None = None
        self._backend = backend
        self.mode = qt.QComboBox(self)
        self.mode.setObjectName("compare-mode")
        self.mode.addItems(["Slider", "Side by side"])
        self.mode.currentIndexChanged.connect(lambda _: self._show())
        self._stack = qt.QStackedWidget(self)
        self.note = qt.QLabel(NOTHING, self)
        self.note.setObjectName("compare-note")
        self.note.setAlignment(qt.Qt.AlignmentFlag.AlignCenter)
        self._stack.addWidget(self.note)
        self._help = qt.QLabel(self)
        self._help.setVisible(False)
        self._soon = when_calm(self, 0, self._make)
        column(row(qt.QLabel("Show: "), self.mode, self._help, None), (self._stack, 1), on=self, margin=2)

    # Plots take long to make: each is made when it is first looked at, and gets its images a turn of the loop later.
    @cached_property
    def slider(self) -> CompareImages:
        """Both images in one plot, with a line between them to be moved."""
        compare = CompareImages(self, backend=self._backend)
        plot = compare.getPlot()
        hide_axes(plot)
        for line in plot.getItems():
            if isinstance(line, MarkerBase):
                line.setColor("#ffd030")  # silx's blue is not seen on a dark image
                line.setLineWidth(2)
        self._stack.addWidget(compare)
        return compare

    @cached_property
    def pair(self) -> qt.QWidget:
        """Two plots that move together."""
        widget = qt.QWidget(self)
        self.plots = [PlotWidget(parent=widget, backend=self._backend) for _ in range(2)]
        for plot, title in zip(self.plots, ("As recorded", "Corrected"), strict=True):
            plot.setKeepDataAspectRatio(True)
            hide_axes(plot)
            plot.setGraphTitle(title)
        row(*self.plots, on=widget)
        self._items = [PyramidImage() for _ in self.plots]
        for item in self._items:
            item.setName("image")
            item.setColormap(self._colormap)
        self._sync = [
            SyncAxes(axes, syncLimits=True, syncScale=False, syncDirection=False)
            for axes in ([plot.getXAxis() for plot in self.plots], [plot.getYAxis() for plot in self.plots])
        ]
        self._stack.addWidget(widget)
        return widget

    def images(self) -> tuple[AnyArray, AnyArray] | None:
        """The images that are compared."""
        return None if self._shown is None else self._shown.images

    def setPair(self, pair: Pair | None) -> None:
        """Compare two images; None takes away what is there."""
        self._shown = pair
        self.note.setText(NOTHING)
        self._show()
        if pair is None and self.isVisible():
            self.sigWanted.emit()

    def _make(self) -> None:
        """Make the plot that is wanted, and let the windows live before it is filled."""
        _ = self.slider if self.mode.currentIndex() == 0 else self.pair
        if self._shown is not None:
            qt.QTimer.singleShot(0, self, self._show)

    def _show(self) -> None:
        shown, sliding = self._shown, self.mode.currentIndex() == 0
        self._help.setVisible(shown is not None and sliding)
        if shown is None:
            self._stack.setCurrentWidget(self.note)
            return
        if ("slider" if sliding else "pair") not in vars(self):
            self._soon.start()
            return
        self._colormap.setVRange(*shown.limits)
        if sliding:
            coarse = f" Means of {shown.step} × {shown.step} pixels; side by side shows all." if shown.step > 1 else ""
            self._help.setText(f"Left of the line: as recorded; right of it: corrected. Drag the line.{coarse}")
            self._stack.setCurrentWidget(self.slider)
            self.slider.getColormap().setFromColormap(self._colormap)
            self.slider.setData(*shown.coarse)
            self.slider.centerLines()
            return
        self._stack.setCurrentWidget(self.pair)
        for plot, item, levels in zip(self.plots, self._items, shown.levels, strict=True):
            item.setPyramid(levels)
            if item.getPlot() is None:
                plot.addItem(item)
                plot.resetZoom()

    def showEvent(self, event: qt.QShowEvent) -> None:
        """Ask for the corrected image when it is looked for."""
        super().showEvent(event)
        if self._shown is None:
            # The plot is made while the image is being corrected, not when both are there.
            self._soon.start()
            self.sigWanted.emit()
