"""``calibrate --rings``: beside the image of a grid, and alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import run
from ringdrawing import npt_and_poni, perfect, ring_points_of, three_images

from pyfai_gridcal import load
from pyfai_gridcal.io.kinds.kinds import write_distortion
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.synthetic import demo_scene
from pyfai_gridcal.synthetic.fields import linear


def test_no_file_that_is_there_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """PONI files are written beside the detector: not over those that were given, nor over each other."""
    (tmp_path / "b").mkdir()
    points = ring_points_of(perfect((220, 250)), np.random.default_rng(1))
    named = [npt_and_poni(points, tmp_path / name) for name in ("a", "b/a")]
    given = (tmp_path / "a.poni").rename(tmp_path / "out_a.poni")
    alone = ["calibrate", "--detector", "Pilatus100k", "-o", tmp_path / "out.h5", "--rings"]
    before = given.read_bytes()
    assert run(*alone, f"{tmp_path}/a.npt:{given}") == 2
    assert "out_a.poni is one of the inputs" in capsys.readouterr().err
    assert given.read_bytes() == before
    given.rename(tmp_path / "a.poni")
    assert run(*alone, named[0], "--rings", named[1]) == 2
    assert "out_a.poni is named for two outputs" in capsys.readouterr().err


@pytest.mark.slow
def test_rings_beside_the_grid_and_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng, shape = np.random.default_rng(1), (220, 250)
    scene = demo_scene(shape, pitch_px=20.0, seed=3)
    truth = replace(scene.distortion, pixel_size=(1e-4, 1e-4))
    np.save(tmp_path / "grid.npy", scene.render(rng, bounds=False).image)
    named = [npt_and_poni(p, tmp_path / f"r{k}") for k, p in enumerate(three_images(truth, rng))]
    words = [word for one in named for word in ("--rings", one)]
    pitch = f"{1e6 * scene.plate.pitch_m[0] * 1e-4 / scene.distortion.pixel_size[0]:.6f}um"
    both = ["calibrate", tmp_path / "grid.npy", "-p", pitch, "--pixel", "100um", *words, "-o", tmp_path / "both.h5"]
    assert run(*both) == 0
    printed = capsys.readouterr().out
    assert printed.count("rings of r") == 4
    again = load(tmp_path / "both.h5")
    assert list(again.settings.rings) == named
    assert again.summary()["settings"]["rings"] == named
    write_distortion(Distortion(linear(shape), shape, (1e-4, 1e-4)), tmp_path / "frame.h5")
    alone = ["calibrate", *words, "--detector", tmp_path / "frame.h5", "-o", tmp_path / "alone.h5"]
    assert run(*alone, "--json", tmp_path / "a.json") == 0
    assert "not determined" in capsys.readouterr().out
    assert json.loads((tmp_path / "a.json").read_text())["held_out_px"] < 0.05
    assert (tmp_path / "alone_r0.poni").exists()
    assert run("calibrate", *words) == 2
    assert run("calibrate") == 2
    assert run(*alone, "--pitch", "1mm") == 2
    assert "rings alone" in capsys.readouterr().err
