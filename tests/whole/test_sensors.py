"""The whole detector goes along: sensor, flat, dark and dummy, from whoever tells them to whoever needs them."""

from __future__ import annotations

import json
from pathlib import Path

import fabio
import h5py
import numpy as np
import pytest
from hub import PIXEL, wave

from pyfai_gridcal.calibration import calibrate, load
from pyfai_gridcal.cli import main
from pyfai_gridcal.io.kinds.kinds import open_distortion, read_distortion, write_distortion
from pyfai_gridcal.io.nexus.detector import from_detector, to_detector
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.jobs import Reading
from pyfai_gridcal.records.traits import Sensor, Traits
from pyfai_gridcal.synthetic import demo_scene

sensors = pytest.importorskip("pyFAI.detectors.sensors", reason="this pyFAI knows no sensors")
SHAPE = (61, 94)
SENSOR = Sensor("CdTe", 1e-3)


def pictures():
    y, x = np.indices(SHAPE)
    return (1 + 0.01 * y - 0.002 * x).astype(np.float32), (3 * y + x).astype(np.float32)


def whole(**changes) -> Distortion:
    from dataclasses import replace

    flat, dark = pictures()
    return replace(wave(SHAPE), traits=Traits(SENSOR, flat, dark, -2.0, 1.5), **changes)


