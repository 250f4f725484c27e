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


def region_statistics(plot: PlotWindow) -> qt.QAction:
    """The tool that draws rectangles in a plot; the table opens below with the first, closed it takes all away."""
    dock, regions = qt.QDockWidget("Statistics of rectangles", plot), RegionOfInterestManager(plot)
    table = ROIStatsWidget(parent=dock, plot=plot, stats=STATISTICS)

    def drawn(region: RectangleROI) -> None:
        if (image := plot.getActiveImage()) is not None:
            region.setName(f"rectangle {len(regions.getRois())}")
            table.registerROI(region)
            table.addItem(image, region)
            dock.show()

    dock.setWidget(table)
    plot.addDockWidget(qt.Qt.DockWidgetArea.BottomDockWidgetArea, dock)
    dock.hide()
    dock.visibilityChanged.connect(lambda _: dock.isHidden() and regions.clear())
    regions.sigInteractiveRoiFinalized.connect(drawn)
    action = regions.getInteractionModeAction(RectangleROI)
    action.setToolTip("Statistics of a rectangle")
    return action
