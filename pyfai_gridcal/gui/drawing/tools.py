"""Tools in the hand of the user: they turn clicks and drags on the plot into places and regions of the image."""

from __future__ import annotations

from typing import Any

import numpy as np
from silx.gui import qt

from ..work.layers import yx_of_plot
from .artwork import icon

__all__ = ["TOOLS", "SpotTools"]

#: Name -> (text, what it does, shortcut).
TOOLS: dict[str, tuple[str, str, str]] = {
    "select-spot": ("Remove or restore a spot", "Click on a spot to take it out, click again to bring it back", "R"),
    "add-spot": ("Add a spot", "Click where a hole was missed; its place is measured at once", "A"),
    "exclude-rectangle": ("Exclude a rectangle", "Drag a rectangle over spots to take them out", "E"),
    "exclude-polygon": ("Exclude a polygon", "Click around spots to take them out; end at the first corner", "Shift+E"),
    "include-rectangle": ("Include a rectangle", "Drag a rectangle over spots to bring them back", "I"),
    "include-polygon": ("Include a polygon", "Click around spots to bring them back", "Shift+I"),
    "pick-origin": ("Pick the origin", "Click on the spot that shall be node (0, 0)", "O"),
}


class SpotTools(qt.QToolBar):  # type: ignore[misc]
    """Tool bar of a plot; a tool stays in hand until another one or a mode of the plot is chosen.

    All positions are px, index frame, order (y, x).
    """

    #: The user clicked with the tool of this name: name, y, x.
    sigPointed = qt.Signal(str, float, float)
    #: The user drew a region with the tool of this name: name, list of corners (y, x).
    sigRegion = qt.Signal(str, object)

    def __init__(self, plot: Any):
        super().__init__("Spots", plot)
        self.setObjectName("toolbar-spots")
        self._plot = plot
        self._actions: dict[str, qt.QAction] = {}
        group = qt.QActionGroup(self)
        group.setExclusionPolicy(qt.QActionGroup.ExclusionPolicy.ExclusiveOptional)
        for name, (text, tip, key) in TOOLS.items():
            action = qt.QAction(icon(name), text, self)
            action.setObjectName(name)
            action.setToolTip(f"<b>{text}</b> ({key})<br/>{tip}")
            action.setShortcut(qt.QKeySequence(key))
            action.setShortcutContext(qt.Qt.ShortcutContext.WidgetWithChildrenShortcut)
            action.setCheckable(True)
            action.toggled.connect(self._toggled)
            group.addAction(action)
            self.addAction(action)
            plot.addAction(action)
            self._actions[name] = action
        plot.sigPlotSignal.connect(self._plotSignal)
        plot.sigInteractiveModeChanged.connect(self._modeChanged)

    def action(self, name: str) -> qt.QAction:
        """Button of a tool."""
        return self._actions[name]

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
            blocked = action.blockSignals(True)
            action.setChecked(False)
            action.blockSignals(blocked)

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

    def changeEvent(self, event: qt.QEvent) -> None:
        """Draw the icons again when the colours of the windows change."""
        super().changeEvent(event)
        if event.type() == qt.QEvent.Type.PaletteChange:
            for name, action in getattr(self, "_actions", {}).items():
                action.setIcon(icon(name, palette=self.palette()))
