"""``calib2``: options of pyFAI-calib2, and the two of ours; the window is a stand-in."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest
from commands import run

from pyfai_gridcal import cli


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, dict[str, Any]]]:
    try:
        cli.build_parser("calib2")
    except ImportError:
        pytest.skip("pyFAI's own windows need an extra that is not installed")
    import pyfai_gridcal.gui

    seen: list[tuple[Any, dict[str, Any]]] = []
    module = types.ModuleType("pyfai_gridcal.gui.calib2")
    module.main = lambda options, **given: seen.append((options, given)) or 0  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyfai_gridcal.gui.calib2", module)
    monkeypatch.setattr(pyfai_gridcal.gui, "calib2", module, raising=False)
    return seen


def test_grid_and_pitch_are_ours_the_rest_is_pyfais(opened: list[tuple[Any, dict[str, Any]]]) -> None:
    words = "rings.edf --grid grid.edf --pitch 2mm -c LaB6 -w 0.5 -p Pilatus1M"
    assert run("calib2", *words.split()) == 0
    options, given = opened[0]
    assert given == {"grid": "grid.edf", "given": {"pitch": (0.002, 0.002)}}
    assert options.calibrant if hasattr(options, "calibrant") else options.spacing == "LaB6"
    assert "rings.edf" in options.args


def test_without_ours_it_is_plain_calib2(opened: list[tuple[Any, dict[str, Any]]]) -> None:
    assert run("calib2") == 0
    assert opened[0][1] == {"grid": None, "given": {}}
