"""The spots over the image: a cloud whose colours say something, and marks for those that need attention."""

from __future__ import annotations

import math

import numpy as np
from silx.gui.colors import Colormap
from silx.gui.plot import PlotWidget
from silx.gui.plot.items.scatter import Scatter

from ...base.arrays import AnyArray, Bools
from ...judging.measures import NAMED
from ..work.layers import SpotKind, SpotLayer
from ..work.thinning import thinned_spots
from .layer import Layer, seen_part

#: What the colour of a spot may say -> the words for it.
COLOURINGS = {"residual": "Residual, px", "sigma": "Sigma, px", "chi2": "Reduced chi square", "kind": "One colour"}
#: Spots and pieces of the grid that a plot backend draws in a tenth of a second.
LIMITS = {"matplotlib": (2500, 6000), "opengl": (60000, 120000)}
#: Kinds of spots that are always drawn, each by itself: legend, symbol, colour.
STYLES: dict[SpotKind, tuple[str, str, str]] = {
    SpotKind.OUTLIER: ("outliers", "x", "#ff3030"),
    SpotKind.STRAY: ("without a node", "d", "#ff9020"),
    SpotKind.REMOVED: ("removed", "x", "#a0a0a0"),
}
#: Size and colour of the ring around one of the worst.
RING, RED = 26, (255, 64, 64, 255)
#: Of disks over the holes.
DISK_ALPHA = 0.5
#: Size of a mark, and smallest and largest size of a plain spot, points on the screen.
MARK, SMALLEST, LARGEST = 9, 4, 24
#: Farther from the mouse than this, px, a spot is not told of.
NEAR = 20
#: Percentage of the values that the colours reach up to: a few bad spots do not make all others look the same.
TOP = 98


def most_drawn(plot: PlotWidget) -> tuple[int, int]:
    """How many spots, and how many pieces of the grid, are drawn at once in a plot."""
    return LIMITS["opengl" if "OpenGL" in type(plot.getBackend()).__name__ else "matplotlib"]


class Rings(Scatter):  # type: ignore[misc]
    """Points as open circles, so that what is measured is seen within; OpenGL has none, its disks are transparent."""

    def __init__(self, name: str, z: int, colormap: Colormap):
        super().__init__()
        self.setName(name)
        self.setSymbol("o")
        self.setZValue(z)
        self.setColormap(colormap)

    def _addBackendRenderer(self, backend: object) -> object:
        self.setAlpha(DISK_ALPHA if "OpenGL" in type(backend).__name__ else 1.0)
        renderer = super()._addBackendRenderer(backend)
        for artist in getattr(renderer, "get_children", list)():
            artist.set_facecolor("none")
            artist.set_linewidth(1.5)
        return renderer


