"""``demo``: an example with a known distortion."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyfai_gridcal import cli

SHAPE = (300, 372)


@pytest.mark.slow
def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "demo"
    assert cli.main(["demo", "-o", str(folder), "--shape", "330,410", "--seed", "11"]) == 0
    out = capsys.readouterr().out
    assert "found" in out
    assert "true" in out
    for name in ("grid.edf", "detector.h5", "result.png"):
        assert (folder / name).stat().st_size > 1000
        assert name in out


def test_demo_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert cli.main(["demo", "-o", str(tmp_path / "file")]) == 2
    assert "is a file" in capsys.readouterr().err
    assert cli.main(["demo", "-o", str(tmp_path / "x"), "--shape", "50,60"]) == 2
    assert "at least 230" in capsys.readouterr().err
