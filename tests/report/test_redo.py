"""The command and the lines of Python that do a calibration again do so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfai_gridcal.calibration import Calibration
from pyfai_gridcal.report.redo import command_line, python_lines, settings_toml


def test_command_does_it_again(made: Calibration) -> None:
    from pyfai_gridcal.cli import build_parser
    from pyfai_gridcal.cli._options import given_settings

    settings = replace(
        made.settings, pitch=(3e-3, 2.5e-3), pixel=51.7e-6, origin=(10.5, 20.0), lattice="rectangular", gauge=(5.0, 7.5)
    )
    words = command_line(replace(made, settings=settings)).split()
    assert words[:3] == ["pyFAI-gridcal", "calibrate", "IMAGE"]
    options = build_parser("calibrate").parse_args(words[1:])
    assert options.pitch == pytest.approx(settings.pitch, rel=1e-12)
    given = given_settings(options)
    assert given["pixel"] == pytest.approx((51.7e-6, 51.7e-6), rel=1e-12)
    assert given["origin"] == settings.origin
    assert given["lattice"] == "rectangular"
    assert given["gauge"] == settings.gauge


def test_how_the_plate_stood_comes_back_from_the_command_and_the_file(made: Calibration) -> None:
    import shlex
    import tomllib

    from pyfai_gridcal import Settings
    from pyfai_gridcal.cli import build_parser
    from pyfai_gridcal.cli._options import given_settings
    from pyfai_gridcal.records.settings import STANDING

    told = {"tilt": "3mrad", "source": "10m", "gap": "2mm", "pitch_tolerance": "20ppm", "expansion": 16.5e-6}
    settings = replace(made.settings, **told, temperature="23±2")
    words = shlex.split(command_line(replace(made, settings=settings)))
    again = given_settings(build_parser("calibrate").parse_args(words[1:]))
    assert [again[name] for name in STANDING] == [getattr(settings, name) for name in STANDING]
    written = Settings(**tomllib.loads(settings_toml(settings)))
    assert [getattr(written, name) for name in STANDING] == [getattr(settings, name) for name in STANDING]


def test_positions_come_back_from_the_command(made: Calibration) -> None:
    import shlex

    from pyfai_gridcal.cli import build_parser

    where = ((-1.5e-3, 0.0), (40e-6, 7e-3))
    words = shlex.split(command_line(replace(made, settings=replace(made.settings, positions=where))))
    options = build_parser("calibrate").parse_args(words[1:])
    assert np.allclose(options.positions, where, rtol=1e-12)


def test_python_lines_are_python(made: Calibration) -> None:
    lines = python_lines(replace(made, settings=replace(made.settings, model="spline")))
    compile(lines, "redo", "exec")
    assert "model='spline'" in lines
