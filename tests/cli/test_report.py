"""``report``: a page of a result that is there."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import run
from ringdrawing import GEOMETRY, PIXEL, WAVELENGTH, draw

from pyfai_gridcal import calibrate
from pyfai_gridcal.synthetic import demo_scene

OLD = Path(__file__).parents[1] / "data" / "result_1_0.h5.gz"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scene = demo_scene((200, 230), pitch_px=22.0, seed=3)
    image = scene.render(np.random.default_rng(1), bounds=False).image
    path = tmp_path_factory.mktemp("report") / "result.h5"
    calibrate(image, pitch=scene.plate.pitch_m[0]).save(path)
    return path


@pytest.mark.slow
def test_page_beside_the_result(result: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", result, "--no-loop") == 0
    page = result.with_suffix(".html")
    assert capsys.readouterr().out == f"written: {page}\n"
    assert page.read_text(encoding="utf-8").lower().startswith("<!doctype html>")


def test_plain_data(result: Path, tmp_path: Path) -> None:
    assert run("report", result, "--no-loop", "-o", tmp_path / "r.json") == 0
    assert json.loads((tmp_path / "r.json").read_text())["verdict"]["level"] in ("good", "doubtful", "failed")


@pytest.mark.parametrize("name", ["r.pdf", "result.h5"])
def test_names_that_mean_something_else(result: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = result.read_bytes()
    assert run("report", result, "-o", result.with_name(name)) == 2
    assert ".html, .json, .toml or .csv" in capsys.readouterr().err
    assert result.read_bytes() == before


def test_a_fit_alone_is_no_calibration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "fit.h5").write_bytes(gzip.decompress(OLD.read_bytes()))
    assert run("report", tmp_path / "fit.h5") == 1
    assert "holds a DistortionFit only" in capsys.readouterr().err
    assert not (tmp_path / "fit.html").exists()


@pytest.mark.slow
def test_rings_judge_on_the_page_and_in_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence, a table and four figures; and what is missing is told before the work."""
    from pyFAI.detectors import Detector
    from pyFAI.geometry import Geometry

    scene = demo_scene((260, 300), pitch_px=22.0, seed=3)
    truth = replace(scene.distortion, pixel_size=PIXEL)
    rng, near = np.random.default_rng(1), GEOMETRY | {"dist": 0.07, "poni1": 0.0135, "poni2": 0.0145}
    image = scene.render(rng, bounds=False).image
    calibrate(image, pitch=scene.plate.pitch_m[0], pixel=scene.distortion.pixel_size).save(tmp_path / "d.h5")
    np.save(tmp_path / "r.npy", draw(truth, rng, geometry=near))
    plain = Detector(*PIXEL, max_shape=truth.shape, orientation=3)
    Geometry(**near, wavelength=WAVELENGTH, detector=plain).write(tmp_path / "a.poni")
    words = ["report", tmp_path / "d.h5", "--no-loop", "--rings", tmp_path / "r.npy"]
    poni = ["--poni", tmp_path / "a.poni"]
    assert run(*words, *poni, "-o", tmp_path / "r.html") == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    section = page[page.index('<section id="rings">') :].partition("</section>")[0]
    assert "Rings of CeO2: the calibration " in section
    assert "<td>ring 1</td>" in section
    assert section.count("<figure>") == 4
    assert run(*words, *poni, "-o", tmp_path / "r.json") == 0
    assert json.loads((tmp_path / "r.json").read_text())["rings"]["calibrant"] == "CeO2"
    assert run(*words) == 2
    assert "--poni" in capsys.readouterr().err
    assert run(*words, "--poni", tmp_path / "no.poni") == 1
