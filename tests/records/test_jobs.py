"""The jobs that every door offers: all of them are told in full, and what cannot be meant is refused."""

from __future__ import annotations

import math
from dataclasses import MISSING, fields

import pytest

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.records.jobs import Calibrate, Compare, Convert, Correct, Reading, Validate, corrections_of
from pyfai_gridcal.records.options import default_of, options_of
from pyfai_gridcal.records.settings import Settings

JOBS = (Calibrate, Validate, Convert, Correct, Compare, Reading)


@pytest.mark.parametrize("job", JOBS)
def test_every_field_says_what_it_is(job: type) -> None:
    told = options_of(job)
    assert set(told) == {f.name for f in fields(job)}
    for name, one in told.items():
        assert one.text.strip(), name
        assert one.doors, name
        assert f"{name} :" in (job.__doc__ or ""), "and so does the docstring"


@pytest.mark.parametrize("job", JOBS)
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
    assert job.reading == Reading("spline", None, (5e-5, 5e-5), (2, 1), 3)
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
