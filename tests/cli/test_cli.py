"""The command line as a whole: its help, its words, and how it is started."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest
from commands import run

from pyfai_gridcal import cli


def test_no_command_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert "calibrate" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("pyFAI-gridcal ")


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert {"calibrate", "validate", "demo"} <= set(cli.COMMANDS)
    for name in cli.COMMANDS:
        if name in ("gui", "calib2", "view"):
            continue  # they may need what is not installed
        assert run(name, "--help") == 0, name
        assert f"usage: pyFAI-gridcal {name}" in capsys.readouterr().out


def test_unknown_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrat", "x.edf") == 2
    assert "'calibrat'" in (error := capsys.readouterr().err)
    assert "did you mean calibrate?" in error
    assert run("calibrate", "x.edf", "--pitch", "5mm", "--foo") == 2
    error = capsys.readouterr().err
    assert "--foo" in error
    assert error.count("\n") == 1


def test_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pyfai_gridcal", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("pyFAI-gridcal ")


def test_reader_that_leaves() -> None:
    code = "import sys; from pyfai_gridcal.cli import main; sys.exit(main(['--help']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.close()
        assert child.stderr is not None
        assert b"Traceback" not in child.stderr.read()


ALGEBRA = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


@pytest.mark.parametrize(
    ("command", "given", "expected"),
    [
        ("--version", {}, "1 None"),
        ("--version", {"OPENBLAS_NUM_THREADS": "3"}, "3 None"),
        ("--version", {"OMP_NUM_THREADS": "2"}, "None 2"),
        ("benchmark --help", {}, "None None"),
    ],
)
def test_linear_algebra_takes_one_thread_unless_told(command: str, given: dict[str, str], expected: str) -> None:
    code = (
        "import contextlib, io, os\nfrom pyfai_gridcal.cli import main\n"
        f"with contextlib.redirect_stdout(io.StringIO()):\n    main({command.split()})\n"
        f"print(*map(os.environ.get, {ALGEBRA}))"
    )
    env = {name: value for name, value in os.environ.items() if name not in ALGEBRA} | given
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == expected


def test_it_is_too_late_once_numpy_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ALGEBRA:
        monkeypatch.delenv(name, raising=False)
    importlib.import_module("numpy")
    assert run("--version") == 0
    assert not set(ALGEBRA) & set(os.environ)
