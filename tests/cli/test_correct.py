"""``correct``: images without their distortion."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from commands import run
from hub import wave

from pyfai_gridcal.io.kinds.kinds import write_distortion


def test_images_of_another_shape_cost_no_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_distortion(wave(), tmp_path / "a.npz")
    np.save(tmp_path / "image.npy", np.ones((30, 40), np.float32))
    assert run("correct", tmp_path / "a.npz", tmp_path / "image.npy", "-o", tmp_path / "out.npy") == 1
    assert "as the detector" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "image.npy"]


def test_missing_frames_are_an_error_or_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_distortion(wave((24, 33)), tmp_path / "det.npz")
    layout = h5py.VirtualLayout((2, 24, 33), np.uint16)
    layout[1] = h5py.VirtualSource("gone.h5", "data", (24, 33))
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["first"] = np.ones((24, 33), np.uint16)
        layout[0] = h5py.VirtualSource(".", "first", (24, 33))
        file.create_virtual_dataset("data", layout)
    command = ("correct", tmp_path / "det.npz", f"{tmp_path / 'scan.h5'}::/data", "-o", tmp_path / "out.h5")
    assert run(*command) == 1
    assert "1 of 2 frames" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.table-*"))
    assert run(*command, "--missing", "skip", "--json", tmp_path / "out.json") == 0
    assert "cannot read gone.h5::data; they are left out" in capsys.readouterr().out
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["frames"] == 1
    assert "gone.h5" in told["notes"][0]
