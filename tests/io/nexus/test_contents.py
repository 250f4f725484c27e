"""What a file holds: a detector, a calibration, or something else."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest
from hub import wave

from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.io.nexus.contents import detector_beside, find_detector, find_process, holds_detector, holds_result
from pyfai_gridcal.io.nexus.groups import new_entry, new_group, write_detector
from pyfai_gridcal.io.nexus.result import save_result


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return (save_result(wave((20, 31)), tmp_path_factory.mktemp("contents") / "det.h5"),)


def test_detector_beside_an_image(saved, tmp_path):
    assert detector_beside(f"{tmp_path}/scan.tif") == tmp_path / "scan.h5"
    assert detector_beside(f"{tmp_path}/scan.h5::/entry/data[3]") == tmp_path / "scan_detector.h5"
    assert detector_beside(f"silx:{tmp_path}/a.b.h5?path=/data&slice=0") == tmp_path / "a.b_detector.h5"
    shutil.copy(saved[0], tmp_path / "scan.h5")
    assert detector_beside(f"{tmp_path}/scan.tif") == tmp_path / "scan.h5", "an earlier result is replaced"
    (tmp_path / "scan.h5").write_bytes(b"raw data")
    assert detector_beside(f"{tmp_path}/scan.tif") == tmp_path / "scan_detector.h5"
    (tmp_path / "scan_detector.h5").write_bytes(b"raw data")
    assert detector_beside(f"{tmp_path}/scan.tif") == tmp_path / "scan_detector_2.h5"


def test_what_files_hold(saved, tmp_path):
    assert holds_detector(saved[0])
    assert holds_result(saved[0])
    with h5py.File(tmp_path / "bare.h5", "w") as file:
        write_detector(new_entry(file, "a detector alone"), wave((20, 31)))
    assert holds_detector(tmp_path / "bare.h5")
    assert not holds_result(tmp_path / "bare.h5")
    with h5py.File(tmp_path / "raw.h5", "w") as file:  # as beamlines write them, without pixel corners
        detector = new_group(new_group(new_entry(file, "raw"), "instrument", "NXinstrument"), "frelon", "NXdetector")
        detector["data"] = np.zeros((2, 20, 31))
    assert not holds_detector(tmp_path / "raw.h5")
    (tmp_path / "text.h5").write_text("text")
    for name in ("raw.h5", "text.h5", "missing.h5", "."):
        assert not holds_detector(tmp_path / name)
        assert not holds_result(tmp_path / name)


def test_the_newest_entry_counts(tmp_path):
    """By its start, whatever the names; dangling links, datasets and entries without a start are passed over."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, start in (("b", "2020-01-02T00:00:00"), ("c", "2024-05-01T00:00:00"), ("a", "2022-01-01T00:00:00")):
            entry = new_group(file, name, "NXentry")
            entry["start_time"] = start
            new_group(new_group(entry, "pyFAI", "NXsubentry"), f"of_{name}", "NXdetector")
        new_group(file, "d", "NXentry")
        file["e"], file["f"] = h5py.SoftLink("/nowhere"), 3
        assert find_detector(file).name == "/c/pyFAI/of_c"
        assert find_process(file) is None
        del file["a"], file["b"], file["c"]
        with pytest.raises(FileFormatError, match="no NeXus detector"):
            find_detector(file)
