"""The plot of the grid image with its layers and the tools to work on the spots."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from silx.gui import qt
from silx.gui.colors import Colormap
from silx.gui.plot import PlotWindow
from silx.gui.plot.items.image import ImageData
from silx.gui.plot.items.scatter import Scatter
from silx.gui.plot.tools.PositionInfo import PositionInfo

from ...base.arrays import AnyArray, Bools
from ..work.layers import GridLines, MapImage, SpotKind, SpotLayer, VectorLines, plot_xy, yx_of_plot
from ..work.thinning import Window, thinned_lines, thinned_spots
from .calm import hide_axes
from .pyramid import PyramidImage
from .tools import SpotTools

__all__ = ["COLOURINGS", "LAYERS", "GridPlot"]

#: Layers that can be shown and hidden: name -> text.
LAYERS = {
    "spots": "Spots",
    "grid": "Fitted grid",
    "vectors": "Displacement vectors",
    "unknown": "Where the displacement is not known",
}
COLOURINGS = {"residual": "Residual, px", "sigma": "Sigma, px", "chi2": "Reduced chi square", "kind": "One colour"}
#: Spots and pieces of the grid that a plot backend draws in a tenth of a second.
LIMITS = {"matplotlib": (2500, 6000), "opengl": (60000, 120000)}
STYLES: dict[SpotKind, tuple[str, str, str]] = {
    SpotKind.OUTLIER: ("outliers", "x", "#ff3030"),
    SpotKind.STRAY: ("without a node", "d", "#ff9020"),
    SpotKind.REMOVED: ("removed", "x", "#a0a0a0"),
}


class GridPlot(PlotWindow):  # type: ignore[misc]
    """A silx plot of the image, with what was found in it drawn over it.

    All positions are given and told in px, index frame, order (y, x).
    """

    #: The user drew on the mask.
    sigMaskDrawn = qt.Signal()

    def __init__(self, parent: qt.QWidget | None = None, backend: str | None = None):
        super().__init__(
            parent=parent, backend=backend, autoScale=False, logScale=False, grid=False, curveStyle=False,
            roi=False, mask=True, fit=False, print_=False,
        )  # fmt: skip
        self.setKeepDataAspectRatio(True)
        self.setDataMargins(0.01, 0.01, 0.01, 0.01)
        hide_axes(self)
        self.setGraphXLabel("fast (x), px")
        self.setGraphYLabel("slow (y), px")
        self._spots: SpotLayer | None = None
        self._lines: GridLines | None = None
        self._colouring = "residual"
        self._visible = {"spots": True, "grid": False, "vectors": False, "unknown": True}
        self._makeItems()
        self.tools = SpotTools(self)
        self.addToolBar(self.tools)
        self._makeStatus()
        self._makeScale()
        self._redraw = qt.QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(40)
        self._redraw.timeout.connect(self._drawThinned)
        for axis in (self.getXAxis(), self.getYAxis()):
            axis.sigLimitsChanged.connect(self._limitsChanged)
        self.getMaskToolsDockWidget().widget().setMultipleMasks("single")
        self.getMaskToolsDockWidget().widget().sigMaskChanged.connect(self._maskChanged)

    # -- parts
    def _makeItems(self) -> None:
        self._image = PyramidImage()
        self._image.setName("image")
        self._image.setColormap(Colormap("gray", normalization=Colormap.LOGARITHM))
        self._map = ImageData()
        self._map.setName("map")
        self._map.setColormap(Colormap("viridis"))
        self._map.setAlpha(0.75)
        self._map.setZValue(1)
        self._unknown = ImageData()
        self._unknown.setName("unknown")
        self._unknown.setZValue(2)
        colours = np.array([(0, 0, 0, 0), (255, 60, 60, 90)], np.uint8)
        self._unknown.setColormap(Colormap(name=None, colors=colours, vmin=0, vmax=1))
        self._scatter = Scatter()
        self._scatter.setName("spots")
        self._scatter.setSymbol("o")
        self._scatter.setColormap(Colormap("viridis"))
        self._scatter.setZValue(5)
        self._origin: Any = None

    def _makeScale(self) -> None:
        """The colour bar keeps its place and its width, for each change of the plot's size draws all anew."""
        bar = self.getColorBarWidget()
        bar.setPlot(None)
        bar.layout().setSizeConstraint(qt.QLayout.SizeConstraint.SetNoConstraint)
        bar.setColormap(Colormap("viridis", vmin=0.0, vmax=0.0123))
        bar.setLegend(COLOURINGS["residual"])
        bar.setFixedWidth(bar.layout().sizeHint().width())  # that of a scale with long numbers
        policy = bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        bar.setSizePolicy(policy)
        bar.setVisible(False)

    def _makeStatus(self) -> None:
        converters: list[tuple[str, Callable[[float, float], Any]]] = [
            ("x", lambda x, y: f"{yx_of_plot(x, y)[1]:.2f}"),
            ("y", lambda x, y: f"{yx_of_plot(x, y)[0]:.2f}"),
            ("Value", self._valueAt),
        ]
        self._position = PositionInfo(plot=self, converters=converters, parent=self)
        self._spotLabel = qt.QLabel(self)
        self._spotLabel.setSizePolicy(qt.QSizePolicy.Policy.Ignored, qt.QSizePolicy.Policy.Preferred)
        self._spotLabel.setObjectName("plot-spot")
        self.sigPlotSignal.connect(self._tellSpot)
        self._note = qt.QLabel(self)
        self._note.setObjectName("plot-note")
        status = qt.QStatusBar(self)
        status.setSizeGripEnabled(False)
        status.addWidget(self._position)
        status.addWidget(self._spotLabel, 1)
        status.addPermanentWidget(self._note)
        self.setStatusBar(status)

    # -- what is shown
    def setImage(self, levels: tuple[AnyArray, ...], limits: tuple[float, float], *, reset: bool = True) -> None:
        """Show an image by its pyramid; `limits` are the counts at both ends of the colours."""
        colormap = self._image.getColormap()
        if reset:
            colormap.setVRange(*limits)
        self._image.setPyramid(levels)
        if self._image.getPlot() is None:
            self.addItem(self._image)
            self.setActiveImage(self._image)
        if reset:
            self.resetZoom()

    def clearImage(self) -> None:
        """Show no image."""
        if self._image.getPlot() is not None:
            self.removeItem(self._image)

    def clearLayers(self) -> None:
        """Hide all that follows from a calibration; the image stays."""
        self.setSpots(None)
        self.setGrid(None)
        self.setVectors(None)
        self.setMap(None)
        self.setUnknown(None)
        self.setOrigin(None)

    def setSpots(self, layer: SpotLayer | None) -> None:
        """Show spots."""
        self._spots = layer if layer is not None and len(layer) else None
        self._drawThinned()
        self._showScale()

    def setGrid(self, lines: GridLines | None) -> None:
        """Show the fitted grid."""
        self._lines = lines
        self._drawGrid()

    def setVectors(self, lines: VectorLines | None) -> None:
        """Show displacement vectors, with their scale."""
        self._vectors = lines
        if lines is None or not self._visible["vectors"]:
            self.remove("vectors", kind="curve")
        else:
            self.addCurve(
                lines.x, lines.y, legend="vectors", color="#20c0ff", linestyle="-", symbol="", z=4, resetzoom=False,
                copy=False, selectable=False,
            )  # fmt: skip
        self._tellNote()

    def setMap(self, image: MapImage | None) -> None:
        """Show a map over the image, with the colour bar."""
        present = self._map.getPlot() is not None
        if image is None:
            if present:
                self.removeItem(self._map)
                self.setActiveImage(self._image if self._image.getPlot() is not None else None)
                self._showScale()
            return
        colormap = Colormap("seismic" if image.signed else "viridis")
        finite = np.abs(image.values[np.isfinite(image.values)])
        top = float(np.percentile(finite, 99.5)) if finite.size else 1.0
        low, high = -top if image.signed else 0.0, max(top, 1e-12)
        if image.label == COLOURINGS[self._colouring] and self._spots is not None and self._isColoured(self._spots):
            low, high = self._scatter.getColormap().getVRange()  # spots and map of the same have the same colours
        colormap.setVRange(low, high)
        colormap.setNaNColor("#00000000")
        self._map.setData(image.values, copy=False)
        self._map.setOrigin(image.origin)
        self._map.setScale(image.scale)
        self._map.setColormap(colormap)
        if not present:
            self.addItem(self._map)
        self._mapImage = image
        self._showScale()

    def _showScale(self) -> None:
        """Colour bar of the map, or without one of the spots."""
        bar = self.getColorBarWidget()
        bar.setVisible(True)
        if self._map.getPlot() is not None:
            bar.setColormap(self._map.getColormap())
            bar.setLegend("" if self._mapImage is None else self._mapImage.label)
        elif self._spots is not None and self._visible["spots"] and self._isColoured(self._spots):
            bar.setColormap(self._scatter.getColormap())
            bar.setLegend(COLOURINGS[self._colouring])
        else:
            bar.setVisible(False)

    def setUnknown(self, mask: Bools | None) -> None:
        """Tint the pixels (ny, nx) whose displacement is not known."""
        present = self._unknown.getPlot() is not None
        self._unknownMask = mask
        if mask is None or not self._visible["unknown"] or not mask.any():
            if present:
                self.removeItem(self._unknown)
            return
        # A tint needs no more pixels than the screen has.
        step = max(1, math.ceil(max(mask.shape) / 1024))
        self._unknown.setData(np.ascontiguousarray(mask[::step, ::step], np.uint8), copy=False)
        self._unknown.setScale((float(step), float(step)))
        if not present:
            self.addItem(self._unknown)

    def setOrigin(self, yx: tuple[float, float] | None) -> None:
        """Mark the spot that is node (0, 0)."""
        self.remove("origin", kind="marker")
        if yx is not None:
            x, y = plot_xy(np.array([yx]))
            self.addMarker(x.item(), y.item(), legend="origin", text="(0, 0)", color="#ff40ff", symbol="+")

    def setColouring(self, name: str) -> None:
        """What the colour of a spot says: one of :data:`COLOURINGS`."""
        self._colouring = name
        self._drawThinned()
        if self._map.getPlot() is not None:
            self.setMap(self._mapImage)
        self._showScale()

    def colouring(self) -> str:
        """What the colour of a spot says."""
        return self._colouring

    def setLayerVisible(self, name: str, visible: bool) -> None:
        """Show or hide one of :data:`LAYERS`."""
        self._visible[name] = visible
        if name == "vectors":
            self.setVectors(self._vectors)
        elif name == "unknown":
            self.setUnknown(self._unknownMask)
        else:
            self._drawThinned()

    def isLayerVisible(self, name: str) -> bool:
        """Whether a layer is to be seen, if there is anything on it."""
        return self._visible[name]

    def drawnMask(self) -> Bools | None:
        """The mask that the user drew, (ny, nx) True = ignore."""
        mask = self.getMaskToolsDockWidget().getSelectionMask(copy=False)
        return None if mask is None or not mask.size else mask != 0

    def setDrawnMask(self, mask: Bools | None) -> None:
        """Put a mask in the place of the drawn one."""
        if self._image.getPlot() is None:
            return
        tools = self.getMaskToolsDockWidget().widget()
        blocked = self.blockSignals(True)
        try:
            tools.setSelectionMask(np.zeros(self._image.getData(copy=False).shape, np.uint8) if mask is None else mask)
        finally:
            self.blockSignals(blocked)
        self._showMask()

    def lookAt(self, yx: AnyArray, reach: float, shape: tuple[int, int]) -> None:
        """Show a point (y, x) and what is around it, the point in the middle unless the border of the image is near.

        The view reaches at least `reach` px from its middle, and never farther than now.
        """
        middle, half = [], []
        for limits in (self.getYAxis().getLimits(), self.getXAxis().getLimits()):
            half.append((limits[1] - limits[0]) / 2)
        zoom = min(1.0, reach / min(half))
        for at, n, wide in zip(plot_xy(np.reshape(yx, (1, 2)))[::-1], shape, half, strict=True):
            margin = min(zoom * wide, n / 2)
            middle.append(float(np.clip(at[0], margin, n - margin)))
        (y, x), (tall, wide) = middle, (zoom * one for one in half)
        self.setLimits(x - wide, x + wide, y - tall, y + tall)

    def _maskChanged(self) -> None:
        self._showMask()
        self.sigMaskDrawn.emit()

    def _showMask(self) -> None:
        """Show the drawn mask if there is anything on it: an empty one costs as much to draw as the whole image."""
        tools = self.getMaskToolsDockWidget().widget()
        overlay = self.getImage(tools._maskName)
        if overlay is not None:
            overlay.setVisible(bool(tools.getSelectionMask(copy=False).any()))

    _vectors: VectorLines | None = None
    _mapImage: MapImage | None = None
    _unknownMask: Bools | None = None

    # -- drawing of what can be too much to draw
    def _window(self) -> Window:
        (left, right), (bottom, top) = self.getXAxis().getLimits(), self.getYAxis().getLimits()
        return Window(left, right, bottom, top)

    def _limit(self) -> tuple[int, int]:
        return LIMITS["opengl" if "OpenGL" in type(self.getBackend()).__name__ else "matplotlib"]

    def _limitsChanged(self, *_: float) -> None:
        if self._spots is not None or self._lines is not None:
            self._redraw.start()

    def _drawThinned(self) -> None:
        step = self._drawSpots()
        step = max(step, self._drawGrid())
        self._step = step
        self._tellNote()

    _step = 1

    def _tellNote(self) -> None:
        notes = []
        if self._step > 1:
            notes.append(f"every {self._step}. row drawn, zoom in to see all")
        if self._vectors is not None and self._visible["vectors"]:
            notes.append(self._vectors.text)
        self._note.setText("; ".join(notes))

    def _drawSpots(self) -> int:
        layer = self._spots
        if layer is None or not self._visible["spots"]:
            if self._scatter.getPlot() is not None:
                self.removeItem(self._scatter)
            for kind in STYLES:
                self.remove(STYLES[kind][0], kind="curve")
            return 1
        drawn, step = thinned_spots(layer, self._window(), self._limit()[0])
        self._drawMarked(layer, drawn)
        plain = drawn & ((layer.kind == SpotKind.USED) | (layer.kind == SpotKind.FOUND))
        value = self._valueOf(layer)
        colormap = self._scatter.getColormap()
        colormap.setName("viridis" if self._isColoured(layer) else "summer")
        used = value[np.isfinite(value) & (layer.kind != SpotKind.REMOVED) & (layer.kind != SpotKind.OUTLIER)]
        top = float(np.percentile(used, 98)) if used.size else 1.0
        colormap.setVRange(0.0, top if top > 0 else 1.0)
        self._scatter.setData(layer.x[plain], layer.y[plain], np.nan_to_num(value[plain]), copy=False)
        self._scatter.setSymbolSize(self._symbolSize(layer, step))
        if self._scatter.getPlot() is None:
            self.addItem(self._scatter)
        return step

    def _symbolSize(self, layer: SpotLayer, step: int) -> float:
        """A third of the distance between the spots on the screen, within limits."""
        window, width = self._window(), max(1, self.getPlotBoundsInPixels()[2])
        area = (layer.x.max() - layer.x.min() + 1) * (layer.y.max() - layer.y.min() + 1)
        pitch = step * math.sqrt(area / len(layer)) * width / (window.right - window.left)
        return float(np.clip(pitch / 3, 3, 9))

    def _valueOf(self, layer: SpotLayer) -> AnyArray:
        if self._colouring == "kind":
            return np.zeros(len(layer))
        value: AnyArray = getattr(layer, self._colouring)
        return value

    def _isColoured(self, layer: SpotLayer) -> bool:
        """Whether the colours of the spots say anything yet."""
        return self._colouring != "kind" and bool(np.isfinite(self._valueOf(layer)).any())

    def _drawMarked(self, layer: SpotLayer, drawn: Bools) -> None:
        for kind, (legend, symbol, colour) in STYLES.items():
            which = drawn & (layer.kind == kind)
            if not which.any():
                self.remove(legend, kind="curve")
                continue
            self.addCurve(
                layer.x[which], layer.y[which], legend=legend, linestyle="", symbol=symbol, color=colour, z=6,
                resetzoom=False, selectable=False,
            )  # fmt: skip
            self.getCurve(legend).setSymbolSize(9)

    def _drawGrid(self) -> int:
        if self._lines is None or not self._visible["grid"] or not len(self._lines.number):
            self.remove("grid", kind="curve")
            return 1
        drawn = thinned_lines(self._lines, self._window(), self._limit()[1])
        x, y = self._lines.line(drawn)
        self.addCurve(
            x, y, legend="grid", color="#40ff80", linestyle="-", symbol="", z=3, resetzoom=False, copy=False,
            selectable=False,
        )  # fmt: skip
        return 1

    def _valueAt(self, x: float, y: float) -> str:
        data = self._image.getData(copy=False)
        row, column = math.floor(y), math.floor(x)
        if 0 <= row < data.shape[0] and 0 <= column < data.shape[1]:
            return f"{data[row, column]:g}"
        return "-"

    def _tellSpot(self, event: dict[str, Any]) -> None:
        if event["event"] == "mouseMoved":
            self._spotLabel.setText(f"<b>Spot:</b> {self._spotAt(event['x'], event['y'])}")

    def _spotAt(self, x: float, y: float) -> str:
        """The spot near a point in words."""
        layer = self._spots
        if layer is None:
            return "-"
        distance, row = layer.tree.query((y, x))
        if distance > 20:
            return "-"
        kind = SpotKind(int(layer.kind[row]))
        words = {SpotKind.OUTLIER: "outlier", SpotKind.STRAY: "no node", SpotKind.REMOVED: "removed"}.get(kind, "")
        node = f"({layer.ij[row, 0]}, {layer.ij[row, 1]})" if kind in (SpotKind.USED, SpotKind.OUTLIER) else ""
        off = f"residual {layer.residual[row]:.3f} px" if np.isfinite(layer.residual[row]) else ""
        return " ".join(part for part in (node, words, off, f"sigma {layer.sigma[row]:.3f} px") if part)
