"""PONI files and JSON snippets that name a detector file."""

from __future__ import annotations

import json
import warnings

import h5py
import numpy as np
import pytest
from hub import wave

from pyfai_gridcal.base.errors import FileFormatError, UsageError
from pyfai_gridcal.io.kinds.kinds import locate, open_distortion, read_distortion, write_distortion
from pyfai_gridcal.io.kinds.options import Writing
from pyfai_gridcal.io.kinds.pointers import (
    GEOMETRY,
    Experiment,
    detector_of,
    entries_of,
    format_json,
    format_poni,
    save_pointer,
    told_orientation,
)
from pyfai_gridcal.io.nexus.contents import ORIENTATIONS
from pyfai_gridcal.records.jobs import Reading


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
    ai = pyFAI.load(str(save_pointer(tmp_path / "a.poni", detector, Experiment(geometry))))
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


HEAD, TAIL = "poni_version: 2.1\nDetector: {}\n", "\nDistance: 0.1\nPoni1: 0\nPoni2: 0\nRot1: 0\nRot2: 0\nRot3: 0\n"


@pytest.mark.parametrize(
    ("detector_line", "config", "said"),
    [
        ("NexusDetector", {"orientation": 4}, 4),
        ("NexusDetector", {"orientation": 3}, 3),
        ("NexusDetector", {"orientation": 0}, None),
        ("NexusDetector", {}, None),
        ("{path}", {"orientation": 4}, None),
    ],
)
@pytest.mark.parametrize("own", [1, 3])
def test_the_orientation_is_the_one_that_pyfai_takes(detector, tmp_path, detector_line, config, said, own):
    import pyFAI

    with h5py.File(detector, "r+") as file:
        file["entry_0000/pyFAI/calibrated/orientation"][...] = own
    by_path = detector_line != "NexusDetector"
    config = config if by_path else {"filename": str(detector), **config}
    head = HEAD.format(detector_line.format(path=detector))
    (tmp_path / "a.poni").write_text(f"{head}Detector_config: {json.dumps(config)}{TAIL}")
    snippet = {"detector": detector_line.format(path=detector), "detector_config": config}
    (tmp_path / "a.json").write_text(json.dumps({"poni": snippet}))
    with warnings.catch_warnings(action="ignore"):
        taken = pyFAI.load(str(tmp_path / "a.poni")).detector
    for name in ("a.poni", "a.json"):
        assert told_orientation(tmp_path / name) == said
        opened = open_distortion(tmp_path / name)
        assert opened.orientation == int(taken.orientation) == (said or own)
        places = opened.distortion.pixel_corners(np.float64)[..., 1:].mean(axis=2)
        np.testing.assert_allclose(places, np.stack(taken.calc_cartesian_positions()[:2], axis=-1), atol=2e-9)


def test_the_orientation_of_a_spline(tmp_path):
    from pyFAI.detectors import Detector

    write_distortion(wave((60, 91)), tmp_path / "a.spline", writing=Writing(tolerance=0.1))
    config = {"splineFile": str(tmp_path / "a.spline"), "orientation": 2}
    (tmp_path / "a.poni").write_text(f"{HEAD.format('Detector')}Detector_config: {json.dumps(config)}{TAIL}")
    expected = Detector(splinefile=config["splineFile"], orientation=2)
    expected.shape = (60, 91)
    found = read_distortion(tmp_path / "a.poni").pixel_corners(np.float64)[..., 1:].mean(axis=2)
    np.testing.assert_allclose(found, np.stack(expected.calc_cartesian_positions()[:2], axis=-1), atol=1e-8)


@pytest.mark.parametrize("orientation", [1, 2, 3, 4])
def test_a_part_of_images_in_the_orientation_that_is_told(detector, tmp_path, orientation):
    config = {"filename": str(detector), "orientation": orientation}
    (tmp_path / "a.json").write_text(json.dumps({"detector_config": config}))
    whole = read_distortion(tmp_path / "a.json")
    (ny, nx), (slow, fast) = whole.shape, ORIENTATIONS[orientation]
    y0, y1, x0, x1 = 7, 18, 2, 21
    part = read_distortion(tmp_path / "a.json", Reading(roi=(y0, y1, x0, x1)))
    first = np.array([ny - y1 if slow else y0, nx - x1 if fast else x0])
    found = part.pixel_corners(np.float64)[..., 1:] + first * whole.pixel_size
    np.testing.assert_allclose(found, whole.pixel_corners(np.float64)[y0:y1, x0:x1, :, 1:], atol=1e-11)


def test_an_orientation_that_is_none(detector, tmp_path):
    config = {"filename": str(detector), "orientation": 77}
    (tmp_path / "a.json").write_text(json.dumps({"detector_config": config}))
    with pytest.raises(FileFormatError, match=r"orientation 77; expected 1, 2, 3 or 4"):
        open_distortion(tmp_path / "a.json")


@pytest.mark.parametrize("orientation", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("form", ["poni", "json", "relative"])
def test_offset_files_of_a_pilatus_are_meant_as_pyfai_means_them(tmp_path, form, orientation):
    import fabio
    import pyFAI

    shape = (195, 487)
    y, x = np.indices(shape)
    tables = np.rint(30 * np.sin(y / 40) + x / 50).astype(np.int32), np.rint(20 * np.cos(x / 60)).astype(np.int32)
    for axis, table in zip("xy", tables, strict=True):
        fabio.cbfimage.CbfImage(data=table).write(str(tmp_path / f"{axis}_table.cbf"))
    folder = "" if form == "relative" else f"{tmp_path}/"
    config = {f"{axis}_offset_file": f"{folder}{axis}_table.cbf" for axis in "xy"} | {"orientation": orientation}
    geometry = "\nDistance: 0.1\nPoni1: 0\nPoni2: 0\nRot1: 0\nRot2: 0\nRot3: 0\n"
    text = f"poni_version: 2.1\nDetector: Pilatus100k\nDetector_config: {json.dumps(config)}{geometry}"
    if form == "json":
        text = json.dumps({"poni": {"detector": "Pilatus100k", "detector_config": config}})
    (tmp_path / "a").write_text(text)
    found = read_distortion(tmp_path / "a")
    assert locate(tmp_path / "a")[2] == (tmp_path / "x_table.cbf", tmp_path / "y_table.cbf")
    assert found.pixel_size == (172e-6, 172e-6)
    slow, fast = ORIENTATIONS[orientation or 3]
    shown = 194 - y if slow else y, 486 - x if fast else x
    ours = np.stack(found.displacement_maps()) + (y + 0.5, x + 0.5)
    expected = np.stack(shown) + 0.5 - np.stack([tables[1], tables[0]]) / 100
    np.testing.assert_allclose(ours, expected, atol=1e-9)
    if form == "poni":
        places = pyFAI.load(str(tmp_path / "a")).detector.calc_cartesian_positions()[:2]
        np.testing.assert_allclose(ours, np.stack(places) / 172e-6, atol=1e-9)
    (tmp_path / "x_table.cbf").unlink()
    with pytest.raises(FileFormatError, match=r"x_table.cbf is missing"):
        read_distortion(tmp_path / "a")


def test_an_empty_entry_of_a_poni_file_takes_nothing_from_the_next() -> None:
    text = "# Detector: Eiger\nSplineFile:\nDistance: 0.1\n  rot3 :  0.2 \n"
    assert dict(entries_of(text)) == {"splinefile": "", "distance": "0.1", "rot3": "0.2"}
