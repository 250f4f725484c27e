"""Two images are compared once both are there, and asked for when they are looked for."""

from __future__ import annotations

import numpy as np
import pytest
from qtest import qt  # noqa: F401

from pyfai_gridcal.gui.drawing.compare import NOTHING, BeforeAfter
from pyfai_gridcal.gui.work.views import prepare_pair

pytestmark = pytest.mark.gui


def test_it_asks_when_it_is_looked_at(qapp, keep):
    compare, asked = BeforeAfter(), []
    compare.sigWanted.connect(lambda: asked.append(1))
    assert not asked
    keep(compare)
    assert asked == [1]
    assert compare.note.text() == NOTHING
    compare.setPair(None)
    assert asked == [1, 1]


def test_side_by_side_move_together(qapp, keep, wait, view):
    compare = keep(BeforeAfter())
    compare.mode.setCurrentIndex(1)
    pair = prepare_pair(view, view.image.data[:, ::-1].copy())
    compare.setPair(pair)
    wait(lambda: "pair" in vars(compare) and compare.pair.isVisible(), 20, "both plots")
    shown = [plot.getImage("image").getData(copy=False) for plot in compare.plots]
    np.testing.assert_array_equal(shown[0], shown[1][:, ::-1])
    compare.plots[0].getXAxis().setLimits(20, 50)
    assert compare.plots[1].getXAxis().getLimits() == pytest.approx(compare.plots[0].getXAxis().getLimits())
    assert compare.images() == pair.images