def same(found: Traits, expected: Traits) -> None:
    assert found.sensor == expected.sensor
    assert (found.dummy, found.delta_dummy) == (expected.dummy, expected.delta_dummy)
    for name in ("flat", "dark"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.fixture
def parent(tmp_path) -> Path:
    """A detector file as pyFAI itself writes it."""
    detector = to_detector(whole())
    detector.API_VERSION = "1.2"
    detector.save(str(tmp_path / "parent.h5"))
    return tmp_path / "parent.h5"


def places(path: Path, **sensor):
    from pyFAI.detectors import detector_factory
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    geometry = {"dist": 0.05, "poni1": 0.001, "poni2": 0.002, "rot1": 0.3, "rot2": -0.2}
    ai = AzimuthalIntegrator(**geometry, detector=detector_factory(str(path)), wavelength=2e-11)
    if sensor:
        ai.enable_parallax(**sensor)
    return ai.position_array(do_parallax=True)


def test_parallax_is_that_of_the_parent(parent, tmp_path):
    assert main(["convert", str(parent), str(tmp_path / "ours.h5")]) == 0
    off = places(tmp_path / "ours.h5", activate=True) - places(parent, activate=True)
    assert np.abs(off).max() < 1e-6
    without = places(tmp_path / "ours.h5") - places(parent, activate=True)
    assert np.abs(without).max() > 1e-5  # what was lost without a word


def test_there_and_back(parent, tmp_path, capsys):
    expected = open_distortion(parent).distortion.traits
    same(expected, whole().traits)
    for source, target in (("parent.h5", "b.h5"), ("b.h5", "c.poni"), ("c.poni", "d.h5")):
        assert main(["convert", *(str(tmp_path / name) for name in (source, target))]) == 0
        assert "is not in the file" not in capsys.readouterr().out
    same(read_distortion(tmp_path / "d.h5").traits, expected)
    assert "sensor" not in (tmp_path / "c.poni").read_text()  # where pyFAI's versions differ; the file tells it
    with h5py.File(tmp_path / "d.h5") as file:
        group, record = file["entry_0000/pyFAI/calibrated"], file["entry_0000/grid_calibration/record/traits"]
        assert group["flatfield"] == record["flat"]  # written once
        assert (group["sensor_material"][()], group["sensor_thickness"][()]) == (b"CdTe", 1e-3)


def test_what_is_lost_is_named(parent, tmp_path, capsys):
    assert main(["convert", str(parent), str(tmp_path / "a.spline"), "--tolerance", "0.1"]) == 0
    out = capsys.readouterr().out
    for words in ("the sensor (CdTe, 1 mm)", "the flat field", "the dark current", "the dummy (-2)"):
        assert f"note:    {words} is not in the file" in out
    assert main(["convert", str(tmp_path / "a.spline"), str(tmp_path / "b.h5"), "--sensor", "cdte,1mm"]) == 0
    assert read_distortion(tmp_path / "b.h5").traits.sensor == SENSOR


@pytest.mark.parametrize("own", [1, 2, 3, 4])
@pytest.mark.parametrize("told", [None, 1, 4])
def test_flat_and_dark_stay_with_their_images(tmp_path, own, told):
    """Whatever the orientation of the images, and whoever tells it: pyFAI divides pixel by pixel."""
    write_distortion(whole(), tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["entry_0000/pyFAI/calibrated/orientation"][...] = own
    name = tmp_path / "a.h5"
    if told:
        name = tmp_path / "a.json"
        config = {"filename": str(tmp_path / "a.h5"), "orientation": told}
        name.write_text(json.dumps({"detector": "NexusDetector", "detector_config": config}))
    same(read_distortion(name).traits, whole().traits)
    turned = read_distortion(name, Reading(orientation=2)).traits  # for images turned upside down
    np.testing.assert_array_equal(turned.flat, whole().traits.flat[::-1])


@pytest.mark.parametrize("orientation", [1, 2, 3, 4])
def test_of_detectors_in_memory(orientation):
    from pyFAI.detectors import Eiger2CdTe_500k
    from pyFAI.detectors.orientation import Orientation

    detector = to_detector(whole())
    same(from_detector(detector).traits, whole().traits)
    detector._orientation = Orientation(orientation)
    same(from_detector(detector).traits, whole().traits)
    eiger = from_detector(Eiger2CdTe_500k(orientation=orientation)).traits  # made with one sensor only
    assert (eiger.sensor, eiger.dummy) == (Sensor("CdTe", 750e-6), None)


def test_a_part_and_binned(parent):
    flat, dark = pictures()
    part = read_distortion(parent, Reading(roi=(7, 40, 10, 80))).traits
    np.testing.assert_array_equal(part.flat, flat[7:40, 10:80])
    binned = read_distortion(parent, Reading(binning=(2, 3))).traits
    assert binned.flat.shape == binned.dark.shape == (30, 31)
    assert binned.flat[4, 5] == pytest.approx(flat[8:10, 15:18].mean())
    assert binned.dark[4, 5] == pytest.approx(dark[8:10, 15:18].sum())


@pytest.fixture(scope="module")
def picture():
    return demo_scene((195, 487), pitch_px=24.0).render(np.random.default_rng(3)).image


def test_calibrate_takes_the_sensor_of_the_class(picture, tmp_path):
    found = calibrate(picture, pitch="1mm", detector="Pilatus100k")
    assert found.distortion.traits.sensor is None
    assert any("Si,320µm or Si,450µm or Si,1mm: --sensor tells which" in note for note in found.notes)
    found = calibrate(picture, pitch="1mm", detector="Pilatus100k", sensor="Si,450um")
    assert found.distortion.traits.sensor == Sensor("Si", 450e-6)
    assert not any("--sensor" in note for note in found.notes)
    assert "sensor       Si, 450 µm" in found.report()
    assert found.summary()["sensor"] == {"material": "Si", "thickness_m": 450e-6}
    path = found.save(tmp_path / "det.h5", name="my Pilatus")
    assert load(path).distortion.traits.sensor == Sensor("Si", 450e-6)
    from pyFAI.detectors import detector_factory

    assert str(detector_factory(str(path)).sensor) == "Si,450µm"


def test_calibrate_carries_what_a_file_has(tmp_path):
    scene = demo_scene(SHAPE, pitch_px=9.0).render(np.random.default_rng(3)).image
    write_distortion(whole(), tmp_path / "old.h5")
    same(calibrate(scene, pitch="1mm", detector=str(tmp_path / "old.h5")).distortion.traits, whole().traits)


def test_correct_tells_the_sensor_and_knows_the_dummy(parent, tmp_path):
    image = np.full(SHAPE, 7, np.int32)
    image[20:25, 30:40] = -3  # within 1.5 of the dummy
    image[40:45, 50:60] = -4  # and farther, but negative, as masked counts are
    fabio.edfimage.EdfImage(data=image.astype(np.float32)).write(str(tmp_path / "a.edf"))
    for out in ("c.h5", "c.edf"):
        assert main(["correct", str(parent), str(tmp_path / "a.edf"), "-o", str(tmp_path / out), "--no-cache"]) == 0
    assert fabio.open(str(tmp_path / "c.edf")).header["sensor"] == "CdTe, 1 mm"
    with h5py.File(tmp_path / "c.h5") as file:
        detector = file["entry_0000/instrument/detector"]
        assert (detector["sensor_material"][()], detector["sensor_thickness"][()]) == (b"CdTe", 1e-3)
        assert "the flat field and the dark current of the detector file: not applied" in str(
            file["entry_0000/correction/notes"][()]
        )
        corrected = file["entry_0000/corrected/data"][0]
    middle = np.rint(whole().correct([(22.0, 35.0), (42.0, 55.0)])).astype(int)
    assert np.isnan(corrected[tuple(middle[0])])
    assert corrected[tuple(middle[1])] == pytest.approx(-4, rel=0.1)


def test_check_tells_them(parent, capsys, tmp_path):
    assert main(["check", str(parent)]) == 0
    assert "holds:     the sensor (CdTe, 1 mm)" in capsys.readouterr().out
    write_distortion(Distortion(wave(SHAPE).field, SHAPE, PIXEL), tmp_path / "bare.h5")
    assert main(["convert", str(tmp_path / "bare.h5"), str(tmp_path / "p.poni")]) == 0
    (tmp_path / "p.poni").write_text((tmp_path / "p.poni").read_text() + "Parallax: True\n")
    assert main(["check", str(tmp_path / "p.poni")]) == 1
    assert "wrong:     Parallax: True without a sensor: pyFAI corrects nothing" in capsys.readouterr().out
