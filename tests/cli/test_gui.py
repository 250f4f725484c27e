"""``gui``: what the window is told; the window itself is a stand-in."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest
from commands import run


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, dict[str, Any]]]:
    """Windows that were asked for."""
    import pyfai_gridcal.gui

    seen: list[tuple[Any, dict[str, Any]]] = []
    module = types.ModuleType("pyfai_gridcal.gui.window")
    module.main = lambda images, **options: seen.append((images, options)) or 0  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyfai_gridcal.gui.window", module)
    monkeypatch.setattr(pyfai_gridcal.gui, "window", module, raising=False)
    return seen


def test_an_empty_window(opened: list[tuple[Any, dict[str, Any]]]) -> None:
    assert run("gui") == 0
    images, options = opened[0]
    assert images == []
    assert options["backend"] == "matplotlib"
    assert options["given"] == {}
    assert set(options["files"].values()) == {None}


def test_images_settings_and_files_reach_the_window(opened: list[tuple[Any, dict[str, Any]]]) -> None:
    words = "a.edf b.edf --pitch 3mm,2mm --polarity dark --dark d.edf --mask Pilatus1M --opengl"
    assert run("gui", *words.split()) == 0
    images, options = opened[0]
    assert images == ["a.edf", "b.edf"]
    assert options["backend"] == "opengl"
    assert options["given"] == {"pitch": (0.003, 0.002), "polarity": "dark"}
    assert options["files"] == {"dark": "d.edf", "flat": None, "mask": "Pilatus1M"}


def test_what_cannot_be_meant_opens_no_window(
    opened: list[tuple[Any, dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("gui", "--pitch", "5") == 2
    assert "5 what?" in capsys.readouterr().err
    assert not opened
