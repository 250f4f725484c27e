"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("MPLBACKEND", "Agg")

# Machines that run this may be slow and busy: no example fails for having taken long.
# The same examples in every run, so that a change that fails is one that did it. Others are searched for by hand, with
# --hypothesis-profile=search: HDF5's own library never comes back from some damaged files, which no test can end.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("patient", settings.get_profile("search"), derandomize=True)
settings.load_profile("patient")

#: Where all extras are installed, nothing of these may be skipped.
COMPLETE = bool(os.environ.get("PYFAI_GRIDCAL_CI"))
NEVER_SKIPPED_THERE = ("gui", "ewoks")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with real grid images, named by the environment variable PYFAI_GRIDCAL_DATA."""
    folder = os.environ.get("PYFAI_GRIDCAL_DATA")
    if not folder:
        pytest.skip("PYFAI_GRIDCAL_DATA is not set: name a folder with real grid images to run this test")
    return Path(folder)


@pytest.fixture
def one_corner_off(monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[int, int], float], None]:
    """Call it with a node and a distance, metres: from then on detectors are written with that node so far off."""
    from pyfai_gridcal.io.nexus import groups as nexus

    def begin(node: tuple[int, int], metres: float) -> None:
        def spoil(group: Any, nodes: Any, shape: Any, original: Any = nexus._write_corners) -> Any:
            nodes = nodes.copy()
            nodes[node] += metres
            return original(group, nodes, shape)

        monkeypatch.setattr(nexus, "_write_corners", spoil)

    return begin


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With PYFAI_GRIDCAL_CI set, a skipped test of an optional part is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not COMPLETE or reporter is None or exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return
    skipped = [report.nodeid for report in reporter.stats.get("skipped", ())]
    wrong = [name for name in skipped if any(word in name.lower() for word in NEVER_SKIPPED_THERE)]
    if wrong:
        reporter.section("skipped, but must run here", red=True)
        for name in wrong:
            reporter.write_line(name)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
