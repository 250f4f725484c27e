"""The viewer: what is in the file is what is shown, and table and plot go together."""

from __future__ import annotations

import numpy as np
import pytest
import scenes
from qtest import click

from pyfai_gridcal.cli import main as command
from pyfai_gridcal.io.kinds.kinds import write_distortion

pytestmark = pytest.mark.gui


@pytest.fixture(scope="module")
def calibration():
    return scenes.calibrated()


@pytest.fixture(scope="module")
def result(calibration, tmp_path_factory):
    return str(calibration.save(tmp_path_factory.mktemp("result") / "detector.h5"))


@pytest.fixture
def viewer(qapp, keep, wait):
    from pyfai_gridcal.gui.view import ResultWindow

    window = keep(ResultWindow())

    def show(path):
        window.open(str(path))
        wait(lambda: window.view() is not None and not window.worker.isBusy, what="the file to be shown")
        return window

    yield show
    window.close()


def test_map_vectors_and_words(viewer, result, calibration):
    window = viewer(result)
    dy, dx = calibration.displacement_maps()
    mask = calibration.distortion.mask
    shown = window.plot.getImage("map").getData()
    expected = np.hypot(dy, dx)
    np.testing.assert_allclose(shown, expected if mask is None else np.where(mask, np.nan, expected), atol=1e-6)
    assert window.plot.getCurve("vectors") is not None
    assert window.plot.getScatter("spots") is None, "nothing over the map at first but arrows and the worst spots"
    assert window.plot.getScatter("worst") is not None
    assert calibration.verdict.level in window.verdict.text()
    assert f"{len(calibration.spots[0])}" in window.report.toPlainText()
    assert window.plot.getImage("image").getData(copy=False).shape == scenes.SHAPE
    window.layers.maps.setCurrentIndex(window.layers.maps.findData("dx"))
    assert window.layers.map() == "dx"


def test_table_and_plot_go_together(viewer, result, calibration, wait):
    window = viewer(result)
    fit, model = calibration.fit, window.table.points
    assert model.rowCount() == len(fit.points[0])
    worst = int(np.hypot(*fit.residual_yx[0].T).argmax())
    assert model.point(0) == worst
    window.table.selectRow(0)
    marker = window.plot._getMarker("chosen")
    y, x = fit.points[0].yx[worst]
    assert marker.getPosition() == pytest.approx((x + 0.5, y + 0.5))
    left, right = window.plot.getXAxis().getLimits()
    assert left < x < right
    assert right - left < scenes.SHAPE[1]
    window.plot.resetZoom()
    other = int(np.hypot(*(fit.points[0].yx - (150, 200)).T).argmin())
    click(window.plot, *fit.points[0].yx[other])
    wait(lambda: window.table.currentIndex().row() == model.row(other), 5, "the row to be chosen")
    assert window.plot._getMarker("chosen").getPosition()[0] == pytest.approx(fit.points[0].yx[other, 1] + 0.5)


def test_a_point_at_the_border_is_shown_with_image_all_around(viewer, result, calibration):
    window = viewer(result)
    points, plot = calibration.fit.points[0], window.plot
    for axis, end in ((0, "argmin"), (0, "argmax"), (1, "argmin"), (1, "argmax")):
        plot.resetZoom()
        point = int(getattr(points.yx[:, axis], end)())
        plot.lookAt(points.yx[point], 30.0, scenes.SHAPE)
        limits = (plot.getYAxis().getLimits(), plot.getXAxis().getLimits())
        for (low, high), n, at in zip(limits, scenes.SHAPE, points.yx[point] + 0.5, strict=True):
            assert -1 < low < at < high < n + 1
            assert high - low < n


def test_before_and_after(viewer, result, wait):
    window = viewer(result)
    window.tabs.setCurrentIndex(1)
    wait(lambda: window.compare.images() is not None, what="the corrected image")


def test_the_whole_file(viewer, result):
    window = viewer(result)
    window.tabs.setCurrentIndex(2)
    model = window.file.findHdf5TreeModel()
    assert model.rowCount() == 1
    assert window.data.data().h5py_target.name == "/", "what the file opens on is shown at once"
    entry = model.data(model.index(0, 0), model.H5PY_OBJECT_ROLE)["entry_0000"]
    window.file.setSelectedH5Node(entry)
    assert window.data.data().h5py_target.name == "/entry_0000"
    window.tabs.setCurrentIndex(0)
    window.tabs.setCurrentIndex(2)
    assert window.data.data().h5py_target.name == "/entry_0000", "what was chosen stays"


@pytest.mark.parametrize("kind", ["spline", "npz"])
def test_other_kinds_of_files(viewer, calibration, tmp_path, kind):
    path = write_distortion(calibration.distortion, tmp_path / f"d.{kind}", kind)[0]
    window = viewer(path)
    dy, dx = calibration.displacement_maps()
    shown = window.plot.getImage("map").getData()
    np.testing.assert_allclose(np.nanmedian(shown), np.median(np.hypot(dy, dx)), rtol=0.1)
    assert window.table.points.rowCount() == 0
    assert "without control points" in window.report.toPlainText()


def test_no_such_file(capsys):
    assert command(["view", "nowhere.h5"]) == 1
    assert "no such file: nowhere.h5" in capsys.readouterr().err
