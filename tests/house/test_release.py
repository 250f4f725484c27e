"""Wheel and source archive: what is in them, and what they say about themselves."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pyfai_gridcal"

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("build") is None or importlib.util.find_spec("hatchling") is None,
    reason="needs build and hatchling (extra dev)",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with both, built from a copy of the sources."""
    folder = tmp_path_factory.mktemp("release")
    copy = folder / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    for name in ("pyfai_gridcal", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist"), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder / "dist"


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(built.glob("*.whl")))


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    name = next(n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
    return message_from_string(wheel.read(name).decode())


def test_wheel_holds_the_whole_package(wheel: zipfile.ZipFile) -> None:
    inside = {name for name in wheel.namelist() if not name.endswith("/")}
    suffixes = {".py", ".svg", ".json", ".css", ".html"}
    own = {
        str(path.relative_to(ROOT))
        for path in PACKAGE.rglob("*")
        if path.suffix in suffixes and "__pycache__" not in path.parts
    }
    own.add("pyfai_gridcal/py.typed")
    assert own <= inside, f"missing: {sorted(own - inside)}"


def test_wheel_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    top = {name.split("/")[0] for name in wheel.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"pyfai_gridcal"}
    assert sum(info.compress_size for info in wheel.infolist()) < 2_000_000


def test_metadata(metadata: Message) -> None:
    assert metadata["Name"] == "pyfai-gridcal"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert set(metadata.get_all("Provides-Extra") or ()) >= {"gui", "ewoks", "dask", "test", "doc", "dev"}
    needed = [one for one in metadata.get_all("Requires-Dist") or () if "extra ==" not in one]
    assert {one.split(">")[0].split(";")[0].strip().lower() for one in needed} == {
        *("numpy", "scipy", "fabio", "h5py", "silx", "pyfai")
    }


def test_entry_points(wheel: zipfile.ZipFile) -> None:
    name = next(n for n in wheel.namelist() if n.endswith("entry_points.txt"))
    text = wheel.read(name).decode()
    assert "pyFAI-gridcal = pyfai_gridcal.cli:main" in text


def test_source_archive(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "LICENSE", "pyproject.toml", "pyfai_gridcal/py.typed"} <= inside
    assert "pyfai_gridcal/report/schema.json" in inside
    needed = {p for p in (ROOT / "tests").rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    missing = {str(p.relative_to(ROOT)) for p in needed} - inside
    assert not missing, "the tests cannot be run from it without these"


@pytest.mark.skipif(importlib.util.find_spec("twine") is None, reason="needs twine (extra dev)")
def test_index_would_take_it(built: Path) -> None:
    files = [str(path) for path in built.iterdir()]
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
