"""PONI files and JSON snippets that name a detector file."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hub import wave

from pyfai_gridcal.base.errors import FileFormatError, UsageError
from pyfai_gridcal.io.kinds.kinds import locate, read_distortion, write_distortion
from pyfai_gridcal.io.kinds.pointers import GEOMETRY, detector_of, format_json, format_poni, save_pointer


@pytest.fixture
def detector(tmp_path):
    write_distortion(wave((21, 34)), tmp_path / "det.h5")
    return tmp_path / "det.h5"


@pytest.mark.parametrize("name", ["a.poni", "a.json"])
def test_a_pointer_leads_back(detector, tmp_path, name):
    assert detector_of(save_pointer(tmp_path / name, detector)) == detector


def test_pyfai_takes_the_geometry_as_it_is(detector, tmp_path):
    import pyFAI

    geometry = dict(zip(GEOMETRY, (0.123, 1e-3, -2e-3, 0.01, -0.02, 0.03), strict=True)) | {"wavelength": 1.1e-10}
    ai = pyFAI.load(str(save_pointer(tmp_path / "a.poni", detector, geometry)))
    for key, value in geometry.items():
        assert getattr(ai, key) == value
    assert ai.detector.shape == (21, 34)


def test_paths_are_absolute(detector, monkeypatch):
    monkeypatch.chdir(detector.parent)
    assert json.loads(format_json("det.h5"))["detector_config"]["filename"] == str(detector)
    assert str(detector) in format_poni("det.h5")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Detector: Pilatus1M\nDistance: 0.1\n", "names no detector file"),
        ("{", "no readable JSON"),
        ('{"detector": "Pilatus1M"}', "names no detector file"),
        ('Detector_config: {"filename": "nowhere.h5"}\n', "does not exist"),
        ('# Detector_config: {"filename": "det.h5"}\n', "names no detector file"),
        ('Detector_config: {"filename": "a.poni"}\n', "points to itself"),
    ],
)
def test_what_names_no_file(detector, tmp_path, text, says):
    (tmp_path / "a.poni").write_text(text)
    with pytest.raises(FileFormatError, match=says):
        detector_of(tmp_path / "a.poni")


def test_older_forms_and_the_last_entry_count(detector, tmp_path):
    (tmp_path / "a.poni").write_text(f"SplineFile: old.spline\nDetector: {detector}\n")
    assert detector_of(tmp_path / "a.poni") == detector
    (tmp_path / "b.json").write_text(json.dumps({"poni": {"detector_config": {"splineFile": "det.h5"}}}))
    assert detector_of(tmp_path / "b.json") == detector
    with pytest.raises(UsageError, match="no detector file"):
        save_pointer(tmp_path / "c.poni", tmp_path / "missing.h5")


@pytest.mark.parametrize("form", ["poni", "json", "relative"])
def test_offset_files_of_a_pilatus_are_meant_as_pyfai_means_them(tmp_path, form):
    import fabio
    import pyFAI

    shape = (195, 487)
    y, x = np.indices(shape)
    tables = np.rint(30 * np.sin(y / 40) + x / 50).astype(np.int32), np.rint(20 * np.cos(x / 60)).astype(np.int32)
    for axis, table in zip("xy", tables, strict=True):
        fabio.cbfimage.CbfImage(data=table).write(str(tmp_path / f"{axis}_table.cbf"))
    folder = "" if form == "relative" else f"{tmp_path}/"
    config = {f"{axis}_offset_file": f"{folder}{axis}_table.cbf" for axis in "xy"} | {"orientation": 3}
    geometry = "\nDistance: 0.1\nPoni1: 0\nPoni2: 0\nRot1: 0\nRot2: 0\nRot3: 0\n"
    text = f"poni_version: 2.1\nDetector: Pilatus100k\nDetector_config: {json.dumps(config)}{geometry}"
    if form == "json":
        text = json.dumps({"poni": {"detector": "Pilatus100k", "detector_config": config}})
    (tmp_path / "a").write_text(text)
    found = read_distortion(tmp_path / "a")
    assert locate(tmp_path / "a")[2] == (tmp_path / "x_table.cbf", tmp_path / "y_table.cbf")
    assert found.pixel_size == (172e-6, 172e-6)
    np.testing.assert_allclose(found.displacement_maps(), (-tables[1] / 100, -tables[0] / 100), atol=1e-12)
    if form == "poni":
        places = pyFAI.load(str(tmp_path / "a")).detector.calc_cartesian_positions()[:2]
        ours = np.stack(found.displacement_maps()) + (y + 0.5, x + 0.5)
        np.testing.assert_allclose(ours, np.stack(places) / 172e-6, atol=1e-9)
    (tmp_path / "x_table.cbf").unlink()
    with pytest.raises(FileFormatError, match=r"x_table.cbf is missing"):
        read_distortion(tmp_path / "a")