class SpotCloud(Layer):
    """The spots, a :class:`~pyfai_gridcal.gui.work.layers.SpotLayer`."""

    data: SpotLayer | None

    def __init__(self, plot: PlotWidget):
        super().__init__(plot)
        self.colouring = "residual"
        self._step = 1
        self._scatter = Rings("spots", 5, Colormap("viridis"))
        self._worst = Rings("worst", 7, Colormap(name=None, colors=np.array([RED, RED], np.uint8)))
        self._worst.setSymbolSize(RING)

    @property
    def colormap(self) -> Colormap:
        """Colours of the spots."""
        return self._scatter.getColormap()

    @property
    def is_coloured(self) -> bool:
        """Whether the colours of the spots say anything yet."""
        return self.colouring != "kind" and bool(np.isfinite(self._values()).any())

    @property
    def note(self) -> str:
        """That not all are drawn."""
        return f"every {self._step}. row drawn, zoom in to see all" if self._step > 1 else ""

    def draw(self) -> None:
        """Draw the spots in view, of too many a sub-lattice."""
        layer = self.data
        self._ringWorst(layer)
        if layer is None or not self.visible or not len(layer):
            self.place(self._scatter, False)
            for legend, *_ in STYLES.values():
                self.plot.remove(legend, kind="curve")
            self._step = 1
            return
        drawn, self._step = thinned_spots(layer, seen_part(self.plot), most_drawn(self.plot)[0])
        self._drawMarks(layer, drawn)
        # The scale is that of all good spots, not of those in view: zooming changes no colours.
        good = (layer.kind != SpotKind.REMOVED) & (layer.kind != SpotKind.OUTLIER)
        value = self._values()
        known = value[np.isfinite(value) & good]
        top = float(np.percentile(known, TOP)) if known.size else 1.0
        self.colormap.setName("viridis" if self.is_coloured else "summer")
        self.colormap.setVRange(0.0, top if top > 0 else 1.0)
        plain = drawn & good & (layer.kind != SpotKind.STRAY)
        self._scatter.setData(layer.x[plain], layer.y[plain], np.nan_to_num(value[plain]), copy=False)
        self._scatter.setSymbolSize(self._symbolSize(layer))
        self.place(self._scatter, True)

    def _ringWorst(self, layer: SpotLayer | None) -> None:
        """Numbered rings around the worst, also where no spots are drawn."""
        for k in range(NAMED):
            self.plot.remove(f"worst {k}", kind="marker")
        rows: AnyArray | list[int] = [] if layer is None else layer.worst
        if layer is not None and len(rows):
            x, y = layer.x[rows], layer.y[rows]
            self._worst.setData(x, y, np.zeros(len(x)))
            for k in range(len(x)):
                self.plot.addMarker(x[k], y[k], legend=f"worst {k}", text=f"  {k + 1}", color="#ff6060", symbol="")
        self.place(self._worst, len(rows) > 0)

    def _drawMarks(self, layer: SpotLayer, drawn: Bools) -> None:
        for kind, (legend, symbol, colour) in STYLES.items():
            which = drawn & (layer.kind == kind)
            if not which.any():
                self.plot.remove(legend, kind="curve")
                continue
            self.plot.addCurve(
                layer.x[which], layer.y[which], legend=legend, linestyle="", symbol=symbol, color=colour, z=6,
                resetzoom=False, selectable=False,
            )  # fmt: skip
            self.plot.getCurve(legend).setSymbolSize(MARK)

    def _symbolSize(self, layer: SpotLayer) -> float:
        """Half of the distance between the spots on the screen, around most holes, within limits."""
        window, width = seen_part(self.plot), max(1, self.plot.getPlotBoundsInPixels()[2])
        area = (np.ptp(layer.x) + 1) * (np.ptp(layer.y) + 1)
        pitch = self._step * math.sqrt(area / len(layer)) * width / (window.right - window.left)
        return float(np.clip(pitch / 2, SMALLEST, LARGEST))

    def _values(self) -> AnyArray:
        """The numbers behind the colours."""
        if self.data is None or self.colouring == "kind":
            return np.zeros(0 if self.data is None else len(self.data))
        value: AnyArray = getattr(self.data, self.colouring)
        return value

    def wordsAt(self, x: float, y: float) -> str:
        """The spot near a point of the plot in words."""
        layer = self.data
        if layer is None or not len(layer):
            return "-"
        distance, row = layer.tree.query((y, x))
        if distance > NEAR:
            return "-"
        kind = SpotKind(int(layer.kind[row]))
        words = {SpotKind.OUTLIER: "outlier", SpotKind.STRAY: "no node", SpotKind.REMOVED: "removed"}.get(kind, "")
        node = f"({layer.ij[row, 0]}, {layer.ij[row, 1]})" if kind in (SpotKind.USED, SpotKind.OUTLIER) else ""
        off = f"residual {layer.residual[row]:.3f} px" if np.isfinite(layer.residual[row]) else ""
        return " ".join(part for part in (node, words, off, f"sigma {layer.sigma[row]:.3f} px") if part)
