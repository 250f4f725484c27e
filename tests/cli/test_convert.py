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
