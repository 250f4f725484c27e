"""Lines over the image: the fitted grid, displacement vectors, and the mark of the origin."""

from __future__ import annotations

import numpy as np

from ..work.layers import plot_xy
from ..work.thinning import thinned_lines
from .layer import Layer, seen_part
from .spots import most_drawn


class GridLayer(Layer):
    """The fitted grid, a :class:`~pyfai_gridcal.gui.work.layers.GridLines`."""

    def draw(self) -> None:
        """Draw the lines in view, of too many every n-th."""
        if self.data is None or not self.visible or not len(self.data.number):
            self.plot.remove("grid", kind="curve")
            return
        drawn = thinned_lines(self.data, seen_part(self.plot), most_drawn(self.plot)[1])
        x, y = self.data.line(drawn)
        self.addLine(x, y, "grid", color="#40ff80", z=3)


class VectorLayer(Layer):
    """Displacement vectors with their scale, a :class:`~pyfai_gridcal.gui.work.layers.VectorLines`."""

    def draw(self) -> None:
        """Draw all of them."""
        if self.data is None or not self.visible:
            self.plot.remove("vectors", kind="curve")
        else:
            self.addLine(self.data.x, self.data.y, "vectors", color="#20c0ff", z=4)

    @property
    def note(self) -> str:
        """The scale of the arrows."""
        return self.data.text if self.data is not None and self.visible else ""


class OriginLayer(Layer):
    """Mark of the spot that is node (0, 0), its place (y, x)."""

    def draw(self) -> None:
        """Draw the mark."""
        self.plot.remove("origin", kind="marker")
        if self.data is not None:
            x, y = plot_xy(np.array([self.data]))
            self.plot.addMarker(x.item(), y.item(), legend="origin", text="(0, 0)", color="#ff40ff", symbol="+")
