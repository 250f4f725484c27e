"""The task in pyFAI's calibration window: the standard tasks go on with the detector that it calibrated."""

from __future__ import annotations

from types import SimpleNamespace

import fabio
import numpy as np
import pytest
import scenes
from qtest import LEFT, QTest, qt, write

from pyfai_gridcal.cli import build_parser
from pyfai_gridcal.records.distortion import Distortion

pytestmark = pytest.mark.gui

TITLES = ["Distortion", "Experiment settings", "Mask", "Peak picking", "Geometry fitting"]
TITLES += ["Cake && Integration", "Rings"]
DISTANCE, WAVELENGTH = 0.04, 0.5e-10


@pytest.fixture
def context(qapp):
    import pyFAI.resources
    from pyFAI.gui.CalibrationContext import CalibrationContext

    pyFAI.resources.silx_integration()
    CalibrationContext._releaseSingleton()
    context = CalibrationContext()
    yield context
    CalibrationContext._releaseSingleton()


@pytest.fixture
def window(context, keep, wait):
    from pyfai_gridcal.gui.calib2 import window_class

    window = keep(window_class()(context))
    yield window
    # A task that is integrating holds on to the window.
    wait(lambda: qt.QThreadPool.globalInstance().activeThreadCount() == 0, 60)
    for task in window.detectorTasks:
        task.aboutToClose()


def rings(beam):
    """LaB6 as the small distorted camera sees it, (ny, nx); `beam` is (p1, p2) in metres, true frame."""
    from pyFAI.calibrant import CALIBRANT_FACTORY
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    from pyfai_gridcal.io.nexus.detector import to_detector

    truth = scenes.small().distortion
    detector = to_detector(Distortion(truth.field, truth.shape, truth.pixel_size))
    ai = AzimuthalIntegrator(DISTANCE, *beam, detector=detector, wavelength=WAVELENGTH)
    angle = ai.center_array(unit="2th_deg", scale=True)
    calibrant = CALIBRANT_FACTORY("LaB6")
    calibrant.wavelength = WAVELENGTH
    image = np.full(truth.shape, 20.0)
    for peak in np.rad2deg(calibrant.get_2th()):
        image += 1000 * np.exp(-0.5 * ((angle - peak) / 0.08) ** 2)
    return image.astype(np.float32)


def waviness(window, wait, ring):
    """Scatter of the place of a ring over the azimuths of the cake that the last task shows, degrees."""
    task = window._stack.widget(5)
    plot = task._plot._IntegrationPlot__plot2d

    def shown():
        image = plot.getImage("integrated_data")
        return None if image is None else image.getData(copy=False)

    before = shown()
    window._list.setCurrentRow(5)
    wait(lambda: shown() is not None and shown() is not before, 60, "the cake")
    image = plot.getImage("integrated_data")
    cake, start, step = image.getData(), image.getOrigin()[0], image.getScale()[0]
    radial = start + step * (np.arange(cake.shape[1]) + 0.5)
    near = np.abs(radial - ring) < 0.9
    part = cake[:, near] - 25.0
    good = np.isfinite(part).all(axis=1) & (part.max(axis=1) > 300)
    part = np.clip(part[good], 0, None)
    assert len(part) > 12
    return float(np.std(part @ radial[near] / part.sum(axis=1)))


def test_the_task_comes_first(window):
    items = [window._list.item(row) for row in range(window._list.count())]
    titles = [window._stack.widget(row).windowTitle() for row in range(window._stack.count())]
    assert titles[0] == TITLES[0]
    assert len(items) == len(titles) == 7
    assert not items[0].icon().isNull()
    assert window._list.currentRow() == 0
    assert window._stack.widget(5)._nextStep.isVisibleTo(window._stack.widget(5))  # on to the rings


