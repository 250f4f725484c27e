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


def test_the_plan_knows_the_plate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "plan --pitch 1.2mm --sigma 0.01 --shape 300,340 --pixel 50um"
    told = "--tilt 0.3deg --source 1m --expansion 16.5e-6 --temperature 25±2"
    assert cli.main([*words.split(), *told.split(), "--json", str(tmp_path / "p.json")]) == 0
    assert "tilt ± 0.3°, source at 1 m, 25 ± 2 °C" in capsys.readouterr().out
    (one,) = json.loads((tmp_path / "p.json").read_text())["plans"]
    assert one["with_plate_px"] == pytest.approx((one["rms_px"] ** 2 + one["plate_px"] ** 2) ** 0.5)
    assert one["plate_px"] > 0.003
    assert cli.main(words.split()) == 0
    assert "assumed: the plate parallel to the detector, in a parallel beam" in capsys.readouterr().out


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
