"""Files are written whole, hold what is shown, and are taken up again."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import scenes
from qtest import kept, qt
from scenes import hole

from pyfai_gridcal.gui.work.state import WorkExposure
from pyfai_gridcal.io.images.images import load_image

pytestmark = pytest.mark.gui


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
        assert other.task.recent.names()[0] == path
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
    assert names == {*(f"export-{name}" for name in (*KINDS, "poni-like", "report", "corrected")), ""}
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


def test_proposed_file_is_no_raw_data(go, tmp_path):
    (tmp_path / "scan.h5").write_bytes(b"raw data")
    go.task.workspace.set_exposures((WorkExposure(str(tmp_path / "scan.tif")),))
    assert go.task.document.defaultFile() == str(tmp_path / "scan_detector.h5")


@pytest.mark.parametrize(
    ("kind", "name"), [("corrected", "c.edf"), pytest.param("report", "r.html", marks=pytest.mark.slow)]
)
def test_report_and_corrected_image(go, wait, tmp_path, monkeypatch, kind, name):
    task, asked, path = go.calibrated(), [], tmp_path / name
    monkeypatch.setattr(
        qt.QFileDialog, "getSaveFileName", staticmethod(lambda *args: (asked.append(args[2]), (str(path), ""))[1])
    )
    task.dialogs.export(kind)
    wait(path.exists, what=name)
    go.idle()
    if kind == "report":
        assert "<html" in path.read_text()
    else:
        assert load_image(str(path)).data.shape == scenes.SHAPE
        assert asked == [task.document.defaultFile().removesuffix(".h5") + "_corrected.h5"], "not the detector file"
