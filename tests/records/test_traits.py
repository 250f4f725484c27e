"""Sensors as people and pyFAI write them, and what belongs to the images of a detector."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.records.traits import MATERIALS, Sensor, Traits


@pytest.mark.parametrize(
    ("text", "sensor", "shown"),
    [
        ("CdTe,1mm", Sensor("CdTe", 1e-3), "CdTe, 1 mm"),
        (" cdte , 750 um ", Sensor("CdTe", 750e-6), "CdTe, 750 µm"),
        ("Si", Sensor("Si"), "Si"),
        ("bafbr0.85i0.15,124um", Sensor("BaFBr0.85I0.15", 124e-6), "BaFBr0.85I0.15, 124 µm"),
    ],
)
def test_what_people_write(text, sensor, shown):
    assert Sensor.parse(text) == sensor
    assert str(sensor) == shown
    assert Sensor.parse(str(sensor)) == sensor


@pytest.mark.parametrize("text", ["", "CdTee,1mm", "1mm,CdTe", "CdTe,", "CdTe,1", "CdTe,0mm", "CdTe,1mm,2mm"])
def test_what_cannot_be_meant(text):
    with pytest.raises(UsageError, match="sensor"):
        Sensor.parse(text)


def test_it_is_what_pyfai_makes_of_the_same():
    sensors = pytest.importorskip("pyFAI.detectors.sensors", reason="this pyFAI knows no sensors")
    assert set(MATERIALS) <= set(sensors.ALL_MATERIALS)
    ours = Sensor.parse("GaAs,500um")
    theirs = sensors.SensorConfig.from_dict(ours.config())
    assert (theirs.material.name, theirs.thickness) == ("GaAs", 500e-6)
    assert theirs.as_dict() == ours.config()
    assert sensors.SensorConfig.from_dict(Sensor("Si").config()).thickness is None


def test_images_seen_otherwise():
    flat, dark = np.arange(6.0).reshape(2, 3), np.ones((2, 3))
    seen = Traits(Sensor("Si"), flat, dark, -2.0).seen(lambda a: a[::-1], lambda a: 4 * a)
    np.testing.assert_array_equal(seen.flat, flat[::-1])
    np.testing.assert_array_equal(seen.dark, 4 * dark)
    assert (seen.sensor, seen.dummy) == (Sensor("Si"), -2.0)
    assert Traits(Sensor("Si")).seen(lambda a: a[::-1]).words() == ("the sensor (Si)",)


def test_words():
    assert Traits().words() == ()
    told = Traits(Sensor("CdTe", 1e-3), np.ones((2, 3)), np.ones((2, 3)), 0.0, 1.5).words()
    assert told == ("the sensor (CdTe, 1 mm)", "the flat field", "the dark current", "the dummy (0)")
