"""The core's verbs, as the workspace calls them, without a window."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scenes

from pyfai_gridcal.base.errors import PickingError
from pyfai_gridcal.base.progress import untold
from pyfai_gridcal.gui import work
from pyfai_gridcal.gui.work.core import Core
from pyfai_gridcal.gui.work.draft import Draft
from pyfai_gridcal.gui.work.state import WorkExposure, WorkState
from pyfai_gridcal.gui.work.workspace import Workspace
from pyfai_gridcal.records.settings import LATTICES, MODELS, POLARITIES
from pyfai_gridcal.records.spots import SpotFlag, Spots


def test_choices_stand_once() -> None:
    for choices in (LATTICES, MODELS, POLARITIES):
        assert len(set(choices)) == len(choices)


def test_work_needs_no_qt() -> None:
    """All of it, in an interpreter of its own: neither Qt nor what draws with it is loaded."""
    folder = Path(work.__file__).parent
    modules = [f"{work.__name__}.{path.stem}" for path in folder.glob("*.py") if path.stem != "__init__"]
    assert f"{work.__name__}.workspace" in modules
    code = f"""
import importlib, sys
for name in {modules!r}:
    importlib.import_module(name)
qt = ("PySide6", "PyQt5", "PyQt6", "silx.gui.qt")
print([name for name in sys.modules if name in qt or name.startswith("silx.gui.plot")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_hole_is_measured_where_the_user_clicks() -> None:
    core, draft = Core(), Draft()
    truth = scenes.small().truth
    picture = core.load(WorkExposure("grid", scenes.small().image), WorkState(draft), untold)
    place = scenes.hole()
    others = truth.yx[truth.whole & (np.hypot(*(truth.yx - place).T) > 1)]
    found = Spots.from_positions(others, hole_px=core.find(picture, draft, untold).hole_px)
    one = core.refine(picture, found, place[None] + (2.0, -1.5), draft)
    np.testing.assert_allclose(one.yx, [place], atol=0.06)
    assert one.flags[0] & SpotFlag.USER
    with pytest.raises(PickingError, match="no hole at"):
        core.refine(picture, found, np.array([(-50.0, 20.0)]), draft)


def test_dark_flat_and_mask_go_with_the_image(tmp_path: Path) -> None:
    shape = (40, 70)
    np.save(tmp_path / "dark.npy", np.full(shape, 3.0))
    mask = np.zeros(shape, np.uint8)
    mask[5, 60] = 1
    np.save(tmp_path / "mask.npy", mask)
    state = WorkState(Draft(), (), str(tmp_path / "dark.npy"), None, str(tmp_path / "mask.npy"))
    picture = Core().load(WorkExposure("array", np.full(shape, 10.0)), state, untold)
    assert picture.data[3, 3] == 7.0
    np.testing.assert_array_equal(picture.mask, mask != 0)


def test_all_stages_give_what_calibrate_gives(tmp_path: Path) -> None:
    workspace = Workspace(Core(), replace(Draft(), pitch=scenes.PITCH))
    workspace.set_exposures((WorkExposure("grid", scenes.small().image),))
    found = workspace.compute().calibration
    expected = scenes.calibrated()
    np.testing.assert_array_equal(found.displacement_maps(), expected.displacement_maps())
    assert found is workspace.calibration
