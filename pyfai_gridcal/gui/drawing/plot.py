"""The plot of the grid image with its layers and the tools to work on the spots."""

from __future__ import annotations

import numpy as np
from silx.gui import qt
from silx.gui.colors import Colormap
from silx.gui.plot import PlotWindow
from silx.gui.plot.tools.profile.toolbar import ProfileToolBar

from ...base.arrays import AnyArray
from ..work.layers import plot_xy
from ..work.views import WorkView
from .actions import ICON
from .calm import free_keys, hide_axes, when_calm
from .layer import Layer, is_drawn
from .lines import GridLayer, OriginLayer, VectorLayer
from .mask import DrawnMask
from .overlays import ColourScale, MapLayer, UnknownLayer
from .pyramid import PyramidImage
from .readout import Readout
from .regions import region_statistics
from .spots import SpotCloud
from .tools import SpotTools

#: Layers that can be shown and hidden: name -> text.
LAYERS = {
    "spots": "Spots",
    "grid": "Fitted grid",
    "vectors": "Displacement vectors",
    "unknown": "Where the displacement is not known",
}
#: Milliseconds that the limits of the plot have to rest before what depends on them is drawn again.
REST_MS = 40


class GridPlot(PlotWindow):  # type: ignore[misc]
    """A silx plot of the image, with what was found in it drawn over it.

    All positions are given and told in px, index frame, order (y, x).
    """

    def __init__(self, parent: qt.QWidget | None = None, backend: str | None = None):
        super().__init__(
            parent=parent, backend=backend, autoScale=False, logScale=False, grid=False, curveStyle=False,
            roi=False, mask=True, fit=False, print_=False,
        )  # fmt: skip
        self.setIconSize(ICON)
        self.setKeepDataAspectRatio(True)
        self.setDataMargins(0.01, 0.01, 0.01, 0.01)
        hide_axes(self)
        free_keys(self.getOutputToolBar().getSaveAction())
        self.setGraphXLabel("fast (x), px")
        self.setGraphYLabel("slow (y), px")
        self._image = PyramidImage()
        self._image.setName("image")
        self._image.setColormap(Colormap("gray", normalization=Colormap.LOGARITHM))
        self._levels: tuple[AnyArray, ...] = ()
        # Each is named after the field of a view that it shows; the map comes after the spots, whose colours it may
        # share.
        self.spots = SpotCloud(self)
        self.layers: dict[str, Layer] = {
            "spots": self.spots,
            "grid": GridLayer(self, visible=False),
            "vectors": VectorLayer(self, visible=False),
            "overlay": (over := MapLayer(self, self.spots)),
            "unknown": UnknownLayer(self),
            "origin": OriginLayer(self),
        }
        self.scale = ColourScale(self.getColorBarWidget(), self.spots, over)
        self.tools = SpotTools(self)
        self.addToolBar(self.tools)
        look = ProfileToolBar(parent=self, plot=self)
        look.setScheme("image")
        look.addAction(region_statistics(self))
        self.getIntensityHistogramAction().setVisible(True)
        self.addToolBar(look)
        self.readout = Readout(self, self._image, self.spots.wordsAt)
        self.setStatusBar(self.readout)
        self.drawnMask = DrawnMask(self)
        # What is too much to be drawn at once depends on the limits; they change many times while the user zooms.
        self._redraw = when_calm(self, REST_MS, lambda: self._draw("spots", "grid"))
        for axis in (self.getXAxis(), self.getYAxis()):
            axis.sigLimitsChanged.connect(lambda *_: self._redraw.start())

    def setView(self, view: WorkView) -> None:
        """Show an image with all layers; without one, the image before stays."""
        if view.levels and view.levels is not self._levels:
            self._levels = view.levels
            self._image.getColormap().setVRange(*view.limits)
            self._image.setPyramid(view.levels)
            if not is_drawn(self._image):
                self.addItem(self._image)
                self.setActiveImage(self._image)
            self.resetZoom()
        for name, layer in self.layers.items():
            layer.show(getattr(view, name))
        self._draw()

    def clearImage(self) -> None:
        """Show no image."""
        self._levels = ()
        if is_drawn(self._image):
            self.removeItem(self._image)

    def setColouring(self, name: str) -> None:
        """What the colour of a spot says: one of :data:`~pyfai_gridcal.gui.drawing.spots.COLOURINGS`."""
        self.spots.colouring = name
        self._draw("spots", "overlay")

    def setLayerVisible(self, name: str, visible: bool) -> None:
        """Show or hide one of :data:`LAYERS`."""
        self.layers[name].setVisible(visible)
        self._draw()

    def _draw(self, *names: str) -> None:
        """Draw layers again, and tell what follows from all that is drawn."""
        for name in names:
            self.layers[name].draw()
        self.scale.follow()
        self.readout.setNotes(layer.note for layer in self.layers.values())

    def lookAt(self, yx: AnyArray, reach: float, shape: tuple[int, int]) -> None:
        """Show a point (y, x) and what is around it, the point in the middle unless the border of the image is near.

        The view reaches at least `reach` px from its middle, and never farther than now.
        """
        half = [(high - low) / 2 for low, high in (self.getYAxis().getLimits(), self.getXAxis().getLimits())]
        zoom = min(1.0, reach / min(half))
        middle = []
        for at, n, wide in zip(plot_xy(np.reshape(yx, (1, 2)))[::-1], shape, half, strict=True):
            margin = min(zoom * wide, n / 2)
            middle.append(float(np.clip(at[0], margin, n - margin)))
        (y, x), (tall, wide) = middle, (zoom * one for one in half)
        self.setLimits(x - wide, x + wide, y - tall, y + tall)
