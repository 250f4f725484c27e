"""``plan``: how good a calibration will be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyfai_gridcal import cli


def test_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "--pitch 1.2mm --hole 0.4mm --shape 300,340 --pixel 50um --plate-error 5um --exposures 1,2"
    assert (
        cli.main(["plan", *words.split(), "--json", str(tmp_path / "p.json"), "--picture", str(tmp_path / "p.png")])
        == 0
    )
    assert "holes in view" in capsys.readouterr().out
    one, two = json.loads((tmp_path / "p.json").read_text())["plans"]
    assert two["rms_px"] < one["rms_px"]
    assert one["spots"] > 100
    assert (tmp_path / "p.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--pitch 1mm", "neither --hole nor --sigma"),
        ("--pitch 1mm --hole 2mm", "smaller than the pitch"),
        ("--pitch 1mm --hole 0.3mm --exposures 0", "1 to 100"),
        ("--pitch 5mm --hole 0.3mm", "holes in view"),
        ("--pitch 1 --hole 0.3mm", "1 what?"),
    ],
)
def test_plan_refuses(words: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "--shape", "200,210", "--pixel", "50um", *words.split()]) == 2
    assert says in capsys.readouterr().err
