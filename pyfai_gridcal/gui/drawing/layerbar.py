"""The bar over the plot: which layers are shown, what the colours of spots say, and which map lies over the image."""

from __future__ import annotations

from silx.gui import qt

from ..work.layers import MAPS, MapName
from .artwork import icon
from .plot import COLOURINGS, LAYERS, GridPlot

__all__ = ["LayerBar"]


class LayerBar(qt.QToolBar):  # type: ignore[misc]
    """Controls of the layers of a plot."""

    #: The map that is asked for, None for none.
    sigMapChanged = qt.Signal(object)

    def __init__(self, plot: GridPlot, parent: qt.QWidget | None = None):
        super().__init__("Layers", parent)
        self.setObjectName("toolbar-layers")
        self._plot = plot
        self._actions: dict[str, qt.QAction] = {}
        for number, (name, text) in enumerate(LAYERS.items(), start=1):
            action = qt.QAction(icon(f"layer-{name}"), text, self)
            action.setObjectName(f"layer-{name}")
            action.setCheckable(True)
            action.setChecked(plot.isLayerVisible(name))
            action.setShortcut(qt.QKeySequence(f"Ctrl+{number}"))
            action.setToolTip(f"<b>{text}</b> (Ctrl+{number})<br/>Show or hide")
            action.toggled.connect(lambda on, name=name: plot.setLayerVisible(name, on))
            self.addAction(action)
            self._actions[name] = action
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
        return self._actions[name]

    def map(self) -> MapName | None:
        """The map that is chosen."""
        name: MapName | None = self.maps.currentData()
        return name

    def changeEvent(self, event: qt.QEvent) -> None:
        """Draw the icons again when the colours of the windows change."""
        super().changeEvent(event)
        if event.type() == qt.QEvent.Type.PaletteChange:
            for name, action in getattr(self, "_actions", {}).items():
                action.setIcon(icon(f"layer-{name}", palette=self.palette()))
