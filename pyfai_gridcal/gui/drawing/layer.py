"""One thing that is drawn over the image: what it holds, whether it is to be seen, and how it comes into the plot."""

from __future__ import annotations

from typing import Any

from silx.gui.plot import PlotWidget
from silx.gui.plot.items import Item

from ..work.thinning import Window


class Layer:
    """Something over the image of a plot.

    Attributes
    ----------
    plot : where it is drawn
    visible : whether it is to be seen, if there is anything on it
    data : what is on it, one of the records of :mod:`pyfai_gridcal.gui.work.layers`; None for nothing
    """

    def __init__(self, plot: PlotWidget, *, visible: bool = True):
        self.plot = plot
        self.visible = visible
        self.data: Any = None

    def show(self, data: object) -> None:
        """Put something else on it."""
        self.data = data
        self.draw()

    def setVisible(self, visible: bool) -> None:
        """Show or hide it."""
        self.visible = visible
        self.draw()

    def draw(self) -> None:
        """Draw what is on it, or take it out of the plot."""
        raise NotImplementedError

    @property
    def note(self) -> str:
        """What has to be said of it in the status bar, if anything."""
        return ""

    def place(self, item: Item, wanted: bool) -> None:
        """Put an item of silx into the plot, or take it out."""
        if wanted != is_drawn(item):
            (self.plot.addItem if wanted else self.plot.removeItem)(item)

    def addLine(self, x: Any, y: Any, legend: str, **style: Any) -> None:
        """Draw a line that keeps the limits of the plot; the arrays are not copied, for there may be many points."""
        self.plot.addCurve(
            x, y, legend=legend, linestyle="-", symbol="", resetzoom=False, copy=False, selectable=False, **style
        )


def is_drawn(item: Item) -> bool:
    """Whether an item is in a plot."""
    return item.getPlot() is not None


def seen_part(plot: PlotWidget) -> Window:
    """The part of the image that is seen."""
    (left, right), (bottom, top) = plot.getXAxis().getLimits(), plot.getYAxis().getLimits()
    return Window(left, right, bottom, top)
