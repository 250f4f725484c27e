"""Names of files that tasks find out."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from ewoksrun import QUIET, run

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.ewoks import files, tasks

pytestmark = QUIET


def test_raw_data_beside_the_image_are_not_replaced(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["entry/data"] = [1, 2, 3]
    assert files.beside(str(tmp_path / "scan.tif")) == tmp_path / "scan_detector.h5"
    with pytest.raises(UsageError, match="name the output"):
        files.beside(np.zeros((2, 2)))


def test_last_calibration_of_a_pattern(tmp_path: Path) -> None:
    for name in ("cam_2026-03-01.h5", "cam_2026-03-02.h5", "cam_2026-03-03.h5"):
        (tmp_path / name).touch()
    pattern = str(tmp_path / "cam_*.h5")
    assert files.latest(pattern, str(tmp_path / "cam_2026-03-03.h5")) == str(tmp_path / "cam_2026-03-02.h5")
    assert files.latest(pattern, str(tmp_path / "elsewhere.h5")) == str(tmp_path / "cam_2026-03-03.h5")
    assert files.latest(str(tmp_path / "dog_*.h5"), "x.h5") is None
    first = run(tasks.CompareCalibrations, reference=str(tmp_path / "dog_*.h5"), detector_file="x.h5")
    assert first["verdict"] == "unknown"
