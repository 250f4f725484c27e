"""Outputs that may be written, and records for machines."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from calibrated import demo
from commands import run

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.cli._files import check_images, check_outputs, write_json


def test_outputs_are_looked_at_before_the_work(tmp_path: Path) -> None:
    image = tmp_path / "a.edf"
    image.touch()
    check_outputs([tmp_path / "b.h5", None, "-", "-"], [str(image)])
    with pytest.raises(UsageError, match="one of the inputs"):
        check_outputs([tmp_path / "." / "a.edf"], [f"{image}::/entry/data"])
    with pytest.raises(UsageError, match="named for two outputs"):
        check_outputs([tmp_path / "b.h5", str(tmp_path / "b.h5")], [])
    with pytest.raises(UsageError, match="folder"):
        check_outputs([tmp_path / "nowhere" / "b.h5"], [])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.edf"]


def test_a_link_to_an_input_is_that_input(tmp_path: Path) -> None:
    (tmp_path / "a.edf").touch()
    (tmp_path / "link.edf").symlink_to(tmp_path / "a.edf")
    with pytest.raises(UsageError, match="one of the inputs"):
        check_outputs([tmp_path / "link.edf"], [str(tmp_path / "a.edf")])


RECORD = {
    "array": np.array([[1.5, np.nan]]),
    "count": np.int64(3),
    "pair": (1, np.float32(0.5)),
    "flag": np.bool_(True),
    "infinite": float("inf"),
    "path": Path("x.h5"),
    "none": None,
}
PLAIN = {
    "array": [[1.5, None]],
    "count": 3,
    "pair": [1, 0.5],
    "flag": True,
    "infinite": None,
    "path": "x.h5",
    "none": None,
}


def test_records_are_json_whatever_they_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(RECORD, tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8")) == PLAIN
    write_json({"µ": 1}, "-")
    assert json.loads(capsys.readouterr().out) == {"µ": 1}


def test_a_detector_file_is_no_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    detector, image = demo().save(tmp_path / "detector.h5"), tmp_path / "image.npy"
    np.save(image, demo().images[0])
    check_images([str(image), f"{detector}::/entry/data"])
    for words, says in (
        (("calibrate", detector, "-p", "5mm"), "--config"),
        (("correct", image, detector, "-o", tmp_path / "c.npy"), f"comes first: pyFAI-gridcal correct {detector}"),
        (("validate", image, detector), "comes first: pyFAI-gridcal validate"),
        (("correct", image, "camera.spline", "-o", tmp_path / "c.npy"), "correct camera.spline IMAGE"),
    ):
        assert run(*words) == 2
        assert says in capsys.readouterr().err
