"""Options of the commands: every setting has one, and says what the core says."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import get_args

import pytest

from pyfai_gridcal import cli
from pyfai_gridcal.fitting.choice import MODELS
from pyfai_gridcal.records.plate import LatticeKind
from pyfai_gridcal.records.settings import Settings


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
