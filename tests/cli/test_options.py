"""Options of the commands: fields of jobs, every setting among them, and they say what the core says."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import get_args

import pytest

from pyfai_gridcal import cli
from pyfai_gridcal.cli._options import add_fields, device, gauge, given_settings, job_of
from pyfai_gridcal.records.jobs import Compare, Correct
from pyfai_gridcal.records.plate import LatticeKind
from pyfai_gridcal.records.settings import MODELS, Settings


def options_of(command: str) -> dict[str, argparse.Action]:
    """Long options of a command."""
    whole = cli.build_parser(command)
    commands = next(action for action in whole._actions if isinstance(action, argparse._SubParsersAction))
    return dict(commands.choices[command]._option_string_actions)


@pytest.mark.parametrize("name", [f.name for f in fields(Settings) if f.name != "positions"])
def test_every_setting_is_an_option_of_calibrate_and_of_the_window(name: str) -> None:
    option = f"--{name.replace('_', '-')}"
    for command in ("calibrate", "gui"):
        action = options_of(command)[option]
        assert action.dest == name
        assert action.help


def test_positions_are_told_too() -> None:
    assert any(action.dest == "positions" for action in options_of("calibrate").values())


def test_choices_are_those_of_the_core() -> None:
    options = options_of("calibrate")
    assert set(options["--lattice"].choices or ()) == set(get_args(LatticeKind))
    assert set(options["--polarity"].choices or ()) == {"auto", "bright", "dark"}


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_in_the_help(model: str) -> None:
    assert model in (options_of("calibrate")["--model"].help or "")


@pytest.mark.parametrize(
    ("text", "value"),
    [("centre", "centre"), ("least", "least displacement"), ("Least  Displacement", "least displacement")]
    + [("10.5,20", (10.5, 20.0))],
)
def test_gauge_by_name_or_by_pixel(text: str, value: object) -> None:
    kind = options_of("calibrate")["--gauge"].type
    assert callable(kind)
    assert kind(text) == value


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


def test_device_that_is_no_pair_of_numbers_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["correct", "d.h5", "i.edf", "-o", "o.h5", "--device", "a,b"]) == 2
    err = capsys.readouterr().err
    assert "two numbers such as 0,1" in err
    assert "unexpected" not in err
