"""Pictures over the image: a map, and the tint where the displacement is not known; with the scale of the colours."""

from __future__ import annotations

import math

import numpy as np
from silx.gui import qt
from silx.gui.colors import Colormap
from silx.gui.plot import PlotWidget
from silx.gui.plot.ColorBar import ColorBarWidget
from silx.gui.plot.items.image import ImageData

from ..work.layers import MapImage
from .layer import Layer, is_drawn
from .spots import COLOURINGS, SpotCloud

#: Percentage of the values of a map that its colours reach up to.
TOP = 99.5
#: A tint needs no more pixels than the screen has.
TINT_SIDE = 1024


def _picture(name: str, z: int, colormap: Colormap, alpha: float = 1.0) -> ImageData:
    item = ImageData()
    item.setName(name)
    item.setZValue(z)
    item.setColormap(colormap)
    item.setAlpha(alpha)
    return item


class MapLayer(Layer):
    """A map over the image, a :class:`~pyfai_gridcal.gui.work.layers.MapImage`."""

    data: MapImage | None

    def __init__(self, plot: PlotWidget, spots: SpotCloud):
        super().__init__(plot)
        self._spots = spots
        self.item = _picture("map", 1, Colormap("viridis"), 0.75)

    def draw(self) -> None:
        """Draw the map, from zero or about zero to nearly its largest value."""
        image, spots = self.data, self._spots
        if image is None:
            if is_drawn(self.item):
                self.place(self.item, False)
                # silx needs some active image for its tools.
                self.plot.setActiveImage(self.plot.getImage("image"))
            return
        finite = np.abs(image.values[np.isfinite(image.values)])
        top = float(np.percentile(finite, TOP)) if finite.size else 1.0
        low, high = -top if image.signed else 0.0, max(top, 1e-12)
        if image.label == COLOURINGS[spots.colouring] and spots.is_coloured:
            low, high = spots.colormap.getVRange()  # spots and map of the same have the same colours
        colormap = Colormap("seismic" if image.signed else "viridis", vmin=low, vmax=high)
        colormap.setNaNColor("#00000000")
        self.item.setData(image.values, copy=False)
        self.item.setScale((image.step, image.step))
        self.item.setColormap(colormap)
        self.place(self.item, True)


class UnknownLayer(Layer):
    """Tint of the pixels whose displacement is not known, a mask (ny, nx)."""

    def __init__(self, plot: PlotWidget):
        super().__init__(plot)
        colours = np.array([(0, 0, 0, 0), (255, 60, 60, 90)], np.uint8)
        self._item = _picture("unknown", 2, Colormap(name=None, colors=colours, vmin=0, vmax=1))

    def draw(self) -> None:
        """Draw the tint, as coarsely as the screen."""
        mask = self.data
        wanted = mask is not None and self.visible and bool(mask.any())
        if wanted:
            step = max(1, math.ceil(max(mask.shape) / TINT_SIDE))
            self._item.setData(np.ascontiguousarray(mask[::step, ::step], np.uint8), copy=False)
            self._item.setScale((step, step))
        self.place(self._item, wanted)


class ColourScale:
    """The colour bar: that of the map, or without one that of the spots.

    It keeps its place and its width, for each change of the plot's size draws all anew.
    """

    def __init__(self, bar: ColorBarWidget, spots: SpotCloud, over: MapLayer):
        self._bar, self._spots, self._map = bar, spots, over
        bar.setPlot(None)
        bar.layout().setSizeConstraint(qt.QLayout.SizeConstraint.SetNoConstraint)
        bar.setColormap(Colormap("viridis", vmin=0.0, vmax=0.0123))
        bar.setLegend(COLOURINGS["residual"])
        bar.setFixedWidth(bar.layout().sizeHint().width())  # that of a scale with long numbers
        policy = bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        bar.setSizePolicy(policy)
        bar.setVisible(False)

    def follow(self) -> None:
        """Show the scale of what is drawn now."""
        over, spots = self._map.data, self._spots
        if over is not None:
            colormap, legend = self._map.item.getColormap(), over.label
        elif spots.visible and spots.is_coloured:
            colormap, legend = spots.colormap, COLOURINGS[spots.colouring]
        else:
            self._bar.setVisible(False)
            return
        self._bar.setVisible(True)
        self._bar.setColormap(colormap)
        self._bar.setLegend(legend)
