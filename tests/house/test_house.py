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

COMMANDS = ("python3 -m pip install . && pyFAI-gridcal demo", 'python3 -m pip install ".[test]" && python3 -m pytest')


def test_readme_begins_with_the_two_commands() -> None:
    code = [line.strip() for line in README.splitlines() if line.startswith("    ")]
    assert tuple(code[:2]) == COMMANDS


def test_ci_runs_them() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for words in (
        "install .\n",
        "pyFAI-gridcal demo",
        'install ".[test]"',
        "python3 -m pytest\n",
        "ruff check",
        "mypy",
    ):
        assert words in script
    assert "python3 -m pytest -m slow\n" in script, "the tests that the second command leaves out"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_ci_finds_the_oldest_pyfai() -> None:
    """It reads it off the line of the dependencies, with this pattern."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    pattern = re.search(r"sed -nE 's/(.*)/\\1/p' pyproject\.toml", script)
    assert pattern
    found = re.search(pattern[1], (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    assert f"pyFAI>={found[1]}" in PROJECT["project"]["dependencies"]


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

    for name in re.findall(r"^ {4}pyFAI-gridcal (\w+)", README, re.MULTILINE):
        assert name in cli.COMMANDS


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
