"""An image item that draws only what is seen, as coarsely as the screen: panning 64 megapixels costs no more than one.

silx hands the whole image to its plot backend; with matplotlib the colours of 16 megapixels take a second each time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from silx.gui.plot import PlotWidget
from silx.gui.plot.backends.BackendBase import BackendBase
from silx.gui.plot.items.image import ImageData

from ...base.arrays import AnyArray

#: Images up to this many pixels per screen pixel and axis are drawn as they are: holes of few pixels stay whole.
OVERSAMPLING = 1.5
#: How far beyond the view the drawn part reaches, as a fraction of the view: small steps of the hand draw nothing new,
#: and the part is not more than three times what is seen.
MARGIN = 0.35


class PyramidImage(ImageData):  # type: ignore[misc]
    """Image of which the backend gets the visible part of a level of its pyramid."""

    def __init__(self) -> None:
        super().__init__()
        self._levels: tuple[AnyArray, ...] = ()
        self._drawn: tuple[int, int, int, int, int] | None = None

    def setPyramid(self, levels: tuple[AnyArray, ...]) -> None:
        """Show the image whose pyramid this is, see :func:`~pyfai_gridcal.gui.work.layers.build_pyramid`."""
        self._levels = levels
        self._drawn = None
        self.setData(levels[0], copy=False)

    def _setPlot(self, plot: PlotWidget | None) -> None:
        for on, where in ((False, self.getPlot()), (True, plot)):
            for axis in () if where is None else (where.getXAxis(), where.getYAxis()):
                (axis.sigLimitsChanged.connect if on else axis.sigLimitsChanged.disconnect)(self._limitsChanged)
        super()._setPlot(plot)

    def _limitsChanged(self, *_: float) -> None:
        wanted = self._wanted(0.0)
        if self._drawn is None or wanted is None:
            self._updated()
            return
        level, top, bottom, left, right = wanted
        drawn = self._drawn
        inside = drawn[1] <= top and drawn[2] >= bottom and drawn[3] <= left and drawn[4] >= right
        if level != drawn[0] or not inside:
            self._updated()

    def _wanted(self, margin: float) -> tuple[int, int, int, int, int] | None:
        """Level, first and last row, first and last column (px of the full image) of what is seen with a margin."""
        plot = self.getPlot()
        if plot is None or not self._levels:
            return None
        ny, nx = self._levels[0].shape
        width, height = plot.getPlotBoundsInPixels()[2:]
        ends, zoom = [], []
        for (low, high), size, screen in (
            (plot.getYAxis().getLimits(), ny, height),
            (plot.getXAxis().getLimits(), nx, width),
        ):
            reach = margin * (high - low)
            ends += [int(np.clip(np.floor(low - reach), 0, size)), int(np.clip(np.ceil(high + reach), 0, size))]
            zoom.append((high - low) / max(1, screen))
        step = max(1.0, min(zoom) / OVERSAMPLING)
        level = min(int(np.ceil(np.log2(step))), len(self._levels) - 1)
        return (level, *ends)  # type: ignore[return-value]

    def _addBackendRenderer(self, backend: BackendBase) -> Any:
        wanted = self._wanted(MARGIN)
        if wanted is None or not self._isPlotLinear(self.getPlot()):
            return None
        level, top, bottom, left, right = wanted
        factor = 2**level
        data = self._levels[level]
        rows = slice(top // factor, max(-(-bottom // factor), top // factor + 1))
        columns = slice(left // factor, max(-(-right // factor), left // factor + 1))
        part = data[rows, columns]
        if part.size == 0:
            return None
        self._drawn = wanted
        return backend.addImage(
            np.ascontiguousarray(part),
            origin=(float(columns.start * factor), float(rows.start * factor)),
            scale=(float(factor), float(factor)),
            colormap=self._getColormapForRendering(),
            alpha=self.getAlpha(),
        )
