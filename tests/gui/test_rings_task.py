"""The rings in pyFAI-calib2: points that were picked there, and a detector that goes back."""

from __future__ import annotations

import numpy as np
import pytest
from qtest import qt
from ringdrawing import GEOMETRY, PIXEL, WAVELENGTH, bent, draw, modular, ring_points_of, three_images

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.gui import rings_task
from pyfai_gridcal.gui.rings_task import RingsTask, picked_points
from pyfai_gridcal.io.kinds.kinds import write_distortion

pytestmark = pytest.mark.gui
SHAPE = (220, 250)


@pytest.fixture
def model(qapp):
    from pyFAI.gui.model.CalibrationModel import CalibrationModel

    return CalibrationModel()


@pytest.fixture
def task(qapp, keep, model):
    task = keep(RingsTask())
    task.setModel(model)
    yield task
    task.aboutToClose()


def fill(model, points, mask):
    """What the user would have done in the tasks before."""
    from pyFAI.calibrant import get_calibrant
    from pyFAI.detectors import Detector
    from pyFAI.gui.model.PeakModel import PeakModel

    settings, fitted = model.experimentSettingsModel(), model.fittedGeometry()
    detector = Detector(*PIXEL, max_shape=SHAPE, orientation=3)
    detector.mask = mask.astype(np.int8)
    settings.detectorModel().setDetector(detector)
    settings.calibrantModel().setCalibrant(get_calibrant("CeO2"))
    settings.wavelength().setValue(WAVELENGTH)
    settings.image().setFilename(f"/data/{points.name}.tif")
    fitted.wavelength().setValue(WAVELENGTH)
    g = points.geometry
    for one, name in (
        (fitted.distance(), "dist"),
        (fitted.poni1(), "poni1"),
        (fitted.poni2(), "poni2"),
        (fitted.rotation1(), "rot1"),
        (fitted.rotation2(), "rot2"),
        (fitted.rotation3(), "rot3"),
    ):
        one.setValue(g[name])
    peaks = model.peakSelectionModel()
    peaks.clear()
    for ring in np.unique(points.ring):
        peak = PeakModel(peaks)
        peak.setName(f"r{ring}")
        peak.setRingNumber(int(ring) + 1)
        peak.setCoords(points.yx[points.ring == ring])
        peaks.append(peak)


def test_nothing_yet(task, monkeypatch):
    told = []
    monkeypatch.setattr(rings_task, "error_box", lambda parent, error, title: told.append(str(error)))
    task.add()
    assert told
    assert "no geometry yet" in told[0]
    assert not task.fitButton.isEnabled()
    assert task.mayClose()


def test_picked_points_are_those_of_the_window(model):
    rng = np.random.default_rng(1)
    truth, mask = modular(SHAPE, rng)
    points = three_images(truth, rng, seen=~mask)[0]
    with pytest.raises(UsageError, match="no geometry"):
        picked_points(model)
    fill(model, points, mask)
    taken = picked_points(model)
    assert np.abs(np.sort(taken.yx, axis=0) - np.sort(points.yx, axis=0)).max() < 1e-9
    assert taken.name == "image 0.tif"
    assert np.abs(taken.off_px(truth)).max() < 0.3


def test_a_detector_file_is_judged(task, model, wait, tmp_path, monkeypatch):
    """By the image and the geometry of the window, and drawn."""
    rng, told = np.random.default_rng(3), []
    near = GEOMETRY | {"dist": 0.06, "poni1": 0.0115, "poni2": 0.012}
    truth = bent(SHAPE, 0.9, rng)
    write_distortion(truth, tmp_path / "d.h5")
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *a: (str(tmp_path / "d.h5"), ""))
    monkeypatch.setattr(rings_task, "error_box", lambda parent, error, title: told.append(str(error)))
    fill(model, ring_points_of(truth, rng, geometry=near), np.zeros(SHAPE, bool))
    task.judge()
    assert "no image yet" in told[0]
    model.experimentSettingsModel().image().setValue(draw(truth, rng, geometry=near))
    task.judge()
    wait(lambda: "helps" in task.progress.text(), 60, "the judge")
    assert "ring 1" in task.report.toPlainText()
    titles = [ax.get_title() for ax in task.picture.figure.axes]
    assert sum("with the calibration" in one for one in titles) == 1


def test_from_picked_points_to_a_detector(task, model, wait, tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    truth, mask = modular(SHAPE, rng)
    for points in three_images(truth, rng, seen=~mask, degrees=4.0):
        fill(model, points, mask)
        task.add()
    assert task.listed.count() == 4
    task.fit()
    wait(lambda: task.result is not None, 60, "the fit")
    assert "module 3" in task.report.toPlainText()
    monkeypatch.setattr(qt.QFileDialog, "getSaveFileName", lambda *a: (str(tmp_path / "d.h5"), ""))
    task.use()
    detectors = model.experimentSettingsModel().detectorModel()
    wait(lambda: detectors.detector().__class__.__name__ == "NexusDetector", 60, "the detector")
    task.clear()
    assert task.listed.count() == 0
