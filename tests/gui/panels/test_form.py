"""A value that cannot be read is marked and not passed on."""

from __future__ import annotations

import pytest
from qtest import write

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.gui.panels.form import Row, SettingsForm, rows_of

pytestmark = pytest.mark.gui


@pytest.fixture
def form(qapp, keep):
    rows = [
        Row("pixel", "Pixel size", "The size", "lengths"),
        Row("angle", "Angle", "Degrees", "number"),
        Row("model", "Model", "Which", "choice", ("auto", "spline"), "auto"),
    ]
    return keep(SettingsForm(rows))


def test_texts_become_values_with_units(form):
    told = []
    form.sigChanged.connect(lambda name, value: told.append((name, value)))
    write(form.editor("pixel"), "50um, 48um")
    write(form.editor("angle"), "75.5")
    assert told == [("pixel", pytest.approx((50e-6, 48e-6))), ("angle", 75.5)]
    form.setValue("pixel", (50e-6, 48e-6))
    assert form.editor("pixel").text() == "50 µm, 48 µm"


def test_what_cannot_be_read(form):
    told = []
    form.setValue("model", "auto")
    form.sigChanged.connect(lambda name, value: told.append(name))
    write(form.editor("angle"), "-3")
    assert not told
    assert form.editor("angle").toolTip() != "Degrees"
    with pytest.raises(UsageError):
        form.commit()
    write(form.editor("angle"), "3")
    assert told == ["angle"]
    assert form.editor("angle").toolTip() == "Degrees"
    form.commit()


def test_a_value_that_is_not_among_the_choices_is_shown(form):
    form.setValue("model", "tiles")
    assert form.editor("model").currentText() == "tiles"


def test_a_sensor_is_understood_at_once(qapp, keep):
    form = keep(SettingsForm(rows_of("sensor")))
    told = []
    form.sigChanged.connect(lambda name, value: told.append((name, value)))
    write(form.editor("sensor"), "cdte,1mm")
    assert told == [("sensor", "CdTe, 1 mm")]
    write(form.editor("sensor"), "Cd,1mm")
    assert "expected one of Si" in form.editor("sensor").toolTip()
    assert len(told) == 1


def test_labels_are_words():
    assert [row.label for row in rows_of("pitch_tolerance", "tilt")] == ["Pitch tolerance", "Tilt"]
