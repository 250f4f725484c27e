"""The task driven through its widgets: from the image to the result, and what may go wrong on the way."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scenes
from qtest import LEFT, QTest, qt, write

from pyfai_gridcal.cli import main as command
from pyfai_gridcal.gui.work.core import Core

pytestmark = pytest.mark.gui


def test_the_result_is_the_core_s(go, wait):
    core = Core()
    go.task.core.find, go.task.core.calibrate = core.find, core.calibrate
    task = go.calibrated()
    expected = scenes.calibrated()
    fit = task.view().fit
    np.testing.assert_array_equal(fit.points[0].yx, expected.points[0].yx)
    np.testing.assert_array_equal(fit.points[0].ij, expected.points[0].ij)
    np.testing.assert_array_equal(fit.distortion.displacement_maps(), expected.displacement_maps())
    assert repr(task.document.calibration().verdict) == repr(expected.verdict)
    assert expected.verdict.level in task.panel.verdict.text()
    assert f"{fit.held_out_px:.4f} px" in task.panel.modelLabel.text()
    assert f"{len(expected.spots[0])} bright holes" in task.panel.spotLabel.text()
    wait(lambda: len(task.panel.quality.histogram.getItems()) == 2, 5, "the histogram")
    task.panel.quality.setCurrentIndex(2)
    chosen = next(trial for trial in fit.trials if trial.chosen)
    drawn = task.panel.quality.trials.getCurve(chosen.name)
    at, error = np.array(sorted(chosen.curve)).T
    np.testing.assert_array_equal([drawn.getXData(), drawn.getYData()], [at, 1000 * error])  # in 0.001 px
    assert {curve.getName() for curve in task.panel.quality.trials.getAllCurves()} == {
        t.name for t in fit.trials if t.held_out_px > 0
    }
    assert chosen.note in task.panel.modelLabel.text()
    assert task.plot.getColorBarWidget().getLegend() == "Residual, px"


def test_a_setting_recomputes_only_what_depends_on_it(go, monkeypatch):
    task = go.calibrated()
    calls = []
    for name in ("load", "find", "index", "calibrate"):
        real = getattr(task.core, name)
        monkeypatch.setattr(
            task.core, name, lambda *args, name=name, real=real: (calls.append(name), real(*args))[1], raising=True
        )
    lattice = task.panel.editor("model")
    lattice.setCurrentText("polynomial")
    lattice.activated.emit(lattice.currentIndex())
    go.idle()
    assert calls == ["calibrate"]
    assert task.view().fit.recipe.startswith("polynomial")
    task.workspace.undo()
    go.idle()
    assert calls == ["calibrate"], "the old result was kept"
    assert lattice.currentText() == "auto"


def test_errors_are_those_of_the_command_line(go, box, wait, tmp_path, capsys):
    missing = str(tmp_path / "nothing.edf")
    assert command(["calibrate", missing, "--pitch", "2mm"]) == 1
    words = capsys.readouterr().err.strip().removeprefix("pyFAI-gridcal: error: ")
    task = go.task
    task.openImage(missing)
    write(task.panel.editor("pitch"), "2mm")
    wait(lambda: task.panel.progressText.text() == words, 10, "the words beside the bar")
    QTest.mouseClick(task.panel.calibrateButton, LEFT)
    _, text, details = box("Calibrate")
    assert text == words
    assert "Traceback" not in text
    assert not details, "the user has nothing from it"


def test_pitch_is_needed_and_has_a_unit(go, box, capsys):
    go.load()
    task = go.task
    pitch = task.panel.editor("pitch")
    write(pitch, "5")
    assert "e04848" in pitch.styleSheet()
    assert "what?" in pitch.toolTip()
    QTest.mouseClick(task.panel.calibrateButton, LEFT)
    assert command(["calibrate", "grid.edf", "--pitch", "5"]) == 2
    assert box()[1] in capsys.readouterr().err
    write(pitch, "")
    QTest.mouseClick(task.panel.calibrateButton, LEFT)
    assert "no pitch" in box("Calibrate")[1]
    write(pitch, "1.4 mm, 1.5mm")
    assert pitch.styleSheet() == ""
    assert task.workspace.state.settings.pitch == (0.0014, 0.0015)
    assert pitch.text() == "1.4 mm, 1.5 mm"
    write(pitch, "1400 um")
    assert task.workspace.state.settings.pitch == 0.0014
    assert pitch.text() == "1.4 mm"


def test_calibrate_without_an_image(go, box):
    QTest.keyClick(go.task, qt.Qt.Key.Key_F5)
    assert "there is no image" in box()[1]


def test_two_exposures(go, image, wait, tmp_path):
    task = go.calibrated()
    task.addExposure(str(image))
    go.idle()
    assert task.panel.exposures.count() == 2
    assert task.panel.exposures.currentIndex() == 1
    assert len(task.workspace.state.exposures) == 2
    QTest.mouseClick(task.panel.removeButton, LEFT)
    go.idle()
    assert task.panel.exposures.count() == 1
    assert task.view().fit is not None


def test_drop_a_file(go, image, wait):
    data = qt.QMimeData()
    data.setUrls([qt.QUrl.fromLocalFile(str(image))])
    place, action, key = qt.QPointF(200, 200), qt.Qt.DropAction.CopyAction, qt.Qt.KeyboardModifier.NoModifier
    with warnings.catch_warnings():  # Qt 6.12 has given up the only way to make one that older ones know
        warnings.simplefilter("ignore", DeprecationWarning)
        enter = qt.QDragEnterEvent(place.toPoint(), action, data, LEFT, key)
    go.task.dragEnterEvent(enter)
    assert enter.isAccepted()
    go.task.dropEvent(qt.QDropEvent(place, action, data, LEFT, key))
    wait(lambda: go.task.view() is not None and go.task.view().spots is not None, what="spots")
    assert go.task.panel.files["image"].edit.text() == str(image)
