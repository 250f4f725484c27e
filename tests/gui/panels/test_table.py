"""The table of control points says what is in the fit."""

from __future__ import annotations

import pytest
import scenes

pytestmark = pytest.mark.gui


@pytest.fixture(scope="module")
def calibration():
    return scenes.calibrated()


def test_table_says_what_is_what(qapp, calibration):
    from pyfai_gridcal.gui.panels.table import COLUMNS, PointModel

    model, fit = PointModel(), calibration.fit
    model.setFit(fit)
    names = {name: k for k, name in enumerate(COLUMNS)}
    row = 7
    text = {name: model.data(model.index(row, k)) for name, k in names.items()}
    assert (text["i"], text["j"]) == tuple(str(v) for v in fit.points[0].ij[row])
    assert text["y, px"] == f"{fit.points[0].yx[row, 0]:.4f}"
    assert text["residual x, px"] == f"{fit.residual_yx[0][row, 1]:.4f}"
    assert text["used"] == ("yes" if fit.used[0][row] else "no")
    model.sort(names["x, px"])
    order = [float(model.data(model.index(k, names["x, px"]))) for k in range(model.rowCount())]
    assert order == sorted(order)
    model.setFit(None)
    assert model.rowCount() == 0
