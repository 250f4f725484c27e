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
    # where the record cannot go is told before anything is written
    assert run(*command, "--missing", "skip", "--json", tmp_path / "nowhere" / "out.json") == 2
    assert not list(tmp_path.glob("out*"))
    capsys.readouterr()
    assert run(*command, "--missing", "skip", "--json", tmp_path / "out.json") == 0
    assert "cannot read gone.h5::data; they are left out" in capsys.readouterr().out
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["frames"] == 1
    assert "gone.h5" in told["notes"][0]


def test_the_orientation_of_a_detector_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Images that are turned as their detectors say become one and the same, and the table of one is not another's."""
    write_distortion(wave((40, 61), masked=True), tmp_path / "det.h5")
    image = np.random.default_rng(2).poisson(100, (40, 61)).astype(np.float32)
    found = []
    for orientation, turned in ((3, image), (2, image[::-1]), (1, image[::-1, ::-1]), (4, image[:, ::-1])):
        config = {"filename": str(tmp_path / "det.h5"), "orientation": orientation}
        (tmp_path / "a.json").write_text(json.dumps({"detector_config": config}))
        np.save(tmp_path / "image.npy", turned)
        assert run("correct", tmp_path / "a.json", tmp_path / "image.npy", "-o", tmp_path / "out.npy") == 0
        said = capsys.readouterr().out
        assert ("pyFAI's orientation" in said) == (orientation != 3)
        assert f"orientation {orientation}, corrected ones in orientation 3" in said or orientation == 3
        found.append(np.load(tmp_path / "out.npy"))
        (tmp_path / "out.npy").unlink()
    for one in found[1:]:
        np.testing.assert_allclose(one, found[0], rtol=1e-4)
    assert run("correct", tmp_path / "a.json", tmp_path / "image.npy", "-o", tmp_path / "out.h5") == 0
    with h5py.File(tmp_path / "out.h5") as file:
        assert b"orientation 4" in file["entry_0000/correction/notes"][()]
