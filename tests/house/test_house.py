"""What a newcomer meets first: README, installation, checks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

COMMANDS = (
    "python3 -m pip install . && pyFAI-gridcal demo",
    'python3 -m pip install ".[test]" && python3 -m pytest',
)


def test_readme_begins_with_the_two_commands() -> None:
    code = [line.strip() for line in README.splitlines() if line.startswith("    ")]
    assert tuple(code[:2]) == COMMANDS


def test_ci_runs_them() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for words in ("install .\n", "pyFAI-gridcal demo", 'install ".[test]"', "python3 -m pytest", "ruff check", "mypy"):
        assert words in script
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_ci_is_bash() -> None:
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True)


def test_extras_that_are_advertised_exist() -> None:
    extras = set(PROJECT["project"]["optional-dependencies"])
    assert {"gui", "ewoks", "dask", "test", "doc"} <= extras
    for name in re.findall(r'install "\.\[([a-z,]+)\]"', README):
        assert set(name.split(",")) <= extras


def test_commands_in_the_readme_exist() -> None:
    from pyfai_gridcal import cli

    known = {name for name, module, _ in cli.COMMANDS if cli._exists(module)}
    for name in re.findall(r"^ {4}pyFAI-gridcal (\w+)", README, re.MULTILINE):
        assert name in known


def test_pictures_of_the_readme_exist() -> None:
    for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / name).is_file()


def test_few_dependencies() -> None:
    names = {re.split(r"[^\w-]", one)[0] for one in PROJECT["project"]["dependencies"]}
    assert names == {"numpy", "scipy", "fabio", "h5py", "silx", "pyFAI"}


def test_top_level_is_tidy() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode or not listed.stdout:
        pytest.skip("not a git checkout")
    top = {line.split("/")[0] for line in listed.stdout.splitlines()}
    plain = {name for name in top if not name.startswith(".")}
    assert plain <= {"pyproject.toml", "README.md", "LICENSE", "pyfai_gridcal", "tests", "doc"}
