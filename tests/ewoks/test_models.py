"""Inputs and outputs of the tasks."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ewoksrun import QUIET, run
from ewoksutils.exceptions import TaskExecutionError, TaskInputError
from pydantic import ValidationError

from pyfai_gridcal.ewoks import models, tasks
from pyfai_gridcal.records.settings import Settings

pytestmark = QUIET


@pytest.mark.parametrize("name", tasks.__all__)
def test_every_input_and_output_is_described(name: str) -> None:
    task = getattr(tasks, name)
    for model in (task.input_model(), task.output_model()):
        model.model_json_schema()  # web forms are made from it
        for field, one in model.model_fields.items():
            assert one.description, f"{name}: {field}"
            assert field in task.__doc__


def test_settings_are_those_of_the_core() -> None:
    own = models.CalibrateInputs.model_fields
    for one in dataclasses.fields(Settings):
        assert one.name in own
        required = one.default is dataclasses.MISSING
        assert own[one.name].is_required() == required
        if not required:
            assert own[one.name].default == one.default


def test_lengths_with_units() -> None:
    given = models.CalibrateInputs(images="a.edf", pitch="3mm,2500um", pixel="50um", hole=1e-3)
    assert given.images == ["a.edf"]
    assert given.pitch == (0.003, 0.0025)
    assert given.pixel == pytest.approx(50e-6)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"pitch": "5"}, "5 what"), ({"pitch": 5}, "below a metre"), ({"pitch": "5mm", "lattice": "round"}, "hexagonal")],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        models.CalibrateInputs(images="a.edf", **wrong)
    with pytest.raises((TaskExecutionError, TaskInputError), match=said):
        run(tasks.CalibrateGrid, images="a.edf", **wrong)
