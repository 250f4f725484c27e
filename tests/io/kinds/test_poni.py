"""The experiment of a PONI file with another detector: the beam stays in its pixel, all else as it was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hub import wave

from pyfai_gridcal.base.errors import FileFormatError, UsageError
from pyfai_gridcal.io.kinds.conversion import convert
from pyfai_gridcal.io.kinds.kinds import write_distortion
from pyfai_gridcal.io.kinds.options import Writing
from pyfai_gridcal.io.kinds.pointers import detector_of
from pyfai_gridcal.io.kinds.poni import geometry_with, keeping, read_experiment
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.traits import Sensor, Traits

SHAPE, PIXEL = (61, 94), (48e-6, 53e-6)
GEOMETRY = {"dist": 0.05, "poni1": 0.0011, "poni2": 0.0029, "rot1": 0.02, "rot2": -0.007, "rot3": 0.4}
LINES = {"dist": "Distance", "poni1": "Poni1", "poni2": "Poni2", "rot1": "Rot1", "rot2": "Rot2", "rot3": "Rot3"}


def poni(path: Path, version: float, geometry: dict[str, float], orientation: int = 3, **config: object) -> Path:
    """A PONI file as pyFAI writes it, for a detector without distortion."""
    lines = ["# Calibrant: LaB6", f"poni_version: {version}", "Detector: Detector"]
    if version == 1:
        lines = [f"PixelSize1: {PIXEL[0]}", f"PixelSize2: {PIXEL[1]}"]
    else:
        told = {"pixel1": PIXEL[0], "pixel2": PIXEL[1], "max_shape": SHAPE, **config}
        told |= {} if version == 2 else {"orientation": orientation}
        lines.append(f"Detector_config: {json.dumps(told)}")
    lines += [f"{LINES[name]}: {value}" for name, value in geometry.items()] + ["Wavelength: 1e-10"]
    path.write_text("\n".join([*lines, *(["Parallax: True"] if version == 3 else [])]) + "\n")
    return path


def flat(traits: Traits | None = None) -> Distortion:
    return Distortion(wave(scale=0).field, SHAPE, PIXEL, traits=traits or Traits())


VERSIONS = [(1, 3), (2, 3), *((version, o) for version in (2.1, 3) for o in (1, 2, 3, 4))]


@pytest.mark.parametrize(("version", "orientation"), VERSIONS)
def test_without_distortion_it_is_what_pyfai_converts(tmp_path, version, orientation):
    utils = pytest.importorskip("pyFAI.geometry.utils", reason="this pyFAI converts no orientation")
    from pyFAI.detectors import Detector

    old, seen = read_experiment(poni(tmp_path / "old.poni", version, GEOMETRY, orientation), SHAPE)
    assert old.parallax == (True if version == 3 else None)
    found = geometry_with(flat(), seen, old.geometry)
    detector = Detector(*PIXEL, max_shape=SHAPE, orientation=orientation)
    expected = utils.convert_orientation(GEOMETRY, detector, orientation, 3)
    assert found == pytest.approx({**expected, "wavelength": 1e-10}, abs=1e-9)  # its corners are 32-bit floats


@pytest.mark.parametrize("orientation", [1, 2, 3, 4])
@pytest.mark.parametrize("rot2", [-0.007, 0.9])  # with the second one, the beam passes the detector by
def test_the_beam_stays_in_its_pixel(tmp_path, orientation, rot2):
    from pyFAI.detectors import Detector
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    detector, geometry = wave(SHAPE), {**GEOMETRY, "rot2": rot2}
    write_distortion(detector, tmp_path / "det.h5")
    convert(tmp_path / "det.h5", tmp_path / "new.poni", like=poni(tmp_path / "old.poni", 2.1, geometry, orientation))
    import pyFAI

    before = AzimuthalIntegrator(
        **geometry, detector=Detector(*PIXEL, max_shape=SHAPE, orientation=orientation), wavelength=1e-10
    )
    after = pyFAI.load(str(tmp_path / "new.poni"))
    assert int(after.detector.orientation) == 3
    assert (after.dist, after.rot3, after.wavelength) == (0.05, 0.4, 1e-10)
    angle = [one.center_array(SHAPE, unit="2th_rad") for one in (before, after)]
    beam = np.unravel_index(angle[0].argmin(), SHAPE)
    # the pixel in which it is, or the one that is nearest to it, is seen under the angle under which it was
    assert abs(angle[1][beam] - angle[0][beam]) < 3e-5  # a pixel is 1e-3, and not always hit in its middle
    # and elsewhere, what the distortion makes of some pixels comes to it, on a scale of 0.06 to 0.1
    assert 1e-4 < np.abs(angle[1] - angle[0]).max() < 6e-3


def test_a_detector_file_in_another_orientation_and_beside_its_poni(tmp_path, monkeypatch):
    """The old detector is distorted itself, and named by a path that counts from the PONI file."""
    import h5py

    (tmp_path / "old").mkdir()
    write_distortion(wave(SHAPE, scale=0.5), tmp_path / "old" / "det.h5")
    with h5py.File(tmp_path / "old" / "det.h5", "r+") as file:
        file["entry_0000/pyFAI/calibrated/orientation"][...] = 4
    old = tmp_path / "old" / "old.poni"
    old.write_text(
        'poni_version: 2.1\nDetector: NexusDetector\nDetector_config: {"filename": "det.h5", "orientation": 4}\n'
        + "".join(f"{LINES[name]}: {value}\n" for name, value in GEOMETRY.items())
    )
    monkeypatch.chdir("/")
    experiment, detector = read_experiment(old, SHAPE)
    found = geometry_with(wave(SHAPE), detector, experiment.geometry)
    beam = np.array([GEOMETRY["poni1"], GEOMETRY["poni2"]]) + 0.05 * np.array(
        [np.tan(GEOMETRY["rot2"]) / np.cos(GEOMETRY["rot1"]), -np.tan(GEOMETRY["rot1"])]
    )
    pixel = wave(SHAPE, scale=0.5).distort((beam / PIXEL - 0.5)[None])[0]
    seen = np.array([pixel[0], SHAPE[1] - 1 - pixel[1]])  # images of orientation 4 run the other way along fast
    place = (wave(SHAPE).correct(seen)[0] + 0.5) * PIXEL
    assert found["rot1"] == -GEOMETRY["rot1"]
    assert found["rot2"] == GEOMETRY["rot2"]
    poni = place - 0.05 * np.array([np.tan(found["rot2"]) / np.cos(found["rot1"]), -np.tan(found["rot1"])])
    assert (found["poni1"], found["poni2"]) == pytest.approx(tuple(poni), abs=5e-9)


def test_parallax_remarks_and_sensor_are_kept(tmp_path):
    write_distortion(wave(SHAPE), tmp_path / "det.h5")
    sensor = {"material": "CdTe", "thickness": 1e-3}
    old = poni(tmp_path / "old.poni", 3, GEOMETRY, sensor=sensor)
    done = convert(tmp_path / "det.h5", tmp_path / "new.poni", like=old)
    text = (tmp_path / "new.poni").read_text()
    assert "poni_version: 3\n" in text
    assert "Parallax: True\n" in text
    assert "# Calibrant: LaB6\n" in text
    assert not done.remarks
    import pyFAI

    ai = pyFAI.load(str(tmp_path / "new.poni"))
    assert ai.parallax is not None
    assert ai.detector.sensor.thickness == 1e-3


def test_a_parallax_that_will_not_be_corrected_is_told(tmp_path):
    write_distortion(wave(SHAPE), tmp_path / "det.h5")
    old = poni(tmp_path / "old.poni", 3, GEOMETRY, orientation=2)
    done = convert(tmp_path / "det.h5", tmp_path / "new.poni", like=old)
    assert any("corrects nothing" in remark for remark in done.remarks)


def test_paths_relative_to_the_poni(tmp_path, monkeypatch):
    write_distortion(wave(SHAPE), tmp_path / "det.h5")
    (tmp_path / "run").mkdir()
    done = convert(tmp_path / "det.h5", tmp_path / "run" / "new.poni", writing=Writing(relative=True))
    assert '"filename": "../det.h5"' in (tmp_path / "run" / "new.poni").read_text()
    assert any("pyFAI finds the detector only from" in remark for remark in done.remarks)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("det.h5", "run"):
        (tmp_path / name).rename(moved / name)
    monkeypatch.chdir("/")
    assert detector_of(moved / "run" / "new.poni").resolve() == moved / "det.h5"
    import pyFAI

    monkeypatch.chdir(moved / "run")
    assert pyFAI.load("new.poni").detector.shape == SHAPE


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Detector: Detector\nDistance: much\n", "could not convert string to float: 'much'; expected numbers"),
        ("Detector: Detector\nDistance: 0.1\nPoni1: 0\n", "tells no Poni2, Rot1, Rot2, Rot3"),
        ("Detector: Pilatus100k\n", "for images of (195, 487) pixels"),
        ("poni_version: 2\nDetector: no_such\nDetector_config: {}\n", "pyFAI makes no detector of it"),
        ("Detector: Detector\n", "has no pixel size"),
    ],
)
def test_what_is_no_experiment_for_these_images(tmp_path, text, says):
    if "Distance" not in text:
        text += "".join(f"{LINES[name]}: {value}\n" for name, value in GEOMETRY.items())
    (tmp_path / "old.poni").write_text(text)
    with pytest.raises(FileFormatError) as caught:
        read_experiment(tmp_path / "old.poni", SHAPE)
    assert says in str(caught.value)


def test_other_pixels_and_other_outputs_are_refused(tmp_path):
    old = poni(tmp_path / "old.poni", 2.1, GEOMETRY)
    other = Distortion(wave(scale=0).field, SHAPE, (96e-6, 53e-6))
    with pytest.raises(UsageError, match=r"48 µm . 53 µm.*96 µm . 53 µm"):
        keeping(old, other)
    assert keeping(old, other, force=True).geometry["dist"] == GEOMETRY["dist"]
    write_distortion(wave(SHAPE), tmp_path / "det.h5")
    with pytest.raises(UsageError, match="hold no geometry"):
        convert(tmp_path / "det.h5", tmp_path / "new.spline", like=old)


def test_a_sensor_that_is_told_comes_into_the_poni(tmp_path):
    from pyfai_gridcal.records.jobs import Reading

    write_distortion(flat(Traits(Sensor("Si", 3e-4))), tmp_path / "det.h5")
    convert(tmp_path / "det.h5", tmp_path / "new.poni", reading=Reading(sensor="CdTe,1mm"))
    import pyFAI

    assert str(pyFAI.load(str(tmp_path / "new.poni")).detector.sensor) == "CdTe,1mm"
    assert detector_of(tmp_path / "new.poni") == tmp_path / "det.h5"
