"""One measurement: the scene is drawn once, the score is taken beside the truth, trouble is written down."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pyfai_gridcal.benchmark import worker
from pyfai_gridcal.benchmark.rivals import ForeignResult
from pyfai_gridcal.benchmark.scenes import scene_of
from pyfai_gridcal.synthetic import TruthSpots


def test_a_scene_is_drawn_once_and_holds_its_truth(tmp_path: Path) -> None:
    path = worker.prepare("quick", tmp_path)
    stamp = path.stat().st_mtime_ns
    assert worker.prepare("quick", tmp_path) == path
    assert path.stat().st_mtime_ns == stamp
    with np.load(path) as file:
        assert file["image"].shape == scene_of("quick").make().distortion.shape
        assert len(file["yx"]) == len(file["ij"]) == len(file["sigma"])


def test_spots_that_are_off_as_a_whole_are_not_blamed() -> None:
    scene = scene_of("quick")
    with_truth = scene.make().render(np.random.default_rng(scene.seed), bounds=False).truth
    truth = TruthSpots(with_truth.yx, with_truth.ij, np.full_like(with_truth.yx, 0.01), with_truth.whole)
    score = {"points": ForeignResult(truth.yx[truth.whole] + (0.5, -0.25)), "distortion": None}
    out = worker._scored(score, scene, truth)
    assert out["shift_px"] == pytest.approx((0.5, -0.25))
    assert out["recall"] == 1
    assert out["spot_rms_px"] < 1e-9


def test_trouble_is_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> dict[str, object]:
        raise ArithmeticError("no luck")

    monkeypatch.setitem(worker.METHODS, "gridcal", broken)
    image = worker.prepare("quick", tmp_path)
    job = {"scene": "quick", "method": "gridcal", "image": str(image), "repeat": 1}
    (tmp_path / "job.json").write_text(json.dumps(job))
    assert worker.main([str(tmp_path / "job.json"), str(tmp_path / "result.json")]) == 0
    assert json.loads((tmp_path / "result.json").read_text())["failed"] == "ArithmeticError: no luck"
