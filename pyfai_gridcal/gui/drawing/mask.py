"""The mask that the user draws with the tools of silx."""

from __future__ import annotations

import numpy as np
from silx.gui import qt
from silx.gui.plot import PlotWindow
from silx.gui.utils import blockSignals

from ...base.arrays import Bools
from .calm import free_keys


class DrawnMask(qt.QObject):  # type: ignore[misc]
    """The mask drawn in a plot, (ny, nx) True = ignore."""

    #: The user drew on it.
    sigDrawn = qt.Signal()

    def __init__(self, plot: PlotWindow):
        super().__init__(plot)
        self._plot, self._tools = plot, plot.getMaskToolsDockWidget().widget()
        self._tools.setMultipleMasks("single")
        self._tools.sigMaskChanged.connect(self._changed)
        free_keys(*self._tools.findChildren(qt.QAction))

    def value(self) -> Bools | None:
        """The mask, None where there is none."""
        mask = self._tools.getSelectionMask(copy=False)
        return None if mask is None or not mask.size else mask != 0

    def setValue(self, mask: Bools | None) -> None:
        """Put a mask in the place of the drawn one, without telling."""
        image = self._plot.getImage("image")
        if image is None:
            return
        with blockSignals(self):
            self._tools.setSelectionMask(np.zeros(image.getData(copy=False).shape, np.uint8) if mask is None else mask)
        self._changed(tell=False)

    def _changed(self, *, tell: bool = True) -> None:
        """Show the mask if there is anything on it: an empty one costs as much to draw as the whole image."""
        overlay = self._plot.getImage(self._tools._maskName)
        if overlay is not None:
            overlay.setVisible(bool(self._tools.getSelectionMask(copy=False).any()))
        if tell:
            self.sigDrawn.emit()
