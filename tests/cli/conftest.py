"""What the tests of commands share."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest
from commands import Core


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> Core:
    import pyfai_gridcal.report  # noqa: F401  # which imports the real module, whatever ran before

    core = Core()
    module = types.ModuleType("pyfai_gridcal.calibration")
    module.calibrate = core.calibrate  # type: ignore[attr-defined]
    module.Settings = dict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyfai_gridcal.calibration", module)
    return core


@pytest.fixture
def image(tmp_path: Path) -> Path:
    np.save(tmp_path / "grid.npy", np.random.default_rng(0).normal(100, 3, (40, 50)))
    return tmp_path / "grid.npy"
