"""The task driven through its widgets: from the image to the detector file, and what may go wrong on the way."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import fabio
import numpy as np
import pytest
import scenes
from qtest import LEFT, QTest, click, drag, qt, write

from pyfai_gridcal.calibration import calibrate
from pyfai_gridcal.cli import main as command
from pyfai_gridcal.gui.work.core import Core
from pyfai_gridcal.gui.work.edits import inside_polygon
from pyfai_gridcal.gui.work.state import WorkExposure
from pyfai_gridcal.records.spots import SpotFlag

pytestmark = pytest.mark.gui


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("grid") / "grid.edf"
    fabio.edfimage.EdfImage(data=scenes.small().image).write(str(path))
    return path


@pytest.fixture
def window(qapp, keep):
    from pyfai_gridcal.gui.window import GridcalWindow

    return keep(GridcalWindow(core=scenes.QuickCore()))


@pytest.fixture
def go(window, image, wait):
    """Steps that most tests begin with."""
    task = window.task

    def idle():
        wait(lambda: not task.worker.isBusy and not task.updates.isPending, what="the worker to be idle")

    def load():
        write(task.panel.files["image"].edit, str(image))
        wait(lambda: task.view() is not None and task.view().spots is not None, what="spots")
        idle()

    def calibrated():
        load()
        write(task.panel.editor("pitch"), "1.4mm")
        QTest.mouseClick(task.panel.calibrateButton, LEFT)
        wait(lambda: task.view().fit is not None, what="calibration")
        idle()
        return task

    return SimpleNamespace(load=load, calibrated=calibrated, idle=idle, task=task)


@pytest.fixture
def box(wait, qapp):
    """The message box that is open, closed after its texts were read."""

    def read(title=""):
        found = []

        def there():
            found[:] = [w for w in qapp.topLevelWidgets() if isinstance(w, qt.QMessageBox) and w.isVisible()]
            return found

        wait(there, 20, "a message box")
        texts = found[0].windowTitle(), found[0].text(), found[0].detailedText()
        found[0].close()
        assert title in texts[0]
        return texts

    return read


def hole(near=(150, 190)):
    """Place of a whole hole."""
    truth = scenes.small().truth
    yx = truth.yx[truth.whole]
    return yx[np.hypot(*(yx - near).T).argmin()]


def kept(task):
    return int(task.workspace.results().exposures[0].kept.sum())


def test_the_result_is_the_core_s(go, image, wait):
    go.task.core.find = Core().find
    task = go.calibrated()
    expected = calibrate(str(image), pitch=scenes.PITCH)
    fit = task.view().fit
    np.testing.assert_array_equal(fit.points[0].yx, expected.points[0].yx)
    np.testing.assert_array_equal(fit.points[0].ij, expected.points[0].ij)
    np.testing.assert_array_equal(fit.distortion.displacement_maps(), expected.displacement_maps())
    assert repr(task.document.calibration().verdict) == repr(expected.verdict)
    assert expected.verdict.level in task.panel.verdict.text()
    assert f"{fit.held_out_px:.4f} px" in task.panel.modelLabel.text()
    assert f"{len(expected.spots[0])} bright holes" in task.panel.spotLabel.text()
    wait(lambda: len(task.panel.quality.histogram.getItems()) == 2, 5, "the histogram")
    chosen = next(trial for trial in fit.trials if trial.chosen)
    drawn = task.panel.quality.trials.getCurve(chosen.name)
    np.testing.assert_array_equal([drawn.getXData(), drawn.getYData()], np.array(sorted(chosen.curve)).T)
    assert {curve.getName() for curve in task.panel.quality.trials.getAllCurves()} == {
        t.name for t in fit.trials if t.held_out_px > 0
    }
    assert chosen.note in task.panel.modelLabel.text()
    assert task.plot.getColorBarWidget().getLegend() == "Residual, px"


def test_the_image_is_seen_before_its_spots(go, wait, image):
    seen = []
    go.task.sigViewChanged.connect(lambda view: seen.append((view.image is not None, view.spots is not None)))
    go.load()
    assert seen[:2] == [(True, False), (True, True)]


def test_remove_a_spot_undo_redo(go):
    task, (y, x) = go.calibrated(), hole()
    before = kept(task)
    task.plot.tools.action("select-spot").trigger()
    click(task.plot, y, x)
    go.idle()
    assert kept(task) == before - 1
    assert len(task.view().fit.points[0]) == before - 1 - (before - len(task.view().fit.points[0]) - 1)
    assert "1 removed" in task.panel.spotLabel.text()
    assert task.plot.getCurve("removed").getXData().size == 1
    QTest.keyClick(task, qt.Qt.Key.Key_Z, qt.Qt.KeyboardModifier.ControlModifier)
    go.idle()
    assert kept(task) == before
    assert task.plot.getCurve("removed") is None
    assert task.actionsByName["redo"].text() == "Redo remove spot"
    task.actionsByName["redo"].trigger()
    go.idle()
    assert kept(task) == before - 1
    click(task.plot, y, x)
    go.idle()
    assert kept(task) == before, "a second click brings it back"


def test_exclude_and_include_regions(go):
    task = go.calibrated()
    before, yx = kept(task), task.view().results.exposures[0].spots.yx
    task.plot.tools.setTool("exclude-rectangle")
    drag(task.plot, (60, 50), (200, 130))
    go.idle()
    corners = np.array(task.workspace.state.exposures[0].edits[-1].yx)
    np.testing.assert_allclose([corners.min(axis=0), corners.max(axis=0)], [(60, 50), (200, 130)], atol=1.5)
    inside = ((yx > corners.min(axis=0)) & (yx < corners.max(axis=0))).all(axis=1)
    assert inside.sum() > 15
    assert kept(task) == before - inside.sum()
    task.plot.tools.setTool("include-polygon")
    corners = [(55, 45), (55, 135), (120, 135), (120, 45)]
    for corner in [*corners, corners[0]]:
        click(task.plot, *corner)
    go.idle()
    again = inside_polygon(yx, task.workspace.state.exposures[0].edits[-1].yx) & inside
    assert again.sum() > 5
    assert kept(task) == before - inside.sum() + again.sum()
    assert task.view().fit is not None
    QTest.mouseClick(task.panel.forgetButton, LEFT)
    go.idle()
    assert kept(task) == before


def test_add_a_spot_where_one_was_missed(go, monkeypatch):
    task, (y, x) = go.task, hole()
    real = task.core.find

    def blind(*args):
        found = real(*args)
        return found.select(np.hypot(*(found.yx - (y, x)).T) > 8)

    monkeypatch.setattr(task.core, "find", blind)
    go.calibrated()
    before = kept(task)
    task.plot.tools.setTool("add-spot")
    click(task.plot, y + 2.0, x - 1.5)
    go.idle()
    work = task.view().results.exposures[0]
    np.testing.assert_allclose(work.spots.yx[-1], (y, x), atol=0.06)
    assert work.spots.flags[-1] & SpotFlag.USER
    assert kept(task) == before + 1
    points = task.view().fit.points[0]
    assert np.hypot(*(points.yx - (y, x)).T).min() < 0.06, "it has a node"


def test_no_spot_where_there_is_no_hole(go, box):
    task, (y, x) = go.calibrated(), hole()
    before = kept(task)
    task.plot.tools.setTool("add-spot")
    half = scenes.PITCH / scenes.PIXEL[0] / 2
    click(task.plot, y + half, x + half)
    _, text, details = box()
    assert "no hole at" in text
    assert "Traceback" in details
    go.idle()
    assert kept(task) == before
    assert not task.workspace.state.exposures[0].edits, "the edit was taken back"


def test_pick_the_origin(go):
    task, (y, x) = go.calibrated(), hole((80, 290))
    task.plot.tools.setTool("pick-origin")
    click(task.plot, y + 2, x + 1)
    go.idle()
    points = task.view().fit.points[0]
    np.testing.assert_allclose(points.yx[(points.ij == 0).all(axis=1)][0], (y, x), atol=0.1)
    marker = task.plot._getMarker("origin")
    assert marker.getPosition() == pytest.approx((x + 0.5, y + 0.5), abs=0.1)


def test_shortcuts_of_tools(go, wait):
    go.load()
    go.task.plot.setFocus()
    QTest.keyClick(go.task.plot, qt.Qt.Key.Key_E)
    assert go.task.plot.tools.tool() == "exclude-rectangle"
    assert go.task.plot.getInteractiveMode()["mode"] == "draw"
    go.task.plot.setInteractiveMode("pan")
    assert go.task.plot.tools.tool() is None, "another mode puts the tool away"


def test_choices_stand_once():
    for name, choices in Core().choices().items():
        assert len(set(choices)) == len(choices), name


def test_proposed_file_is_no_raw_data(go, tmp_path):
    (tmp_path / "scan.h5").write_bytes(b"raw data")
    go.task.workspace.set_exposures((WorkExposure(str(tmp_path / "scan.tif")),))
    assert go.task.document.defaultFile() == str(tmp_path / "scan_detector.h5")


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


def test_without_update_nothing_is_fitted(go):
    task, (y, x) = go.calibrated(), hole()
    task.panel.autoBox.setChecked(False)
    task.workspace.toggle_spot(y, x)
    go.idle()
    assert task.view().fit is None
    assert task.view().spots is not None
    assert "Not calibrated" in task.panel.verdict.text()
    task.actionsByName["calibrate"].trigger()
    go.idle()
    assert task.view().fit is not None


def test_layers_and_maps(go):
    task = go.calibrated()
    for name, legend in (("grid", "grid"), ("vectors", "vectors")):
        task.layers.action(name).setChecked(True)
        assert task.plot.getCurve(legend) is not None
        task.layers.action(name).setChecked(False)
        assert task.plot.getCurve(legend) is None
    task.layers.action("vectors").setChecked(True)
    assert "× the displacement" in task.plot.readout.note.text()
    for index in range(1, task.layers.maps.count()):
        task.layers.maps.setCurrentIndex(index)
        go.idle()
        assert task.plot.getImage("map") is not None, task.layers.map()
    task.layers.maps.setCurrentIndex(task.layers.maps.findData("dy"))
    go.idle()
    shown = task.plot.getImage("map").getData()
    dy, _ = task.document.calibration().displacement_maps()
    mask = task.view().fit.distortion.mask
    np.testing.assert_allclose(shown, np.where(mask, np.nan, dy) if mask is not None else dy, atol=1e-9)
    task.layers.maps.setCurrentIndex(0)
    go.idle()
    assert task.plot.getImage("map") is None
    task.layers.colours.setCurrentIndex(1)
    assert task.plot.spots.colouring == "sigma"


def test_what_the_mouse_points_at(go):
    task, (y, x) = go.calibrated(), hole()
    text = task.plot.spots.wordsAt(x + 0.5, y + 0.5)
    assert "residual" in text
    assert text.startswith("(")
    assert task.plot.readout.valueAt(x + 0.5, y + 0.5) == f"{scenes.small().image[round(y), round(x)]:g}"
    assert task.plot.readout.valueAt(-3, 5) == "-"


def test_drawn_mask_counts(go):
    task = go.calibrated()
    before = kept(task)
    mask = np.zeros(scenes.SHAPE, np.uint8)
    mask[:100, :120] = 1
    overlay = task.plot.getImage(task.plot.getMaskToolsDockWidget().widget()._maskName)
    assert overlay is None or not overlay.isVisible(), "an empty mask is drawn, which takes as long as the image"
    task.plot.getMaskToolsDockWidget().setVisible(True)
    task.plot.getMaskToolsDockWidget().setSelectionMask(mask)
    assert task.plot.getImage(task.plot.getMaskToolsDockWidget().widget()._maskName).isVisible()
    go.idle()
    assert task.workspace.state.exposures[0].drawn.sum() == 100 * 120
    assert kept(task) < before - 8
    task.workspace.undo()
    go.idle()
    assert kept(task) == before
    assert not task.plot.drawnMask.value().any()


def test_undone_to_nothing_and_done_again(go):
    task = go.calibrated()
    spots = len(task.view().spots)
    while task.workspace.can_undo:
        task.workspace.undo()
    go.idle()
    assert task.plot.getImage("image") is None
    while task.workspace.can_redo:
        task.workspace.redo()
    go.idle()
    assert task.plot.getImage("image") is not None
    assert len(task.view().spots) == spots


def test_before_and_after(go, wait):
    task = go.calibrated()
    task.tabs.setCurrentIndex(1)
    wait(lambda: task.compare.images() is not None, what="the corrected image")
    raw, corrected = task.compare.images()
    assert raw is task.view().image.data
    assert np.nansum(corrected) == pytest.approx(raw.sum(), rel=0.1)
    task.compare.mode.setCurrentIndex(1)
    wait(lambda: task.compare.pair.isVisible(), 20, "both plots")
    assert [plot.getImage("image").getData().shape for plot in task.compare.plots] == [scenes.SHAPE] * 2


def test_save_reopen_and_go_on(go, wait, tmp_path, qapp):
    task, (y, x) = go.calibrated(), hole()
    task.workspace.toggle_spot(y, x)
    go.idle()
    shown = task.document.calibration()
    assert task.isModified()
    path = str(tmp_path / "detector.h5")
    task.document.save(path)
    wait(lambda: not task.isModified(), what="saving")
    from pyfai_gridcal.gui.window import GridcalWindow

    other = GridcalWindow()
    try:
        other.task.document.open(path)
        wait(lambda: other.task.view() is not None and other.task.view().fit is not None, what="reopening")
        wait(lambda: not other.task.worker.isBusy and not other.task.updates.isPending)
        assert not other.task.isModified()
        again = other.task.document.calibration()
        np.testing.assert_allclose(again.displacement_maps(), shown.displacement_maps(), atol=1e-9)
        assert other.task.panel.editor("pitch").text() == "1.4 mm"
        assert kept(other.task) == kept(task), "the removed spot is still removed"
        other.task.workspace.toggle_spot(y, x)
        wait(lambda: not other.task.worker.isBusy and not other.task.updates.isPending)
        assert kept(other.task) == kept(task) + 1, "and can be brought back"
    finally:
        other.task.stop()
        other.deleteLater()


def test_an_edit_while_writing_does_not_stop_it(go, wait, tmp_path, monkeypatch):
    import threading

    task, (y, x), hold = go.calibrated(), hole(), threading.Event()
    real = task.core.save
    monkeypatch.setattr(task.core, "save", lambda *args: (hold.wait(10), real(*args))[1])
    before = kept(task)
    path = tmp_path / "d.h5"
    task.document.save(str(path))
    task.workspace.toggle_spot(y, x)
    wait(lambda: not task.updates.isPending, 5, "the update to be asked for")
    hold.set()
    wait(path.exists, what="the file")
    go.idle()
    assert kept(task) == before - 1
    assert task.view().fit is not None
    assert task.document.file() == str(path)
    assert task.isModified(), "the edit came after what was written"


def test_detector_file_is_read_by_pyfai(go, wait, tmp_path):
    from pyFAI.detectors import detector_factory

    task = go.calibrated()
    path = str(tmp_path / "detector.h5")
    task.document.save(path)
    wait(lambda: task.document.file() == path, what="saving")
    detector = detector_factory(path)
    assert detector.shape == scenes.SHAPE
    np.testing.assert_allclose(
        detector.get_pixel_corners(), task.view().fit.distortion.pixel_corners(), atol=1e-9, equal_nan=True
    )


@pytest.mark.parametrize("kind", ["spline", "imaged11", "npz"])
def test_export(go, wait, tmp_path, kind):
    from pyfai_gridcal.io.kinds.kinds import KINDS, read_distortion

    task = go.calibrated()
    names = {action.objectName() for action in task.panel.exportButton.menu().actions()}
    assert names == {f"export-{name}" for name in KINDS}
    path = tmp_path / f"out{KINDS[kind].suffixes[0]}"
    told = []
    task.worker.sigProgress.connect(lambda fraction, text: told.append((fraction, text)))
    task.document.export(str(path), kind)
    wait(lambda: "written" in task.panel.resultLabel.text(), what="the export")
    written = task.panel.resultLabel.text().removeprefix("written: ").split(", ")
    back = read_distortion(written if len(written) > 1 else written[0])
    assert back.shape == scenes.SHAPE
    assert (0.05, f"writing {path.name}") in told
    if kind == "spline":  # takes seconds
        assert len({text for _, text in told}) >= 4
        assert max(fraction for fraction, _ in told) > 0.5


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
    assert "ImageError" in details


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


def test_cancel(go, wait, monkeypatch):
    import threading

    go.load()
    task, held = go.task, threading.Event()
    real = task.core.index
    monkeypatch.setattr(task.core, "index", lambda *args: (held.wait(10), real(*args))[1])
    write(task.panel.editor("pitch"), "1.4mm")
    go.idle()
    QTest.mouseClick(task.panel.calibrateButton, LEFT)
    wait(lambda: task.panel.progressText.text() == "indexing image", 10, "the stage that is held")
    assert task.panel.cancelButton.isEnabled()
    QTest.mouseClick(task.panel.cancelButton, LEFT)
    assert not task.worker.isBusy
    assert not task.panel.cancelButton.isEnabled()
    held.set()
    task.actionsByName["calibrate"].trigger()
    wait(lambda: task.view().fit is not None, what="the next run")


def test_closing_asks_when_there_is_something_to_lose(go, window, monkeypatch):
    go.calibrated()
    asked = []
    answers = [qt.QMessageBox.StandardButton.Cancel, qt.QMessageBox.StandardButton.Discard]
    monkeypatch.setattr(
        qt.QMessageBox, "question", staticmethod(lambda *args: (asked.append(args[2]), answers.pop(0))[1])
    )
    assert not window.close()
    assert window.isVisible()
    assert window.close()
    assert len(asked) == 2


def test_closing_says_nothing_when_all_is_saved(go, window, wait, tmp_path, monkeypatch):
    task = go.calibrated()
    task.document.save(str(tmp_path / "d.h5"))
    wait(lambda: not task.isModified())
    monkeypatch.setattr(qt.QMessageBox, "question", staticmethod(lambda *args: pytest.fail("it asked")))
    assert window.close()


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


def test_icons_are_seen_on_light_and_dark(qapp):
    from pyfai_gridcal.gui.drawing.artwork import icon

    for text, lighter in (("#101010", False), ("#f0f0f0", True)):
        palette = qt.QPalette()
        palette.setColor(qt.QPalette.ColorRole.WindowText, qt.QColor(text))
        picture = icon("layer-grid", palette=palette).pixmap(32, 32).toImage()
        pixels = [picture.pixelColor(x, y) for x in range(32) for y in range(32)]
        shade = np.mean([p.lightness() for p in pixels if p.alpha() > 200])
        assert (shade > 128) == lighter


def test_all_icons_are_found_by_silx(qapp):
    from importlib.resources import files

    import silx.gui.icons

    names = [path.name[:-4] for path in (files("pyfai_gridcal.gui") / "icons").iterdir()]
    assert "task-distortion" in names
    for name in names:
        assert not silx.gui.icons.getQIcon(f"gridcal:gui/icons/{name}").isNull()


def test_command_line_opens_what_it_names(go, image, wait, monkeypatch):
    from pyfai_gridcal.gui import window as module

    task, seen = go.task, {}
    monkeypatch.setattr(module, "main", lambda images, **options: seen.update(images=images, **options) or 0)
    words = ["gui", str(image), "--pitch", "1.4mm", "--mask", str(image), "--model", "spline", "--gl"]
    assert command(words) == 0
    assert seen["backend"] == "opengl"
    module.begin(task, seen["images"], {**seen["given"], "mask": None})
    assert task.workspace.state.settings.pitch == (0.0014, 0.0014)
    assert task.workspace.state.settings.model == "spline"
    assert task.panel.editor("model").currentText() == "spline"
    wait(lambda: task.view() is not None and task.view().spots is not None, what="spots")


def test_a_failed_result_is_written_only_on_demand(go, monkeypatch, tmp_path, wait):
    from dataclasses import replace

    from pyfai_gridcal.records.verdict import Verdict

    task = go.calibrated()
    failed = replace(task.document.calibration(), verdict=Verdict("failed", ("the grid is a moire",)))
    monkeypatch.setattr(task.document, "calibration", lambda: failed)
    asked, answers = [], [qt.QMessageBox.StandardButton.No, qt.QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(
        qt.QMessageBox, "question", staticmethod(lambda *args: (asked.append(args[2]), answers.pop(0))[1])
    )
    path = tmp_path / "d.h5"
    monkeypatch.setattr(qt.QFileDialog, "getSaveFileName", staticmethod(lambda *args: (str(path.with_suffix("")), "")))
    QTest.mouseClick(task.panel.saveButton, LEFT)
    assert "the grid is a moire" in asked[0]
    assert not task.worker.isBusy
    QTest.mouseClick(task.panel.saveButton, LEFT)
    wait(lambda: not task.worker.isBusy, what="writing")
    assert path.exists(), "with the suffix that pyFAI's dialogs look for"


def wheel(widget):
    """Turn the wheel over the middle of a widget; returns whether it took the turn."""
    place = qt.QPointF(widget.rect().center())
    event = qt.QWheelEvent(
        place, widget.mapToGlobal(place), qt.QPoint(0, 0), qt.QPoint(0, -120), qt.Qt.MouseButton.NoButton,
        qt.Qt.KeyboardModifier.NoModifier, qt.Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    event.ignore()
    qt.QApplication.sendEvent(widget, event)
    return event.isAccepted()


def test_the_wheel_is_left_to_the_panel_and_changes_nothing(go):
    task = go.calibrated()
    panel, before = task.panel, task.workspace.state
    for widget in (panel.editor("model"), panel.exposures, panel.quality.histogram.getWidgetHandle()):
        limits = panel.quality.histogram.getXAxis().getLimits()
        assert not wheel(widget), "it goes on to what is around"
        assert panel.quality.histogram.getXAxis().getLimits() == limits
    assert panel.editor("model").currentText() == "auto"
    assert task.workspace.state is before
    limits = task.plot.getXAxis().getLimits()
    wheel(task.plot.getWidgetHandle())
    assert task.plot.getXAxis().getLimits() != limits, "the image is zoomed by the wheel"


def test_axes_are_not_drawn(go):
    """They would be moved out of the picture only, and their ticks come back where the aspect is kept."""
    go.load()
    backend = go.task.plot.getBackend()
    assert not backend.ax.axison
    assert not backend.ax2.axison


def test_a_scale_does_not_move_the_plot(go):
    go.load()
    task = go.task
    assert not task.plot.getColorBarWidget().isVisible()
    bounds = task.plot.getPlotBoundsInPixels()
    task = go.calibrated()
    assert task.plot.getColorBarWidget().isVisible()
    assert task.plot.getPlotBoundsInPixels() == bounds
    task.layers.maps.setCurrentIndex(task.layers.maps.findData("dx"))
    go.idle()
    QTest.qWait(50)
    assert task.plot.getPlotBoundsInPixels() == bounds


def test_map_and_spots_of_the_residuals_have_the_same_colours(go):
    task = go.calibrated()
    spots = task.plot.spots.colormap
    task.layers.maps.setCurrentIndex(task.layers.maps.findData("residual"))
    go.idle()
    colormap = task.plot.getImage("map").getColormap()
    assert colormap.getVRange() == spots.getVRange()
    shared = colormap.getVRange()
    task.layers.colours.setCurrentIndex(task.layers.colours.findData("sigma"))
    assert spots.getVRange() != shared
    assert task.plot.getImage("map").getColormap().getVRange() != spots.getVRange()
    assert task.plot.getColorBarWidget().getLegend() == "Residual, px"


def test_spot_under_the_mouse_is_told_in_full(go, window):
    from qtest import at

    window.resize(1280, 860)
    task, (y, x) = go.calibrated(), hole()
    QTest.mouseMove(task.plot.getWidgetHandle(), at(task.plot, y, x))
    label = task.plot.findChild(qt.QLabel, "plot-spot")
    assert label.text() == f"<b>Spot:</b> {task.plot.spots.wordsAt(x + 0.5, y + 0.5)}"
    assert "sigma" in label.text()
    assert label.width() >= label.sizeHint().width()


def test_before_and_after_says_what_is_where(go, wait):
    from silx.gui.plot.items.marker import MarkerBase

    go.load()
    task = go.task
    task.tabs.setCurrentIndex(1)
    assert task.compare.note.isVisible()
    assert "needs an image and a calibration" in task.compare.note.text()
    task.tabs.setCurrentIndex(0)
    go.calibrated()
    task.tabs.setCurrentIndex(1)
    assert "being corrected" in task.compare.note.text()
    wait(lambda: task.compare.images() is not None, what="the corrected image")
    wait(lambda: not task.compare.note.isVisible(), 20, "the plot")
    assert task.compare._help.isVisible()
    lines = [item for item in task.compare.slider.getPlot().getItems() if isinstance(item, MarkerBase)]
    assert {line.getColor()[:2] for line in lines} == {(1.0, 208 / 255)}, "light, for the image is dark"
    assert "Means" not in task.compare._help.text()
    task.compare.mode.setCurrentIndex(1)
    assert not task.compare._help.isVisible()


def test_a_pointer_names_a_file_that_holds_what_is_shown(go, wait, tmp_path, monkeypatch):
    """A PONI file shall not name the detector as it was before the last edit."""
    task, asked = go.calibrated(), []
    names = {
        "Save detector, which the PONI file names": "new.h5",
        "Export: PONI file that names the detector": "x.poni",
    }
    monkeypatch.setattr(
        qt.QFileDialog,
        "getSaveFileName",
        staticmethod(lambda parent, title, *more: (asked.append(title), (str(tmp_path / names[title]), ""))[1]),
    )
    task.document.save(str(tmp_path / "old.h5"))
    wait(lambda: task.document.savedFile() == str(tmp_path / "old.h5"), what="saving")
    task.workspace.toggle_spot(*hole())
    go.idle()
    assert task.document.savedFile() is None
    export = next(a for a in task.panel.exportButton.menu().actions() if a.objectName() == "export-poni")
    export.trigger()
    wait((tmp_path / "x.poni").exists, what="the PONI file")
    go.idle()
    assert asked == list(names)
    assert str(tmp_path / "new.h5") in (tmp_path / "x.poni").read_text()
    asked.clear()
    (tmp_path / "x.poni").unlink()
    export.trigger()
    wait((tmp_path / "x.poni").exists, what="the PONI file")
    assert asked == [list(names)[1]], "the file is there now"
