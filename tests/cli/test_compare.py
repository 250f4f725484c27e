"""``compare``: difference of calibrations."""

from __future__ import annotations

import json
from pathlib import Path

import fabio
import numpy as np
import pytest
from calibrated import PITCH_PX, SHAPE, demo
from fieldtruth import observe

from pyfai_gridcal import cli, fit_distortion
from pyfai_gridcal.io.nexus.result import save_result
from pyfai_gridcal.synthetic import demo_scene


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The same camera twice under other noise, and another camera of the same size, of which points were given."""
    folder = tmp_path_factory.mktemp("results")
    names = [f"{folder}/{k}.h5" for k in range(3)]
    demo().save(names[0])
    picture = demo_scene(SHAPE, pitch_px=PITCH_PX, seed=3).render(np.random.default_rng(2), bounds=False)
    fabio.edfimage.EdfImage(data=picture.image).write(f"{folder}/1.edf")
    pitch = f"{1e6 * picture.scene.plate.pitch_m[0]:.6f}um"
    assert cli.main(["calibrate", f"{folder}/1.edf", "--pitch", pitch, "-o", names[1]]) == 0
    other = demo_scene(SHAPE, pitch_px=PITCH_PX, seed=4)
    plate, size = other.plate, other.distortion.pixel_size
    seen = observe(other.distortion.field, plate=plate, shape=SHAPE, pixel_size=size, sigma=0.01)
    save_result(fit_distortion(seen.points, plate=plate, shape=SHAPE, pixel_size=size), names[2])
    return names


@pytest.mark.slow
def test_two_of_the_same(results: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert cli.main(["compare", *results[:2], "--gauge", "similarity"]) == 0
    assert "1.h5, compared with 0.h5: " in capsys.readouterr().out


def test_series_with_another_camera(results: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--json", str(tmp_path / "c.json"), "--picture", str(tmp_path / "c.png")]
    assert cli.main(["compare", *results, *out, "--strict"]) == 1
    text = capsys.readouterr().out
    assert "different" in text
    record = json.loads((tmp_path / "c.json").read_text())
    assert [Path(one["path"]).name for one in record["others"]] == ["1.h5", "2.h5"]
    assert record["others"][1]["verdict"] == "different"
    assert record["others"][1]["rms_px"] > 10 * record["others"][0]["rms_px"]
    assert (tmp_path / "c.png").stat().st_size > 1000


def test_compare_refuses(results: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", results[0]]) == 2
    assert "at least two" in capsys.readouterr().err
    assert cli.main(["compare", results[0], str(tmp_path / "nothing.h5")]) == 1
    assert "nothing.h5" in capsys.readouterr().err
    assert cli.main(["compare", *results[:2], "--picture", str(tmp_path / "x.nonsense")]) == 2
    assert not (tmp_path / "x.nonsense").exists()
