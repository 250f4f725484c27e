"""How the tests are run: by several workers, without the slow ones, and with nothing left out where all is installed.

A small suite in a folder of its own, with this suite's conftest and options, run as a user would.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = {
    "test_plain.py": "def test_plain(): pass\n",
    "test_some.py": "import pytest\n@pytest.mark.slow\ndef test_slow(): print('slow ran')\ndef test_other(): pass\n",
    "gui/test_window.py": "import pytest\ndef test_button(): pytest.skip('no Qt')\ndef test_other(): pass\n",
    "ewoks/test_tasks.py": "import pytest\npytest.importorskip('a_package_that_is_not_there')\n",
    "ewoks/test_handover.py": "import pytest\ndef test_foreign(): pytest.skip('needs ewoksxrpd')\n",
    "io/test_files.py": "import pytest\ndef test_root(): pytest.skip('root may write everywhere')\n",
}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suite")
    (folder / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "tests" / "conftest.py")
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    lines = ["[tool.pytest.ini_options]", 'testpaths = ["tests"]']
    lines += [f"{name} = {options[name]!r}" for name in ("addopts", "markers")]
    (folder / "pyproject.toml").write_text("\n".join(lines))
    for name, text in FILES.items():
        path = folder / "tests" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


def run(suite: Path, *arguments: str, complete: bool = False) -> tuple[int, str]:
    """Status and output of pytest with these arguments; `complete` as on a machine where all extras are installed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "PYFAI_GRIDCAL", "COV_"))}
    environment |= {"PYTHONPATH": str(ROOT), "PYFAI_GRIDCAL_CI": "1" if complete else ""}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=suite, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_skipped_windows_and_workflows_are_a_failure_where_all_is_installed(suite: Path) -> None:
    """With workers, whose skipped tests and modules the controller hears of."""
    pytest.importorskip("xdist")
    status, text = run(suite, "-n", "2", "--slow", complete=True)
    assert status == pytest.ExitCode.TESTS_FAILED, text
    assert "2 workers" in text
    assert "4 passed, 4 skipped" in text
    said = text.partition("skipped, but must run here")[2].partition("short test summary")[0]
    assert "tests/gui/test_window.py::test_button" in said
    assert "tests/ewoks/test_tasks.py" in said
    assert "test_files" not in said
    assert "test_handover" not in said


def test_slow_ones_are_left_out_of_whole_folders(suite: Path) -> None:
    status, text = run(suite, "-n", "0", "-s")
    assert status == 0, text
    assert "slow ran" not in text
    assert "3 passed, 4 skipped, 1 deselected" in text


def test_a_slow_one_that_is_named_runs_without_workers_nor_xdist(suite: Path) -> None:
    status, text = run(suite, "-s", "-p", "no:xdist", "tests/test_some.py::test_slow", complete=True)
    assert status == 0, text
    assert "slow ran" in text
