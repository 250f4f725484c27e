"""What all tests share."""

from __future__ import annotations

import gc
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("MPLBACKEND", "Agg")
if "PYTEST_XDIST_WORKER" in os.environ:  # as many workers as processors: further threads would only wait
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(_name, "1")

# Machines that run this may be slow and busy: no example fails for having taken long.
# The same examples in every run, so that a change that fails is one that did it. Others are searched for by hand, with
# --hypothesis-profile=search: HDF5's own library never comes back from some damaged files, which no test can end.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("patient", settings.get_profile("search"), derandomize=True)
settings.load_profile("patient")

#: Where all extras are installed, nothing of these may be skipped.
COMPLETE = bool(os.environ.get("PYFAI_GRIDCAL_CI"))
NEVER_SKIPPED_THERE = ("gui", "ewoks")
#: But for what needs a package that is in none of the extras.
IN_NO_EXTRA = "ewoksxrpd"


#: Each worker takes up to a gigabyte, and beyond some the longest module decides.
MOST_WORKERS = 8


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    group = parser.getgroup("gridcal", "tests of pyfai_gridcal")
    group.addoption("--slow", action="store_true", help="run the slow tests too, which are left out otherwise")
    if not pluginmanager.hasplugin("xdist"):  # switched off, or not installed: pyproject.toml names its options
        for name in ("--numprocesses", "--dist"):
            group.addoption(name, help="needs pytest-xdist; without it, all tests run one after the other")


def _named(config: pytest.Config) -> set[Path]:
    """Files that the command names, as such or in front of the name of a test."""
    files = {config.invocation_params.dir / argument.partition("::")[0] for argument in config.args}
    return {path.resolve() for path in files if path.suffix == ".py"}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Workers for `-n auto`, which is the default: none for a file or two, which are done before workers are ready."""
    if config.getoption("collectonly") or 0 < len(_named(config)) == len(config.args) <= 2:
        return 0
    from pyfai_gridcal.base.threads import processors

    return min(processors(), MOST_WORKERS)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the tests of windows where Qt is missing, and leave the slow tests out where whole folders are run: who
    names a file or a test wants it, and so does --slow."""
    if importlib.util.find_spec("PySide6") is None:
        skip = pytest.mark.skip(reason="PySide6 is missing: python3 -m pip install 'pyfai-gridcal[gui]'")
        for item in items:
            if item.get_closest_marker("gui"):
                item.add_marker(skip)
    if config.getoption("--slow") or "slow" in config.getoption("markexpr"):
        return
    named = _named(config)
    left = [item for item in items if item.get_closest_marker("slow") and item.path not in named]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in set(left)]


def pytest_collection_finish() -> None:
    """What was imported and collected by now is there to stay: whoever collects garbage, as pyFAI does for every
    integrator and our windows after each test, need not go through it each time."""
    gc.collect()
    gc.freeze()


def pytest_report_header(config: pytest.Config) -> str:
    return "slow tests: " + ("with the others" if config.getoption("--slow") else "only where named (--slow: all)")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with real grid images, named by the environment variable PYFAI_GRIDCAL_DATA."""
    folder = os.environ.get("PYFAI_GRIDCAL_DATA")
    if not folder:
        pytest.skip("PYFAI_GRIDCAL_DATA is not set: name a folder with real grid images to run this test")
    return Path(folder)


@pytest.fixture
def one_corner_off(monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[int, int], float], None]:
    """Call it with a pixel and a distance, metres: from then on disks keep its first corner so far off."""
    from pyfai_gridcal.io.nexus import groups

    def begin(pixel: tuple[int, int], metres: float) -> None:
        def spoil(group: Any, nodes: Any, shape: Any, original: Any = groups.write_corners) -> Any:
            written = original(group, nodes, shape)
            written[0][(*pixel, 0, 1)] += metres
            return written

        monkeypatch.setattr(groups, "write_corners", spoil)

    return begin


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With PYFAI_GRIDCAL_CI set, a skipped test of an optional part is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not COMPLETE or reporter is None or exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return
    reports = reporter.stats.get("skipped", ())
    skipped = [report.nodeid for report in reports if IN_NO_EXTRA not in str(report.longrepr)]
    wrong = [name for name in skipped if any(word in name.lower() for word in NEVER_SKIPPED_THERE)]
    if wrong:
        reporter.section("skipped, but must run here", red=True)
        for name in wrong:
            reporter.write_line(name)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
