"""The hand of the user: what is clicked, dragged and drawn in the plot becomes steps of the work."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .drawing.plot import GridPlot
from .updates import Updates
from .work.edits import Edit
from .work.layers import plot_xy
from .work.workspace import Workspace

#: What the three holes are from which the nodes are counted.
PICKED = ("(0, 0)", "neighbour", "neighbour")


class Hand:
    """Turns places and regions in a plot into edits of the exposure that is shown.

    Parameters
    ----------
    guarded : does a step under a title, and tells what is wrong with it
    """

    def __init__(self, plot: GridPlot, workspace: Workspace, updates: Updates, guarded: Callable[..., None]):
        self._plot, self._workspace, self._updates, self._guarded = plot, workspace, updates, guarded
        self._picked: list[tuple[float, float]] = []
        plot.tools.group.triggered.connect(lambda _: self._mark([]))
        plot.tools.sigPointed.connect(self.point)
        plot.tools.sigRegion.connect(self.region)
        plot.drawnMask.sigDrawn.connect(self.mask)

    def point(self, tool: str, y: float, x: float) -> None:
        """A click with a tool at a place, px, index frame."""
        workspace, exposure = self._workspace, self._updates.exposure
        if not workspace.state.exposures:
            return
        if tool == "select-spot":
            workspace.toggle_spot(y, x, exposure=exposure)
        elif tool == "add-spot":
            workspace.edit(Edit.at("add", y, x), exposure=exposure)
        elif tool == "pick-lattice":
            self._pick(y, x)
        elif tool == "pick-origin":
            self._guarded("Settings", workspace.set_settings, origin=(round(y, 2), round(x, 2)))

    def _pick(self, y: float, x: float) -> None:
        """One of the three holes from which the nodes are counted; with the third the tool is put away."""
        self._mark([*self._picked, (y, x)])
        if len(self._picked) == 3:
            self._workspace.edit(Edit("index", tuple(self._picked)), exposure=self._updates.exposure)
            self._mark([])
            self._plot.tools.setTool(None)

    def _mark(self, picked: list[tuple[float, float]]) -> None:
        """Show what is picked so far."""
        self._picked = picked
        for k in range(3):
            self._plot.remove(f"picked {k}", kind="marker")
        for k, yx in enumerate(picked):
            (x,), (y,) = plot_xy(np.array([yx]))
            self._plot.addMarker(x, y, legend=f"picked {k}", text=PICKED[k], color="#ffff40", symbol="x")

    def region(self, tool: str, corners: list[tuple[float, float]]) -> None:
        """A region drawn with a tool: its corners (y, x)."""
        if self._workspace.state.exposures:
            edit = Edit.within("exclude" if tool.startswith("exclude") else "include", corners)
            self._workspace.edit(edit, exposure=self._updates.exposure)

    def mask(self) -> None:
        """Something was drawn on the mask."""
        if self._workspace.state.exposures:
            self._workspace.set_drawn_mask(self._plot.drawnMask.value(), exposure=self._updates.exposure)
