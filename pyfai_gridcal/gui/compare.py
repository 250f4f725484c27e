"""Before and after: the image as recorded and as corrected, under a slider or side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
from silx.gui import qt
from silx.gui.colors import Colormap
from silx.gui.plot import PlotWidget
from silx.gui.plot.CompareImages import CompareImages
from silx.gui.plot.utils.axis import SyncAxes

from .._typing import AnyArray

__all__ = ["BeforeAfter"]


class BeforeAfter(qt.QWidget):  # type: ignore[misc]
    """Two images of the same shape to compare."""

    #: The widget is shown and holds no corrected image yet.
    sigWanted = qt.Signal()

    def __init__(self, parent: qt.QWidget | None = None, backend: str | None = None):
        super().__init__(parent)
        self._colormap = Colormap("gray", normalization=Colormap.LOGARITHM)
        self._images: tuple[AnyArray, AnyArray] | None = None
        self.mode = qt.QComboBox(self)
        self.mode.setObjectName("compare-mode")
        self.mode.addItems(["Slider", "Side by side"])
        self._note = qt.QLabel(self)
        self.compare = CompareImages(self, backend=backend)
        self.compare.getPlot().setAxesDisplayed(False)
        self.plots = [PlotWidget(parent=self, backend=backend) for _ in range(2)]
        pair = qt.QWidget(self)
        side = qt.QHBoxLayout(pair)
        side.setContentsMargins(0, 0, 0, 0)
        for plot, title in zip(self.plots, ("As recorded", "Corrected"), strict=True):
            plot.setKeepDataAspectRatio(True)
            plot.setAxesDisplayed(False)
            plot.setGraphTitle(title)
            side.addWidget(plot)
        self._sync = SyncAxes(
            [plot.getXAxis() for plot in self.plots], syncLimits=True, syncScale=False, syncDirection=False
        )
        self._syncY = SyncAxes(
            [plot.getYAxis() for plot in self.plots], syncLimits=True, syncScale=False, syncDirection=False
        )
        self._stack = qt.QStackedWidget(self)
        self._stack.addWidget(self.compare)
        self._stack.addWidget(pair)
        self.mode.currentIndexChanged.connect(self._modeChanged)
        bar = qt.QHBoxLayout()
        bar.addWidget(qt.QLabel("Show: "))
        bar.addWidget(self.mode)
        bar.addWidget(self._note, 1)
        layout = qt.QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.addLayout(bar)
        layout.addWidget(self._stack, 1)

    def images(self) -> tuple[AnyArray, AnyArray] | None:
        """The images that are compared."""
        return self._images

    def setImages(
        self,
        raw: AnyArray | None,
        corrected: AnyArray | None = None,
        limits: tuple[float, float] = (1.0, 2.0),
        note: str = "",
    ) -> None:
        """Compare two images; None takes away what is there."""
        self._note.setText(note)
        self._images = None if raw is None or corrected is None else (raw, corrected)
        if self._images is None:
            self.compare.clear()
            for plot in self.plots:
                plot.clear()
            if self.isVisible():
                self.sigWanted.emit()
            return
        self._colormap.setVRange(*limits)
        self.compare.getColormap().setFromColormap(self._colormap)
        self._show()

    def _show(self) -> None:
        if self._images is None:
            return
        raw, corrected = (np.array(image, np.float32) for image in self._images)
        if self.mode.currentIndex() == 0:
            self.compare.setData(raw, corrected)
            self.compare.centerLines()
            return
        for plot, data in zip(self.plots, (raw, corrected), strict=True):
            plot.addImage(data, legend="image", colormap=self._colormap, copy=False)

    def _modeChanged(self, index: int) -> None:
        self._stack.setCurrentIndex(index)
        self._show()

    def showEvent(self, event: Any) -> None:
        """Ask for the corrected image when it is looked for."""
        super().showEvent(event)
        if self._images is None:
            self.sigWanted.emit()
