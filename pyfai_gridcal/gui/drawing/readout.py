"""The status bar of the plot: place and value under the mouse, the spot there, and notes on what is drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from silx.gui import qt
from silx.gui.plot import PlotWidget
from silx.gui.plot.items.image import ImageDataBase
from silx.gui.plot.tools.PositionInfo import PositionInfo

from ..work.layers import yx_of_plot


class Readout(qt.QStatusBar):  # type: ignore[misc]
    """Status bar of a plot.

    Parameters
    ----------
    plot : whose mouse it follows
    image : of which it tells the counts
    words : what is at a point (x, y) of the plot besides
    """

    def __init__(self, plot: PlotWidget, image: ImageDataBase, words: Callable[[float, float], str]):
        super().__init__(plot)
        self._image, self._words = image, words
        converters = [
            ("x", lambda x, y: f"{yx_of_plot(x, y)[1]:.2f}"),
            ("y", lambda x, y: f"{yx_of_plot(x, y)[0]:.2f}"),
            ("Value", self.valueAt),
        ]
        self._spot, self.note = qt.QLabel(self), qt.QLabel(self)
        # A long text takes what room there is, instead of making the window wider.
        self._spot.setSizePolicy(qt.QSizePolicy.Policy.Ignored, qt.QSizePolicy.Policy.Preferred)
        self._spot.setObjectName("plot-spot")
        self.note.setObjectName("plot-note")
        self.setSizeGripEnabled(False)
        self.addWidget(PositionInfo(plot=plot, converters=converters, parent=self))
        self.addWidget(self._spot, 1)
        self.addPermanentWidget(self.note)
        plot.sigPlotSignal.connect(self._plotSignal)

    def setNotes(self, notes: Iterable[str]) -> None:
        """Say something on what is drawn."""
        self.note.setText("; ".join(note for note in notes if note))

    def valueAt(self, x: float, y: float) -> str:
        """Counts of the pixel at a point of the plot."""
        data = self._image.getData(copy=False)
        row, column = math.floor(y), math.floor(x)
        if 0 <= row < data.shape[0] and 0 <= column < data.shape[1]:
            return f"{data[row, column]:g}"
        return "-"

    def _plotSignal(self, event: dict[str, Any]) -> None:
        if event["event"] == "mouseMoved":
            self._spot.setText(f"<b>Spot:</b> {self._words(event['x'], event['y'])}")
