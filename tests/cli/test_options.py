"""Fields of jobs as options of the command line."""

from __future__ import annotations

import argparse

import pytest

from pyfai_gridcal.cli._options import add_fields, device, gauge, given_settings, job_of
from pyfai_gridcal.records.jobs import Compare, Correct
from pyfai_gridcal.records.settings import Settings


def test_devices() -> None:
    assert device("gpu") == "gpu"
    assert device("1,2") == (1, 2)
    for wrong in ("a,b", "1,2,3", "1,"):
        with pytest.raises(argparse.ArgumentTypeError, match="two numbers"):
            device(wrong)


def test_gauges() -> None:
    assert gauge("Least") == "least displacement"
    assert gauge("5,7.5") == (5.0, 7.5)


def test_only_what_is_given_is_a_given_setting() -> None:
    parser = argparse.ArgumentParser()
    add_fields(parser, Settings, only_given=True)
    given = given_settings(parser.parse_args(["--pitch", "3mm,2mm", "--lattice", "auto"]))
    assert given == {"pitch": (3e-3, 2e-3), "lattice": "auto"}


def test_job_from_options() -> None:
    parser = argparse.ArgumentParser()
    add_fields(parser, Correct)
    words = ["d.h5", "a.edf", "b.edf", "-o", "out.h5", "--dark", "1.edf", "--dark", "2.edf", "-j", "3", "--whole"]
    job = job_of(Correct, parser.parse_args(words))
    assert (job.images, job.dark, job.workers, job.whole) == (["a.edf", "b.edf"], ["1.edf", "2.edf"], 3, True)
    assert job.coverage == 0.5
    assert job.part is None


def test_choices_and_short_names() -> None:
    parser = argparse.ArgumentParser()
    add_fields(parser, Compare, "gauge")
    add_fields(parser, Settings, "pitch", only_given=True, short=False)
    assert parser.parse_args(["--gauge", "affine"]).gauge == "affine"
    for wrong in (["--gauge", "round"], ["-p", "5mm"]):
        with pytest.raises(SystemExit):
            parser.parse_args(wrong)
