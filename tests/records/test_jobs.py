"""One home for names, defaults and texts: the command line, ewoks and the window have those of the records."""

from __future__ import annotations

import argparse
import inspect
import math
from dataclasses import MISSING, fields
from typing import Any

import pytest

from pyfai_gridcal import calibrate, cli
from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.correction.opening import CorrectorFiles
from pyfai_gridcal.correction.parts import Work
from pyfai_gridcal.io.kinds.options import Writing
from pyfai_gridcal.records import jobs
from pyfai_gridcal.records.jobs import Calibrate, Compare, Convert, Correct, Reading, Validate, corrections_of
from pyfai_gridcal.records.options import CLI, EWOKS, default_of, option_of, options_of
from pyfai_gridcal.records.settings import Settings

JOBS = {"calibrate": jobs.Calibrate, "validate": jobs.Validate, "convert": jobs.Convert, "correct": jobs.Correct,
        "compare": jobs.Compare}  # fmt: skip


def arguments(command: str) -> dict[str, argparse.Action]:
    parser = cli.build_parser(command)
    commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return {action.dest: action for action in commands.choices[command]._actions}


@pytest.mark.parametrize("command", JOBS)
def test_command_line_has_the_fields_of_the_job(command: str) -> None:
    job, own = JOBS[command], arguments(command)
    for name, one in options_of(job, CLI).items():
        action, default = own[name], default_of(job, name)
        assert action.help == one.told(default)
        if default is MISSING:
            # the pitch may stand in the file of --config, and powder rings need no image
            assert action.required or name in ("pitch", "images")
        elif action.default is not argparse.SUPPRESS:
            assert action.default == default or default != default  # NaN
    reading = {"from_kind", "shape", "pixel", "binning", "orientation", "roi", "sensor"}
    rest = set(own) - set(options_of(job, CLI)) - reading - {"help", "verbose", "debug", "file", "config"}
    assert not rest, "options without a field"


@pytest.mark.parametrize("command", JOBS)
def test_ewoks_has_the_fields_of_the_job(command: str) -> None:
    pytest.importorskip("ewokscore", reason="needs ewoks: pip install 'pyfai-gridcal[ewoks]'")
    from pyfai_gridcal.ewoks import models

    job = JOBS[command]
    own: dict[str, Any] = getattr(models, f"{job.__name__}Inputs").model_fields
    assert set(own) == set(options_of(job, EWOKS))
    for name, one in own.items():
        default = default_of(job, name)
        assert one.description == option_of(job, name).told(default)
        assert one.is_required() == (default is MISSING)
        if default is not MISSING:
            assert one.default == default or default != default  # NaN


@pytest.mark.gui
def test_form_has_the_settings() -> None:
    from pyfai_gridcal.gui.panels.form import rows_of
    from pyfai_gridcal.gui.work.draft import Draft

    assert [f.name for f in fields(Draft)] == [f.name for f in fields(Settings)]
    for row, field in zip(rows_of(*(f.name for f in fields(Settings))), fields(Settings), strict=True):
        assert row.empty == (None if field.default is MISSING else field.default)
        assert row.tip.lower() == option_of(Settings, row.name).text.lower()


def test_calibrate_spells_the_settings() -> None:
    spelled = list(inspect.signature(calibrate).parameters.values())[1:]
    for parameter, field in zip(spelled, fields(Settings), strict=False):
        assert parameter.name == field.name
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.default == (inspect.Parameter.empty if field.default is MISSING else field.default)


def test_engines_have_the_defaults_of_the_jobs() -> None:
    for engine, job in ((CorrectorFiles, jobs.Correct), (Work, jobs.Correct), (Writing, jobs.Convert)):
        for field in fields(engine):
            if field.name in options_of(job) and default_of(job, field.name) is not MISSING:
                here, there = field.default, default_of(job, field.name)
                assert here == there or here != here  # NaN
    assert Reading() == jobs.Convert(detector_file=["a"], output="b").reading


def test_texts_are_in_the_docstrings() -> None:
    for record in (Settings, Reading, *JOBS.values()):
        for name in options_of(record):
            assert f"{name} : " in (record.__doc__ or "")


def test_a_job_that_cannot_be_meant() -> None:
    with pytest.raises(UsageError, match="k from 0"):
        jobs.Correct(detector_file=["d.h5"], images=["i.edf"], output="o.h5", part=(3, 3))
    with pytest.raises(UsageError, match="1 or more"):
        jobs.Correct(detector_file=["d.h5"], images=["i.edf"], output="o.h5", workers=0)
    job = jobs.Calibrate(images=["a.edf"], pitch="3mm,2mm", hole="0.5mm")
    assert job.settings == {"pitch": (3e-3, 2e-3), "hole": 5e-4}


EVERY = (Calibrate, Validate, Convert, Correct, Compare, Reading)


@pytest.mark.parametrize("job", EVERY)
def test_every_field_says_what_it_is(job: type) -> None:
    told = options_of(job)
    assert set(told) == {f.name for f in fields(job)}
    for name, one in told.items():
        assert one.text.strip(), name
        assert one.doors, name
        assert f"{name} :" in (job.__doc__ or ""), "and so does the docstring"


@pytest.mark.parametrize("job", EVERY)
def test_choices_hold_the_default(job: type) -> None:
    for name, one in options_of(job).items():
        default = default_of(job, name)
        if one.choices and default not in (None, MISSING):
            assert default in one.choices, name


def test_calibrate_has_every_setting_and_hands_on_what_was_changed() -> None:
    assert {f.name for f in fields(Settings)} <= {f.name for f in fields(Calibrate)}
    job = Calibrate(images=["a.edf"], pitch=(3e-3, 2e-3), polarity="dark", output="o.h5")
    assert job.settings == {"pitch": (3e-3, 2e-3), "polarity": "dark"}
    with pytest.raises(UsageError, match="below a metre"):
        Calibrate(images=["a.edf"], pitch=5.0)


def test_reading_of_a_conversion() -> None:
    job = Convert(detector_file=["a.spline"], output="b.h5", from_kind="spline", pixel=5e-5, binning=(2, 1))
    assert job.reading == Reading("spline", None, (5e-5, 5e-5), (2, 1), None)
    assert Convert(detector_file=["a.spline"], output="b.h5").reading == Reading()


def test_files_that_correct_an_image() -> None:
    job = Validate(detector_file="d.h5", images=["a.edf"], dark=["dark.edf"])
    assert corrections_of(job) == {"dark": ["dark.edf"]}
    assert corrections_of(Validate(detector_file="d.h5", images=["a.edf"])) == {}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"workers": 0}, "1 or more"), ({"part": (2, 2)}, "from 0 to n - 1"), ({"part": (-1, 2)}, "from 0")],
)
def test_corrections_that_cannot_be_meant(wrong: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Correct(detector_file=["d.h5"], images=["a.edf"], output="o.h5", **wrong)


def test_pixels_that_are_not_known_are_no_number_unless_told() -> None:
    assert math.isnan(Correct(detector_file=["d.h5"], images=["a.edf"], output="o.h5").dummy)
