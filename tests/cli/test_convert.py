"""``convert``: from one kind of file to another."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pyfai_gridcal import cli


def test_convert_tells_how_far_the_fit_of_a_spline_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hub import wave

    from pyfai_gridcal.cli import _progress
    from pyfai_gridcal.io.kinds.kinds import write_distortion

    write_distortion(wave(), tmp_path / "a.npz")
    for name in ("PATIENCE", "SPARSE"):
        monkeypatch.setattr(_progress, name, 0.0)
    assert cli.main(["convert", str(tmp_path / "a.npz"), str(tmp_path / "a.spline")]) == 0
    assert re.search(r"^ *\d+ % .*knots", capsys.readouterr().err, re.MULTILINE)


def test_binned_pixels_are_told_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hub import wave

    from pyfai_gridcal.io.kinds.kinds import write_distortion

    ny, nx = wave().shape
    write_distortion(wave(), tmp_path / "a.npz")
    assert cli.main(["convert", str(tmp_path / "a.npz"), str(tmp_path / "b.npz"), "--binning", "2"]) == 0
    assert f"binned 2 x 2 to {ny // 2} x {nx // 2} pixels" in capsys.readouterr().out


def test_like_and_relative(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hub import PIXEL, wave

    from pyfai_gridcal.io.kinds.kinds import write_distortion

    write_distortion(wave(), tmp_path / "a.h5")
    head = f'poni_version: 2\nDetector: Detector\nDetector_config: {{"pixel1": {PIXEL[0]}, "pixel2": {PIXEL[1]}}}\n'
    (tmp_path / "old.poni").write_text(head + "Distance: 0.25\nPoni1: 0\nPoni2: 0\nRot1: 0\nRot2: 0\nRot3: 0.5\n")
    words = ["convert", str(tmp_path / "a.h5"), str(tmp_path / "new.poni"), "--like", str(tmp_path / "old.poni")]
    assert cli.main([*words, "--relative", "--json", str(tmp_path / "done.json")]) == 0
    text = (tmp_path / "new.poni").read_text()
    assert "Distance: 0.25\n" in text
    assert "Rot3: 0.5\n" in text
    assert '"filename": "a.h5"' in text
    assert "pyFAI finds the detector only from" in capsys.readouterr().out
    assert cli.main([*words[:2], str(tmp_path / "new.npz"), *words[3:]]) == 2
    assert "a .poni: other files hold no geometry" in capsys.readouterr().err
    (tmp_path / "old.poni").unlink()
    assert cli.main(words) == 1
    assert "old.poni is missing" in capsys.readouterr().err
