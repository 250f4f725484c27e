"""The bar over the plot: which layers are shown, what the colours of spots say, and which map lies over the image."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from silx.gui import qt

from ..work.layers import MAPS, MapName
from .actions import Command, IconBar
from .artwork import icon
from .plot import LAYERS, GridPlot
from .spots import COLOURINGS


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
        self.colours = self._addChoice(" Spots: ", "spot-colours", COLOURINGS)
        self.colours.currentIndexChanged.connect(lambda _: plot.setColouring(self.colours.currentData()))
        self.maps = self._addChoice(" Map: ", "map", {None: "none", **MAPS}, icon("layer-map"))
        self.maps.currentIndexChanged.connect(lambda _: self.sigMapChanged.emit(self.map()))

    def _addChoice(
        self, label: str, name: str, choices: Mapping[Any, str], picture: qt.QIcon | None = None
    ) -> qt.QComboBox:
        """Add a choice of values, by the words for them."""
        box = qt.QComboBox(self)
        box.setObjectName(name)
        # Narrow enough for the window of pyFAI-calib2 on a small screen; the list is as wide as its words.
        box.setSizeAdjustPolicy(qt.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(14)
        box.view().setTextElideMode(qt.Qt.TextElideMode.ElideNone)
        box.view().setMinimumWidth(box.view().sizeHintForColumn(0) if box.count() else 0)
        for value, text in choices.items():
            box.addItem(picture or qt.QIcon(), text, value)
        self.addWidget(qt.QLabel(label))
        self.addWidget(box)
        return box

    def action(self, name: str) -> qt.QAction:
        """Button of a layer."""
        return super().action(f"layer-{name}")

    def map(self) -> MapName | None:
        """The map that is chosen."""
        name: MapName | None = self.maps.currentData()
        return name
