"""What ``demo`` says of the detector file that it wrote: pyFAI has the last word."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from hub import modules, wave

from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.cli.demo import _opened_by_pyfai
from pyfai_gridcal.io.nexus.result import save_result


@pytest.mark.parametrize("truth", [wave((40, 61), masked=True), modules()])
def test_pyfai_opens_what_was_written(tmp_path: Path, truth) -> None:
    path = save_result(truth, tmp_path / "detector.h5")
    assert "opens the detector file: corners within 0 px" in _opened_by_pyfai(path, SimpleNamespace(distortion=truth))


@pytest.mark.parametrize("name", ["pixel_corners", "mask", "pixel_size", "orientation"])
def test_what_pyfai_reads_otherwise_is_told(tmp_path: Path, name: str) -> None:
    truth = wave((40, 61), masked=True)
    path = save_result(truth, tmp_path / "detector.h5")
    with h5py.File(path, "r+") as file:
        dataset = file["entry_0000/pyFAI/calibrated"][name]
        if name == "pixel_corners":
            dataset[5, 7, 0, 2] += np.float32(2e-3 * truth.pixel_size[1])
        else:
            dataset[...] = {"mask": 0, "pixel_size": [48e-6, 53.1e-6], "orientation": 2}[name]
    with pytest.raises(FileFormatError, match="makes another detector"):
        _opened_by_pyfai(path, SimpleNamespace(distortion=truth))


def test_what_pyfai_does_not_open_is_told(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "detector.h5", "w") as file:
        file["no"] = "detector"
    with pytest.raises(FileFormatError, match="does not open"):
        _opened_by_pyfai(tmp_path / "detector.h5", SimpleNamespace(distortion=wave((40, 61))))
