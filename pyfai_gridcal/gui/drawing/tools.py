"""Tools in the hand of the user: they turn clicks and drags on the plot into places and regions of the image."""

from __future__ import annotations

from typing import Any

import numpy as np
from silx.gui import qt
from silx.gui.plot import PlotWidget
from silx.gui.utils import blockSignals

from ..work.layers import yx_of_plot
from .actions import Command, IconBar

#: Name of the tool, which is that of its icon -> what its button says.
TOOLS = {
    "select-spot": Command("Remove or restore a spot",
                           "Click on a spot to take it out, click again to bring it back", "R"),
    "add-spot": Command("Add a spot", "Click where a hole was missed; its place is measured at once", "A"),
    "exclude-rectangle": Command("Exclude a rectangle", "Drag a rectangle over spots to take them out", "E"),
    "exclude-polygon": Command("Exclude a polygon",
                               "Click around spots to take them out; end at the first corner", "Shift+E"),
    "include-rectangle": Command("Include a rectangle", "Drag a rectangle over spots to bring them back", "I"),
    "include-polygon": Command("Include a polygon", "Click around spots to bring them back", "Shift+I"),
    "pick-lattice": Command("Index by hand",
                            "Where the grid is counted wrongly: click a hole, and its neighbours in two directions",
                            "L"),
    "pick-origin": Command("Pick the origin", "Click on the spot that shall be node (0, 0)", "O"),
}  # fmt: skip


class SpotTools(IconBar):  # type: ignore[misc]
    """Tool bar of a plot; a tool stays in hand until another one or a mode of the plot is chosen.

    All positions are px, index frame, order (y, x).
    """

    #: The user clicked with the tool of this name: name, y, x.
    sigPointed = qt.Signal(str, float, float)
    #: The user drew a region with the tool of this name: name, list of corners (y, x).
    sigRegion = qt.Signal(str, object)

    def __init__(self, plot: PlotWidget):
        super().__init__("spots", "Spots", plot)
        self._plot = plot
        self.group = group = qt.QActionGroup(self)
        group.setExclusionPolicy(qt.QActionGroup.ExclusionPolicy.ExclusiveOptional)
        for name, command in TOOLS.items():
            self.addCommand(name, command, self._toggled)
            group.addAction(self.action(name))
            plot.addAction(self.action(name))
        plot.sigPlotSignal.connect(self._plotSignal)
        plot.sigInteractiveModeChanged.connect(self._modeChanged)

    def tool(self) -> str | None:
        """Name of the tool in hand, None for the plot's own (zoom, pan)."""
        return next((name for name, action in self._actions.items() if action.isChecked()), None)

    def setTool(self, name: str | None) -> None:
        """Take a tool in hand; None gives the plot its own back."""
        for other, action in self._actions.items():
            action.setChecked(other == name)

    def _toggled(self, _on: bool) -> None:
        name = self.tool()
        if name is None:
            self._plot.resetInteractiveMode()
        elif name.endswith(("rectangle", "polygon")):
            colour = "#ff3030" if name.startswith("exclude") else "#30c050"
            shape = name.split("-")[1]
            self._plot.setInteractiveMode("draw", shape=shape, label=name, color=colour, source=self)
        else:
            self._plot.setInteractiveMode("select", source=self)

    def _modeChanged(self, source: object) -> None:
        if source is self:
            return
        for action in self._actions.values():
            with blockSignals(action):
                action.setChecked(False)

    def _plotSignal(self, event: dict[str, Any]) -> None:
        name = self.tool()
        if name is None:
            return
        if event["event"] == "mouseClicked" and event["button"] == "left":
            if not name.endswith(("rectangle", "polygon")):
                self.sigPointed.emit(name, *yx_of_plot(event["x"], event["y"]))
        elif event["event"] == "drawingFinished" and event["parameters"].get("label") == name:
            points = event["points"]
            if event["type"] == "rectangle":
                (x0, x1), (y0, y1) = (np.sort(points[:2, axis]) for axis in (0, 1))
                points = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
            if len(points) >= 3:
                self.sigRegion.emit(name, [yx_of_plot(x, y) for x, y in points])
