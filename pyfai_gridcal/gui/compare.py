"""Before and after: the image as recorded and as corrected, under a slider or side by side."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from silx.gui import qt
from silx.gui.colors import Colormap
from silx.gui.plot import PlotWidget
from silx.gui.plot.CompareImages import CompareImages
from silx.gui.plot.items.marker import MarkerBase
from silx.gui.plot.utils.axis import SyncAxes

from .._typing import AnyArray
from .calm import hide_axes

__all__ = ["BeforeAfter"]

#: What is told in the place of images.
NOTHING = "Nothing to compare yet: the correction needs an image and a calibration."


class BeforeAfter(qt.QWidget):  # type: ignore[misc]
    """Two images of the same shape to compare."""

    #: The widget is shown and holds no corrected image yet.
    sigWanted = qt.Signal()

    def __init__(self, parent: qt.QWidget | None = None, backend: str | None = None):
        super().__init__(parent)
        self._colormap = Colormap("gray", normalization=Colormap.LOGARITHM)
        self._images: tuple[AnyArray, AnyArray] | None = None
        self._limits = (1.0, 2.0)
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
        self._help = qt.QLabel("Left of the line: as recorded; right of it: corrected. Drag the line.", self)
        self._help.setVisible(False)
        bar = qt.QHBoxLayout()
        bar.addWidget(qt.QLabel("Show: "))
        bar.addWidget(self.mode)
        bar.addWidget(self._help)
        bar.addStretch(1)
        layout = qt.QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.addLayout(bar)
        layout.addWidget(self._stack, 1)

    # Plots take long to make, so they are made when they are first looked at.
    @cached_property
    def slider(self) -> Any:
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
    def pair(self) -> Any:
        """Two plots that move together."""
        widget = qt.QWidget(self)
        line = qt.QHBoxLayout(widget)
        line.setContentsMargins(0, 0, 0, 0)
        self.plots = [PlotWidget(parent=widget, backend=self._backend) for _ in range(2)]
        for plot, title in zip(self.plots, ("As recorded", "Corrected"), strict=True):
            plot.setKeepDataAspectRatio(True)
            hide_axes(plot)
            plot.setGraphTitle(title)
            line.addWidget(plot)
        self._sync = [
            SyncAxes(axes, syncLimits=True, syncScale=False, syncDirection=False)
            for axes in ([plot.getXAxis() for plot in self.plots], [plot.getYAxis() for plot in self.plots])
        ]
        self._stack.addWidget(widget)
        return widget

    def images(self) -> tuple[AnyArray, AnyArray] | None:
        """The images that are compared."""
        return self._images

    def setImages(
        self, raw: AnyArray | None, corrected: AnyArray | None = None, limits: tuple[float, float] = (1.0, 2.0)
    ) -> None:
        """Compare two images, whose colours end at the counts `limits`; None takes away what is there."""
        self._images = None if raw is None or corrected is None else (raw, corrected)
        self._limits = limits
        self.note.setText(NOTHING)
        self._show()
        if self._images is None and self.isVisible():
            self.sigWanted.emit()

    def _show(self) -> None:
        self._help.setVisible(self._images is not None and self.mode.currentIndex() == 0)
        if self._images is None:
            self._stack.setCurrentWidget(self.note)
            return
        raw, corrected = (np.array(image, np.float32) for image in self._images)
        self._colormap.setVRange(*self._limits)
        if self.mode.currentIndex() == 0:
            self._stack.setCurrentWidget(self.slider)
            self.slider.getColormap().setFromColormap(self._colormap)
            self.slider.setData(raw, corrected)
            self.slider.centerLines()
            return
        self._stack.setCurrentWidget(self.pair)
        for plot, data in zip(self.plots, (raw, corrected), strict=True):
            plot.addImage(data, legend="image", colormap=self._colormap, copy=False)

    def showEvent(self, event: Any) -> None:
        """Ask for the corrected image when it is looked for."""
        super().showEvent(event)
        if self._images is None:
            self.sigWanted.emit()
