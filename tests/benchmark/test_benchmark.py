"""The benchmark: its scenes, what it compares with, its figures. How quick anything is, is nowhere asserted."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyfai_gridcal import cli
from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.benchmark import SCENES, Measurement, Plan, measure, measurement, text_table
from pyfai_gridcal.benchmark.plot import draw
from pyfai_gridcal.benchmark.rivals import _Radial, best_scaled
from pyfai_gridcal.benchmark.scenes import scene_of
from pyfai_gridcal.benchmark.stopwatch import Stopwatch, memory
from pyfai_gridcal.benchmark.table import growth, machine, ratios
from pyfai_gridcal.benchmark.tutorial import HandSet, disk, tutorial
from pyfai_gridcal.io.nexus.detector import from_detector
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.synthetic import demo_scene, field_error, fields


def made_up(scene: str, method: str, cpu: float, peak: float, **figures: Any) -> Measurement:
    stages = [{"name": "all", "seconds": 2 * cpu, "cpu": cpu, "peak_mb": peak}]
    runs = ({"seconds": 2 * cpu, "cpu": cpu, "peak_mb": peak, "stages": stages},)
    return Measurement(scene, method, {"spots": 450, "pixels": 1_000_000, **figures}, runs)


@pytest.mark.parametrize("name", SCENES)
def test_scenes_are_what_their_text_says(name: str) -> None:
    scene = SCENES[name]
    drawn = scene.make()
    assert abs(drawn.shape[0] * drawn.shape[1] / 1e6 / float(scene.text.split()[0]) - 1) < 0.1
    assert drawn.shape[0] != drawn.shape[1]
    holes = len(drawn.holes())
    told = int(re.match(r"[\d ]+", scene.text.split(", ")[1])[0].replace(" ", ""))  # type: ignore[index]
    assert abs(holes / told - 1) < 0.1


def test_scaling_keeps_what_it_does_not_scale() -> None:
    one, four = scene_of("pixels-1024").make(), scene_of("pixels-2048").make()
    assert one.plate.pitch_m == four.plate.pitch_m
    assert four.shape[0] * four.shape[1] == 4 * one.shape[0] * one.shape[1]
    sparse, dense = scene_of("spots-96").make(), scene_of("spots-48").make()
    assert sparse.shape == dense.shape
    assert sparse.plate.pitch_m[0] == pytest.approx(2 * dense.plate.pitch_m[0])


def test_stopwatch() -> None:
    watch = Stopwatch()
    watch("sleep")
    time.sleep(0.02)
    watch("more")
    watch("more")  # the same stage goes on
    watch("less")
    watch.stop()
    assert [stage.name for stage in watch.stages] == ["sleep", "more", "less"]
    assert watch.stages[0].seconds >= 0.02
    now, most = memory()
    assert 0 < now <= most * 1.01


def test_memory_of_a_stage() -> None:
    # In a process of its own, as it is used: one that has done much gives memory back meanwhile.
    code = (
        "import numpy as np; from pyfai_gridcal.benchmark.stopwatch import Stopwatch; watch = Stopwatch(); "
        "watch('memory'); block = np.ones(8_000_000); watch.stop(); print(watch.stages[0].peak_mb)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 50 < float(done.stdout) < 120


# -- the tutorial's procedure
def test_tutorial_finds_a_grid_without_distortion() -> None:
    shape, pixel = (320, 350), (50e-6, 48e-6)
    flat = Distortion(fields.linear(shape), shape, pixel, gauge="truth")
    scene = demo_scene(shape, pitch_px=30.0)
    import dataclasses

    from pyfai_gridcal.synthetic import Faults, place

    scene = dataclasses.replace(scene, distortion=flat, pose=place(flat, scene.plate, angle_deg=1.0), faults=Faults())
    picture = scene.render(np.random.default_rng(1))
    pitch = scene.plate.pitch_m[0] / 49e-6
    hand = HandSet(9, 3000.0, 0.72 * pitch, 1.13 * pitch, (160.0, 175.0), scene.plate.pitch_m[0])
    stages: list[str] = []
    found = tutorial(picture.image, hand, stages.append)
    assert len(stages) == 7
    assert len(found.yx) >= picture.truth.whole.sum()
    assert found.matrix_bytes == 8 * len(found.yx) ** 2
    distortion = from_detector(found.detector)
    assert distortion.pixel_size == pytest.approx(pixel, rel=5e-3)
    assert field_error(distortion, flat, spots=picture.truth).rms_px < 0.2


def test_blocks_of_the_matrix_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyfai_gridcal.benchmark.tutorial as module

    yx = np.stack(np.mgrid[0:90:10, 0:80:10], axis=-1).reshape(-1, 2) + np.random.default_rng(0).normal(0, 0.3, (72, 2))
    hand = HandSet(5, 0.0, 7.0, 12.0, (40.0, 40.0), 1e-3)
    whole = [(k, list(others)) for k, others in module._neighbours(yx, hand)]
    monkeypatch.setattr(module, "MATRIX_LIMIT", 72 * 8 * 20)
    assert [(k, list(others)) for k, others in module._neighbours(yx, hand)] == whole
    assert sum(len(others) == 4 for _, others in whole) == 7 * 6


def test_disk_is_a_disk() -> None:
    kernel = disk(11)
    assert np.count_nonzero(kernel) == 97  # as the tutorial says
    assert kernel.sum() == pytest.approx(1)


# -- other programs
def test_radial_model_is_turned_round() -> None:
    field = _Radial((100.0, 120.0), (1.0, 1e-4, -2e-7))
    ideal = np.array([[30.0, 40.0], [150.0, 125.0]])
    away = ideal - field.centre
    r = np.hypot(*away.T)
    observed = field.centre + away * np.polynomial.polynomial.polyval(r, field.factors)[:, None]
    np.testing.assert_allclose(observed + field.at(observed), ideal, atol=1e-6)
    grid = field.on_grid(np.array([3.0, 5.0]), np.array([7.0]))
    np.testing.assert_allclose(grid[1, 0], field.at(np.array([[5.0, 7.0]]))[0])


def test_scale_of_programs_without_one() -> None:
    truth = Distortion(fields.radial((300, 350), 0.05), (300, 350), (50e-6, 50e-6), gauge="truth")
    other = Distortion(truth.field, truth.shape, (1.0, 1.0), gauge="none")
    assert best_scaled(other, truth).pixel_size == pytest.approx(truth.pixel_size)


# -- figures
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


def test_ratios_and_growth() -> None:
    rows = [made_up("taper", "gridcal", 1.0, 100.0), made_up("taper", "tutorial", 9.0, 500.0, matrix_mb=2000.0)]
    assert ratios(rows, "taper") == [
        (
            "tutorial takes 9.0 times the processor time, 9.0 times the seconds, 20.0 times the memory "
            "(with its matrix of distances in one piece)"
        )
    ]
    assert ratios(rows[1:], "taper") == []
    grown = [made_up(f"pixels-{side}", "gridcal", 1e-6 * side**2, 60.0, pixels=side**2) for side in (1024, 2048, 4096)]
    assert any("1.00th power" in line for line in growth(grown))
    assert growth(grown[:1]) == []


def test_picture(tmp_path: Path) -> None:
    rows = [
        made_up("taper", "gridcal", 1.0, 100.0, field_rms_px=0.01),
        made_up("taper", "tutorial", 9.0, 100.0, field_rms_px=0.4),
        made_up("pixels-1024", "gridcal", 1.0, 60.0),
        made_up("pixels-2048", "gridcal", 4.0, 60.0, pixels=4_000_000),
    ]
    draw(rows, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 10_000


def test_machine_names_no_host() -> None:
    here = machine()
    assert here["cores"] >= 1
    import platform

    assert platform.node() not in json.dumps(here) or not platform.node()


def test_plan_of_what_there_is_not() -> None:
    with pytest.raises(UsageError, match="taper"):
        Plan(scenes=("moon",))
    with pytest.raises(UsageError, match="tutorial"):
        Plan(methods=("magic",))


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Plan] = []

    def run(plan: Plan, *, progress: Any) -> tuple[Measurement, ...]:
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
