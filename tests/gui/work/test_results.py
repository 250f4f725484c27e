"""Any file with a distortion becomes something that can be drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scenes

from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.gui.work.results import read_any
from pyfai_gridcal.gui.work.state import Bare
from pyfai_gridcal.io.kinds.kinds import write_distortion
from pyfai_gridcal.records.fit import DistortionFit


def test_a_calibration_with_its_image(tmp_path: Path) -> None:
    calibration = scenes.calibrated()
    results = read_any(calibration.save(tmp_path / "d.h5"))
    assert results.missing is None
    work = results.exposures[0]
    assert work.picture is not None
    np.testing.assert_array_equal(work.picture.data, scenes.small().image)
    assert work.spots is not None
    np.testing.assert_array_equal(work.spots.yx, calibration.spots[0].yx)
    assert work.kept is not None
    assert work.kept.all()


def test_a_distortion_alone(fit: DistortionFit, tmp_path: Path) -> None:
    told: list[str] = []
    path = write_distortion(fit.distortion, tmp_path / "d.npz", "npz")[0]
    results = read_any(path, lambda fraction, text: told.append(text))
    assert told == ["reading"]
    assert isinstance(results.calibration, Bare)
    assert results.calibration.distortion.shape == fit.distortion.shape
    assert results.exposures[0].picture is None
    assert results.calibration.verdict is None


def test_no_such_file() -> None:
    with pytest.raises(FileFormatError, match="no such file: nowhere"):
        read_any("nowhere.h5")
