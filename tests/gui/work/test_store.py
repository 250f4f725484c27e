"""The work in a result file is taken up as it was left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import scenes

from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.base.progress import untold
from pyfai_gridcal.calibration import Calibration
from pyfai_gridcal.gui.work.draft import Draft
from pyfai_gridcal.gui.work.edits import Edit
from pyfai_gridcal.gui.work.state import WorkExposure, WorkState
from pyfai_gridcal.gui.work.store import read_work, save_work
from pyfai_gridcal.io.nexus.contents import find_process


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return scenes.calibrated()


def test_edits_and_spots_come_back(calibration: Calibration, tmp_path: Path) -> None:
    edits = (Edit.at("remove", *calibration.spots[0].yx[5]), Edit.within("exclude", [(0, 0), (0, 9), (9, 0)]))
    state = WorkState(Draft(), (WorkExposure("grid.edf", edits=edits),))
    found = calibration.spots[0].select(np.arange(20))
    path = save_work(calibration, state, (found,), tmp_path / "d.h5", untold)
    again, opened, spots = read_work(path)
    assert again.exposures[0].source == "grid.edf"
    assert again.exposures[0].edits == edits
    assert again.settings.pitch == calibration.settings.pitch
    np.testing.assert_array_equal(again.exposures[0].array, scenes.small().image)
    np.testing.assert_array_equal(spots[0].yx, found.yx)
    np.testing.assert_allclose(opened.displacement_maps(), calibration.displacement_maps(), atol=1e-9)


def test_a_file_of_the_command_line_has_no_edits(calibration: Calibration, tmp_path: Path) -> None:
    path = calibration.save(tmp_path / "d.h5")
    state, _, spots = read_work(path)
    assert state.exposures[0].edits == ()
    np.testing.assert_array_equal(spots[0].yx, calibration.spots[0].yx)


def test_edits_that_cannot_be_read_are_refused(calibration: Calibration, tmp_path: Path) -> None:
    state = WorkState(Draft(), (WorkExposure("grid.edf", edits=(Edit.at("remove", 1, 2),)),))
    path = save_work(calibration, state, calibration.spots, tmp_path / "d.h5", untold)
    with h5py.File(path, "r+") as file:
        process = find_process(file)
        assert process is not None
        process["workspace/exposure_0/edits"][()] = "{"
    with pytest.raises(FileFormatError, match="edit"):
        read_work(path)


def test_a_result_without_its_image_is_for_looking_only(calibration: Calibration, tmp_path: Path) -> None:
    path = replace(calibration, images=()).save(tmp_path / "d.h5")
    with pytest.raises(FileFormatError, match="no image"):
        read_work(path)
