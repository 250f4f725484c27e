"""Statistics of rectangles that the user draws, in the table of silx."""

from __future__ import annotations

import numpy as np
from silx.gui import qt
from silx.gui.plot import PlotWindow
from silx.gui.plot.items.roi import RectangleROI
from silx.gui.plot.ROIStatsWidget import ROIStatsWidget
from silx.gui.plot.tools.roi import RegionOfInterestManager

#: What is told of the counts in a rectangle.
STATISTICS = (("min", np.nanmin), ("max", np.nanmax), ("mean", np.nanmean), ("std", np.nanstd), ("sum", np.nansum))


class RegionStatistics(qt.QDockWidget):  # type: ignore[misc]
    """Hidden until the first rectangle is drawn.

    Attributes
    ----------
    action : takes the tool that draws one in hand
    """

    def __init__(self, plot: PlotWindow):
        super().__init__("Statistics of rectangles", plot)
        self._plot = plot
        self._table = ROIStatsWidget(parent=self, plot=plot, stats=STATISTICS)
        self.setWidget(self._table)
        self._rois = RegionOfInterestManager(plot)
        self._rois.sigInteractiveRoiFinalized.connect(self._drawn)
        self.visibilityChanged.connect(lambda _: self.isHidden() and self._rois.clear())
        self.action = self._rois.getInteractionModeAction(RectangleROI)
        self.action.setToolTip("Statistics of a rectangle")
        plot.addDockWidget(qt.Qt.DockWidgetArea.BottomDockWidgetArea, self)
        self.hide()

    def _drawn(self, roi: RectangleROI) -> None:
        image = self._plot.getActiveImage()
        if image is not None:
            roi.setName(f"rectangle {len(self._rois.getRois())}")
            self._table.registerROI(roi)
            self._table.addItem(image, roi)
            self.show()
