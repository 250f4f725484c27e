"""``benchmark``: what is measured, and what is written of it; nothing is measured here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commands import run

from pyfai_gridcal.benchmark import BenchmarkPlan, Measurement


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[BenchmarkPlan]:
    """What was to be measured."""
    seen: list[BenchmarkPlan] = []
    stages = [{"name": "all", "seconds": 2.0, "cpu": 1.0, "peak_mb": 100.0}]
    runs = ({"seconds": 2.0, "cpu": 1.0, "peak_mb": 100.0, "stages": stages},)
    figures = {"spots": 450, "pixels": 280_000, "field_rms_px": 0.01}

    def measured(plan: BenchmarkPlan, *, progress: Any) -> tuple[Measurement, ...]:
        seen.append(plan)
        return (Measurement("quick", "gridcal", figures, runs),)

    monkeypatch.setattr("pyfai_gridcal.benchmark.run", measured)
    return seen


def test_figures_are_told_and_kept(
    plans: list[BenchmarkPlan], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("benchmark", "--scene", "quick", "--repeat", "2", "-o", tmp_path / "out") == 0
    assert (plans[0].scenes, plans[0].repeat) == (("quick",), 2)
    assert "0.0100" in capsys.readouterr().out
    record = json.loads((tmp_path / "out" / "benchmark.json").read_text())
    assert record["measurements"][0]["field_rms_px"] == 0.01
    assert record["machine"]["cores"] >= 1
    assert (tmp_path / "out" / "benchmark.png").stat().st_size > 1000


@pytest.mark.parametrize("words", ["--scene moon", "--method magic", "--repeat 0"])
def test_what_there_is_not_is_not_measured(
    plans: list[BenchmarkPlan], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("benchmark", *words.split()) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not plans
