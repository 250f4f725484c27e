"""Nothing is written that is not to be trusted, and pointers name what is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from qtest import LEFT, QTest, qt
from scenes import hole

pytestmark = pytest.mark.gui


def test_a_failed_result_is_written_only_on_demand(go, monkeypatch, tmp_path, wait):
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


def test_a_poni_file_like_another(go, wait, tmp_path, monkeypatch):
    """The window keeps the geometry, and names the detector beside it where that is wanted."""
    task = go.calibrated()
    size = task.view().fit.distortion.pixel_size
    config = f'{{"pixel1": {size[0]}, "pixel2": {size[1]}, "orientation": 2}}'
    (tmp_path / "old.poni").write_text(
        f"poni_version: 2.1\nDetector: Detector\nDetector_config: {config}\nDistance: 0.123\nPoni1: 0.001\n"
        "Poni2: 0.002\nRot1: 0.01\nRot2: 0.02\nRot3: 0\n"
    )
    monkeypatch.setattr(
        qt.QFileDialog, "getOpenFileName", staticmethod(lambda *given: (str(tmp_path / "old.poni"), ""))
    )
    monkeypatch.setattr(
        qt.QFileDialog, "getSaveFileName", staticmethod(lambda *given: (str(tmp_path / "run" / "new.poni"), ""))
    )
    (tmp_path / "run").mkdir()
    task.document.save(str(tmp_path / "det.h5"))
    wait(lambda: task.document.savedFile() == str(tmp_path / "det.h5"), what="saving")
    task.panel.relativeAction.setChecked(True)
    next(a for a in task.panel.exportButton.menu().actions() if a.objectName() == "export-poni-like").trigger()
    wait((tmp_path / "run" / "new.poni").exists, what="the PONI file")
    text = (tmp_path / "run" / "new.poni").read_text()
    assert "Distance: 0.123\n" in text
    assert "Rot1: 0.01\nRot2: -0.02\n" in text
    assert '"filename": "../det.h5"' in text
    (tmp_path / "run" / "new.poni").unlink()
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", staticmethod(lambda *given: ("", "")))
    task.dialogs.export("poni-like")
    go.idle()
    assert not (tmp_path / "run" / "new.poni").exists()
