"""Plain spots say something by their colour; the others have marks of their own."""

from __future__ import annotations

import numpy as np
import pytest
from qtest import qt  # noqa: F401

from pyfai_gridcal.gui.drawing.spots import STYLES, most_drawn
from pyfai_gridcal.gui.work.layers import SpotKind, spot_layer

pytestmark = pytest.mark.gui


def test_kinds_have_their_marks(plot, fit, work):
    plot.setLimits(0, 160, 0, 90)
    layer = spot_layer(work, fit)
    plot.spots.show(layer)
    assert plot.getScatter("spots").getXData().size == layer.count(SpotKind.USED)
    for kind, (legend, *_) in STYLES.items():
        curve = plot.getCurve(legend)
        np.testing.assert_array_equal(curve.getXData(), layer.x[layer.kind == kind])
    plot.spots.setVisible(False)
    assert plot.getScatter("spots") is None
    assert plot.getCurve("removed") is None


def test_colours_reach_up_to_nearly_the_largest_of_the_good_ones(plot, fit, work):
    layer = spot_layer(work, fit)
    plot.spots.show(layer)
    assert plot.spots.is_coloured
    assert plot.spots.colormap.getVRange() == (0.0, pytest.approx(0.05))
    plot.setColouring("kind")
    assert not plot.spots.is_coloured
    assert plot.spots.colormap.getName() == "summer"


def test_before_the_fit_there_are_no_residuals(plot, work):
    plot.spots.show(spot_layer(work, None))
    assert not plot.spots.is_coloured
    plot.setColouring("sigma")
    assert plot.spots.is_coloured


def test_words(plot, fit, work):
    layer = spot_layer(work, fit)
    plot.spots.show(layer)
    used, outlier = np.flatnonzero(layer.kind == SpotKind.USED)[3], np.flatnonzero(layer.kind == SpotKind.OUTLIER)[0]
    i, j = layer.ij[used]
    assert plot.spots.wordsAt(layer.x[used], layer.y[used]) == f"({i}, {j}) residual 0.050 px sigma 0.020 px"
    assert "outlier" in plot.spots.wordsAt(layer.x[outlier], layer.y[outlier])
    assert plot.spots.wordsAt(3.5 + 1, 4.5).startswith("removed")
    assert plot.spots.wordsAt(-100, -100) == "-"
    plot.spots.show(None)
    assert plot.spots.wordsAt(4.5, 3.5) == "-"


def test_a_backend_draws_what_it_can(plot):
    assert most_drawn(plot) == (2500, 6000)


def test_the_worst_are_ringed_also_where_no_spots_are_drawn(plot, view):
    plot.setView(view)
    plot.setLayerVisible("spots", False)
    ringed = [item for item in plot.getItems() if item.getName() == "worst"]
    assert len(ringed) == 1
    layer = view.spots
    assert len(layer.worst) == 5
    assert (layer.kind[layer.worst] == SpotKind.USED).all()
    np.testing.assert_array_equal(ringed[0].getXData(), layer.x[layer.worst])
    assert plot._getMarker("worst 0").getText().strip() == "1"
    assert layer.words(layer.worst[0]).endswith("0.050 px")


def test_circles_are_open(plot, view):
    plot.setView(view)
    plot.replot()
    (cloud,) = [item for item in plot.getItems() if item.getName() == "spots"]
    (artist,) = cloud._backendRenderer.get_children()
    assert not len(artist.get_facecolors())
    assert len(artist.get_edgecolors())
