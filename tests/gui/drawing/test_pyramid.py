"""Only what is seen is handed to the plot, as coarsely as the screen."""

from __future__ import annotations

import numpy as np
import pytest
from qtest import qt  # noqa: F401
from silx.gui.plot import PlotWidget

from pyfai_gridcal.gui.drawing.pyramid import PyramidImage
from pyfai_gridcal.gui.work.layers import build_pyramid

pytestmark = pytest.mark.gui


class Backend:
    """Remembers what it is asked to draw."""

    def addImage(self, data, origin, scale, colormap, alpha):
        self.data, self.origin, self.scale = data, origin, scale


@pytest.fixture
def item(qapp, keep):
    plot, item = keep(PlotWidget()), PyramidImage()
    item.setName("image")
    item.setPyramid(build_pyramid(np.arange(4000.0 * 3000).reshape(4000, 3000)))
    plot.addItem(item)
    return item


def test_all_of_it_is_drawn_coarsely(item):
    item.getPlot().setLimits(0, 3000, 0, 4000)
    backend = Backend()
    item._addBackendRenderer(backend)
    assert backend.origin == (0.0, 0.0)
    step = backend.scale[0]
    assert step >= 2
    assert backend.data.shape == (4000 // step, 3000 // step)


def test_a_part_is_drawn_in_full_at_its_place(item):
    item.getPlot().setLimits(1000, 1200, 2500, 2650)
    backend = Backend()
    item._addBackendRenderer(backend)
    x, y = map(int, backend.origin)
    assert backend.scale == (1.0, 1.0)
    assert (x < 1000, y < 2500) == (True, True)
    assert (x + backend.data.shape[1] > 1200, y + backend.data.shape[0] > 2650) == (True, True)
    assert max(backend.data.shape) < 1200
    np.testing.assert_array_equal(
        backend.data, item.getData(copy=False)[y:, x:][: len(backend.data), : len(backend.data[0])]
    )
