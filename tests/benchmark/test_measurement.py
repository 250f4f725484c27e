"""Measurements in processes of their own. How quick anything is, is nowhere asserted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from measured import made_up

from pyfai_gridcal import cli
from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.benchmark import BenchmarkPlan, Measurement, measure, measurement, text_table


@pytest.mark.slow
def test_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    own = measure("quick", "gridcal", tmp_path, repeat=1)
    assert own.best is not None
    assert own.figures["wrong_index"] == 0
    assert own.figures["field_rms_px"] < 0.02
    assert own.figures["over_crlb"] < 2
    assert own.best["peak_mb"] > 1
    assert {stage["name"] for stage in own.best["stages"]} > {"detector", "fitting the distortion"}
    other = measure("quick", "tutorial", tmp_path, repeat=1)
    assert other.figures["field_rms_px"] > 5 * own.figures["field_rms_px"]
    lines = text_table([own, other])
    assert any("tutorial takes" in line for line in lines)


def test_failures_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = measure("quick", "gridcal", tmp_path, patience=0.01)
    assert "given up" in late.figures["failed"]
    assert late.best is None
    monkeypatch.setattr(measurement, "prepare", lambda name, folder: folder / "missing.npz")
    broken = measure("quick", "gridcal", tmp_path)
    assert "FileNotFoundError" in broken.figures["failed"]
    assert any("failed" in line for line in text_table([late]))


def test_plan_of_what_there_is_not() -> None:
    with pytest.raises(UsageError, match="taper"):
        BenchmarkPlan(scenes=("moon",))
    with pytest.raises(UsageError, match="tutorial"):
        BenchmarkPlan(methods=("magic",))


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[BenchmarkPlan] = []

    def run(plan: BenchmarkPlan, *, progress: Any) -> tuple[Measurement, ...]:
        seen.append(plan)
        return (made_up("quick", "gridcal", 1.0, 100.0, field_rms_px=0.01),)

    monkeypatch.setattr("pyfai_gridcal.benchmark.run", run)
    assert cli.main(["benchmark", "--scene", "quick", "--repeat", "1", "-o", str(tmp_path / "out")]) == 0
    assert seen[0].scenes == ("quick",)
    assert seen[0].repeat == 1
    assert "cores of" in capsys.readouterr().out
    record = json.loads((tmp_path / "out" / "benchmark.json").read_text())
    assert record["measurements"][0]["field_rms_px"] == 0.01
    assert (tmp_path / "out" / "benchmark.png").exists()
    assert cli.main(["benchmark", "--scene", "moon"]) == 2
    assert cli.main(["benchmark", "--repeat", "0"]) == 2
