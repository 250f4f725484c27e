"""``validate``: the closed loop, with the true detector of a drawn grid."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import run
from ringdrawing import GEOMETRY, WAVELENGTH, bent, draw

from pyfai_gridcal.io.kinds.kinds import write_distortion
from pyfai_gridcal.synthetic import demo_scene


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Folder with a detector and an image, and the pitch."""
    folder = tmp_path_factory.mktemp("validate")
    scene = demo_scene((240, 290), pitch_px=24.3, seed=3)
    write_distortion(scene.distortion, folder / "det.h5")
    np.save(folder / "grid.npy", scene.render(np.random.default_rng(1), bounds=False).image)
    return folder, f"{1e6 * scene.plate.pitch_m[0]:.6f}um"


def test_the_true_detector_makes_the_grid_straight(
    files: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyfai_gridcal.cli._progress.PATIENCE", float("inf"))  # on a busy machine it takes long
    folder, pitch = files
    out = ["--json", tmp_path / "v.json", "-o", tmp_path / "c.edf"]
    assert run("validate", folder / "det.h5", folder / "grid.npy", "--pitch", pitch, *out) == 0
    printed, error = capsys.readouterr()
    assert "misplacement" in printed
    assert f"written: {tmp_path / 'c.edf'}" in printed
    assert error == ""
    record = json.loads((tmp_path / "v.json").read_text())
    assert record["good"] is True
    assert record["misplacement_mean_pitch"] < 0.005


def test_beyond_the_tolerance_it_is_not_straight(files: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    folder, pitch = files
    words = ["--pitch", pitch, "--tolerance", "1e-6", "--json", "-"]
    assert run("validate", folder / "det.h5", folder / "grid.npy", *words) == 1
    printed, error = capsys.readouterr()
    assert json.loads(printed)["good"] is False
    assert "the corrected grid is not straight" in error
    assert "expected at most 1e-06" in error


def test_the_image_is_not_overwritten(files: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    folder, pitch = files
    before = (folder / "grid.npy").read_bytes()
    assert run("validate", folder / "det.h5", folder / "grid.npy", "--pitch", pitch, "-o", folder / "grid.npy") == 2
    assert "one of the inputs" in capsys.readouterr().err
    assert (folder / "grid.npy").read_bytes() == before


@pytest.mark.slow
def test_rings_tell_whether_it_helps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Against the plain detector of the PONI file, whose remark names the powder."""
    from pyFAI.detectors import Detector
    from pyFAI.geometry import Geometry

    rng, shape = np.random.default_rng(3), (260, 300)
    near = GEOMETRY | {"dist": 0.07, "poni1": 0.0135, "poni2": 0.0145}
    truth = bent(shape, 0.9, rng)
    write_distortion(truth, tmp_path / "det.h5")
    np.save(tmp_path / "rings.npy", draw(truth, rng, geometry=near))
    plain = Detector(1e-4, 1e-4, max_shape=shape, orientation=3)
    Geometry(**near, wavelength=WAVELENGTH, detector=plain).write(tmp_path / "a.poni")
    words = ["validate", tmp_path / "det.h5", "--rings", tmp_path / "rings.npy", "--poni", tmp_path / "a.poni"]
    assert run(*words, "--picture", tmp_path / "r.png", "--json", tmp_path / "r.json") == 0
    printed = capsys.readouterr().out
    assert "the calibration helps" in printed
    record = json.loads((tmp_path / "r.json").read_text())
    assert (record["verdict"], record["calibrant"]) == ("helps", "CeO2")
    assert record["after"]["rms_px"] < 0.5 * record["before"]["rms_px"]
    assert (tmp_path / "r.png").stat().st_size > 1000
    assert run(*words, tmp_path / "rings.npy") == 2
    assert run(*words[:4]) == 2
    assert "PONI file of that image" in capsys.readouterr().err
    assert run(*words, "--calibrant", "LaB6") == 1
