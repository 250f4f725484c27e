"""The bar over the plot: which layers are shown, what the colours of spots say, and which map lies over the image."""

from __future__ import annotations

from functools import partial

from silx.gui import qt

from ..work.layers import MAPS, MapName
from .actions import Command, IconBar
from .artwork import icon
from .plot import LAYERS, GridPlot
from .spots import COLOURINGS

__all__ = ["LayerBar"]


class LayerBar(IconBar):  # type: ignore[misc]
    """Controls of the layers of a plot."""

    #: The map that is asked for, None for none.
    sigMapChanged = qt.Signal(object)

    def __init__(self, plot: GridPlot, parent: qt.QWidget | None = None):
        super().__init__("layers", "Layers", parent)
        for number, (name, text) in enumerate(LAYERS.items(), start=1):
            command = Command(text, "Show or hide", f"Ctrl+{number}")
            show = partial(plot.setLayerVisible, name)
            self.addCommand(f"layer-{name}", command, show, on=plot.layers[name].visible)
        self.addSeparator()
        self.addWidget(qt.QLabel(" Colour of spots: "))
        self.colours = qt.QComboBox(self)
        self.colours.setObjectName("spot-colours")
        for name, text in COLOURINGS.items():
            self.colours.addItem(text, name)
        self.colours.currentIndexChanged.connect(lambda _: plot.setColouring(self.colours.currentData()))
        self.addWidget(self.colours)
        self.addWidget(qt.QLabel("  Map: "))
        self.maps = qt.QComboBox(self)
        self.maps.setObjectName("map")
        self.maps.addItem(icon("layer-map"), "none", None)
        for name, text in MAPS.items():
            self.maps.addItem(icon("layer-map"), text, name)
        self.maps.currentIndexChanged.connect(lambda _: self.sigMapChanged.emit(self.map()))
        self.addWidget(self.maps)

    def action(self, name: str) -> qt.QAction:
        """Button of a layer."""
        return super().action(f"layer-{name}")

    def map(self) -> MapName | None:
        """The map that is chosen."""
        name: MapName | None = self.maps.currentData()
        return name
