"""The panel shows what was found and passes on what the user wants."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from calibrated import demo
from qtest import qt, write

from pyfai_gridcal.gui.panels.panel import WorkPanel, _model_words
from pyfai_gridcal.gui.work.draft import Draft
from pyfai_gridcal.gui.work.state import Results
from pyfai_gridcal.gui.work.views import WorkView
from pyfai_gridcal.io.kinds.kinds import KINDS
from pyfai_gridcal.records.traits import Sensor, Traits

pytestmark = pytest.mark.gui


@pytest.fixture
def panel(qapp, keep):
    return keep(WorkPanel())


def test_what_was_found(panel, view):
    found = replace(view.results.exposures[0], found=view.results.exposures[0].spots)
    panel.setView(replace(view, results=replace(view.results, exposures=(found,))), edits=2)
    assert panel.imageLabel.text() == "90 × 160 px"
    assert "12 on the grid, 1 outlier, 2 without a node, 1 removed" in panel.spotLabel.text()
    assert "2 edits by hand" in panel.spotLabel.text()
    assert panel.forgetButton.isVisible()
    assert "Pixel size 50 µm × 40 µm" in panel.modelLabel.text()
    assert panel.saveButton.isEnabled()
    bare = view.fit.distortion
    fit = replace(view.fit, distortion=replace(bare, traits=Traits(Sensor("CdTe", 1e-3))))
    calibrated = replace(view.results, calibration=SimpleNamespace(fit=fit, verdict=view.results.calibration.verdict))
    panel.setView(replace(view, results=replace(calibrated, exposures=(found,))))
    assert "; CdTe, 1 mm" in panel.modelLabel.text()
    panel.setView(WorkView(Results()))
    assert (panel.imageLabel.text(), panel.spotLabel.text(), panel.modelLabel.text()) == ("", "", "")
    assert not panel.saveButton.isEnabled()


def test_buttons_and_files_are_passed_on(panel):
    told = []
    panel.sigCalibrate.connect(lambda: told.append("calibrate"))
    panel.sigFile.connect(lambda role, name: told.append((role, name)))
    panel.sigExport.connect(told.append)
    panel.calibrateButton.click()
    write(panel.files["dark"].edit, "dark.edf")
    for number in (0, 2):
        panel.exportButton.menu().actions()[number].trigger()
    assert told == ["calibrate", ("dark", "dark.edf"), "report", next(iter(KINDS))]


def test_the_angle_is_that_of_an_oblique_grid(panel):
    for lattice in ("auto", "oblique"):
        panel.setSettings(replace(Draft(), lattice=lattice))
        assert panel.editor("angle").isVisible() == (lattice == "oblique")
    with pytest.raises(KeyError):
        panel.editor("colour")


def test_one_exposure_cannot_be_removed(panel):
    panel.setExposures(["a.edf"], 0)
    assert not panel.removeButton.isEnabled()
    panel.setExposures(["a.edf", "b.edf"], 1)
    assert panel.removeButton.isEnabled()
    assert panel.exposures.currentText() == "2: b.edf"


def test_progress(panel):
    panel.setBusy(True)
    panel.setProgress(0.25, "fitting")
    assert (panel.progressBar.value(), panel.progressText.text()) == (250, "fitting")
    panel.setBusy(False)
    assert (panel.progressBar.value(), panel.progressText.text()) == (0, "ready")


def test_help_and_the_worst_spots_in_words(panel, view):
    assert "pitch" in panel.findChild(qt.QLabel, "help").text()
    found = replace(view.results.exposures[0], found=view.results.exposures[0].spots)
    panel.setView(replace(view, results=replace(view.results, exposures=(found,))))
    worst = view.fit.points[0].ij[0]
    assert f"Largest residuals: ({worst[0]}, {worst[1]}) 0.050 px, " in panel.modelLabel.text()


def test_what_is_to_be_done_is_in_sight_on_a_small_screen(panel):
    panel.resize(400, 560)
    for one in (panel.calibrateButton, panel.saveButton, panel.exportButton):
        assert panel.rect().contains(one.geometry())


def test_what_the_plate_adds_is_shown_where_it_is_told() -> None:
    made = demo()
    told = replace(made, settings=replace(made.settings, tilt="0.5deg", source="1m"))
    words = [_model_words(WorkView(Results((), one))) for one in (made, told)]
    assert "plate" not in words[0]
    assert "(tilt ± 0.5°, source at 1 m)" in words[1]
