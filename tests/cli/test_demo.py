"""What ``demo`` says of the detector file that it wrote: pyFAI has the last word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from hub import modules, wave

from pyfai_gridcal import cli
from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.cli._progress import ProgressLine
from pyfai_gridcal.cli.demo import _in_the_same_frame, _opened_by_pyfai
from pyfai_gridcal.fitting.gauge import GaugeChange
from pyfai_gridcal.io.nexus.result import save_result
from pyfai_gridcal.records.fit import Pose


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


def test_truth_is_shown_in_the_frame_of_what_was_found() -> None:
    """Scale, turn and shift of the whole detector are no distortion: no image of a grid tells them."""
    truth = wave((60, 80), masked=True)
    change = GaugeChange(Pose(0.02, (3e-4, -2e-4)), truth.pixel_size, tuple(1.03 * p for p in truth.pixel_size))
    moved = replace(truth, field=change.field(truth.field), pixel_size=change.new)
    assert abs(moved.largest_px - truth.largest_px) > 1
    one, other = (_in_the_same_frame(d, truth) for d in (truth, moved))
    assert one.pixel_size == pytest.approx(other.pixel_size, rel=1e-9)
    assert one.largest_px == pytest.approx(other.largest_px, abs=1e-6)


@pytest.mark.slow
def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, told = tmp_path / "demo", []
    monkeypatch.setattr(ProgressLine, "__call__", lambda self, fraction, text: told.append(fraction))
    assert cli.main(["demo", "-o", str(folder), "--shape", "330,410", "--seed", "11"]) == 0
    assert told == sorted(told), "progress runs forwards"
    assert told[-1] <= 1
    out = capsys.readouterr().out
    assert "found" in out
    assert "true" in out
    assert "opens the detector file: corners within 0 px, and the same mask" in out
    for name in ("grid.edf", "detector.h5", "result.png"):
        assert (folder / name).stat().st_size > 1000
        assert name in out


def test_demo_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert cli.main(["demo", "-o", str(tmp_path / "file")]) == 2
    assert "is a file" in capsys.readouterr().err
    assert cli.main(["demo", "-o", str(tmp_path / "x"), "--shape", "50,60"]) == 2
    assert "at least 230" in capsys.readouterr().err
