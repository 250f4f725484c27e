"""PONI files and JSON snippets that name a detector file."""

from __future__ import annotations

import json

import pytest
from hub import wave

from pyfai_gridcal.base.errors import FileFormatError, UsageError
from pyfai_gridcal.io.kinds.kinds import write_distortion
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