@pytest.mark.slow
def test_rings_are_wavy_before_and_straight_after(window, context, wait, tmp_path):
    from pyFAI.calibrant import CALIBRANT_FACTORY
    from pyFAI.detectors import Detector, NexusDetector
    from pyFAI.units import to_unit

    truth, model = scenes.small().distortion, context.getCalibrationModel()
    centre = np.array([[152.3, 187.8]])
    settings = model.experimentSettingsModel()
    beam = (truth.correct(centre) + 0.5)[0] * truth.pixel_size
    settings.image().setValue(rings(beam))
    calibrant = CALIBRANT_FACTORY("LaB6")
    settings.calibrantModel().setCalibrant(calibrant)
    settings.wavelength().setValue(WAVELENGTH)
    integration = model.integrationSettingsModel()
    integration.radialUnit().setValue(to_unit("2th_deg"))
    integration.nPointsRadial().setValue(400)
    integration.nPointsAzimuthal().setValue(40)

    def geometry(poni):
        fitted = model.fittedGeometry()
        with fitted.lockContext():
            fitted.distance().setValue(DISTANCE)
            fitted.wavelength().setValue(WAVELENGTH)
            fitted.poni1().setValue(float(poni[0]))
            fitted.poni2().setValue(float(poni[1]))
            for angle in (fitted.rotation1(), fitted.rotation2(), fitted.rotation3()):
                angle.setValue(0.0)

    calibrant.wavelength = WAVELENGTH
    ring = float(np.rad2deg(calibrant.get_2th()[1]))
    settings.detectorModel().setDetector(Detector(*scenes.PIXEL, max_shape=scenes.SHAPE))
    geometry((centre[0] + 0.5) * scenes.PIXEL)
    before = waviness(window, wait, ring)

    window._list.setCurrentRow(0)
    task = window.detectorTasks[0]
    grid = tmp_path / "grid.edf"
    fabio.edfimage.EdfImage(data=scenes.small().image).write(str(grid))
    write(task.widget.panel.files["image"].edit, str(grid))
    write(task.widget.panel.editor("pitch"), "1.4mm")
    # with image and pitch it is calibrated by itself
    wait(lambda: task.widget.view() is not None and task.widget.view().fit is not None, what="calibration")
    assert "not in use yet" in task.nextStepWarning()
    assert not task._nextStep.isEnabled()
    path = tmp_path / "detector.h5"
    task.accept(str(path))
    wait(lambda: isinstance(settings.detectorModel().detector(), NexusDetector), what="the detector in the model")
    assert task._nextStep.isEnabled()
    assert str(path) in task.widget.panel.resultLabel.text()

    detector = settings.detectorModel().detector()
    assert detector.filename == str(path)
    corners = task.widget.view().fit.distortion.pixel_corners()
    np.testing.assert_allclose(detector.get_pixel_corners(), corners, atol=1e-9, equal_nan=True)
    assert settings.mask().value().shape == scenes.SHAPE
    QTest.mouseClick(task._nextStep, LEFT)
    assert window._list.currentRow() == 1

    found = task.widget.view().fit.distortion
    geometry((found.correct(centre) + 0.5)[0] * found.pixel_size)
    after = waviness(window, wait, ring)

    assert before > 0.03
    assert after < 0.03 * before


def test_close_asks_for_the_distortion_first(window, wait, monkeypatch):
    task = window.detectorTasks[0]
    task.widget.workspace.set_settings(pitch=scenes.PITCH)
    task.widget.setArray(scenes.small().image)
    task.widget.updates.wanted = "calibration"
    wait(lambda: task.widget.view() is not None and task.widget.view().fit is not None, what="calibration")
    asked = []
    answers = [qt.QMessageBox.StandardButton.Cancel, qt.QMessageBox.StandardButton.Discard]
    monkeypatch.setattr(qt.QMessageBox, "question", staticmethod(lambda *args: (asked.append(1), answers.pop(0))[1]))
    assert not window.close()
    assert window.close()
    assert len(asked) == 2


def test_tasks_of_others(qapp, monkeypatch, caplog):
    from pyfai_gridcal.gui import calib2
    from pyfai_gridcal.plugins import GridCalibration, load_members

    assert isinstance(load_members()["gridcal"], GridCalibration), "the package is installed with its entry point"
    members = {
        "broken": SimpleNamespace(task=lambda: 1 / 0),
        "gridcal": GridCalibration(),
        "no window": SimpleNamespace(),
        "good": SimpleNamespace(task=lambda: "their task"),
    }
    monkeypatch.setattr(calib2, "load_members", lambda: members)
    monkeypatch.setattr(calib2, "DistortionTask", lambda: "ours")
    assert list(calib2.detector_tasks()) == ["ours", "their task"]
    assert "broken" in caplog.text


def test_command_line_is_that_of_pyfai():
    parser = build_parser("calib2")
    options = parser.parse_args(
        [
            "calib2",
            "lab6.edf",
            "-c",
            "LaB6",
            "-w",
            "0.5",
            "-D",
            "/abs/d.h5",
            "-p",
            "50",
            "--grid",
            "g.edf",
            "--pitch",
            "2mm",
        ]
    )
    assert (options.args, options.spacing, options.wavelength) == (["lab6.edf"], "LaB6", 0.5)
    assert (options.detector_name, options.pixel, options.grid) == ("/abs/d.h5", "50", "g.edf")
    assert options.pitch == (2e-3, 2e-3)
