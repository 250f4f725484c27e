"""``view``: which file is shown; the window is a stand-in."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest
from commands import run


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    import pyfai_gridcal.gui

    seen: list[tuple[str, dict[str, Any]]] = []
    module = types.ModuleType("pyfai_gridcal.gui.view")
    module.main = lambda result, **options: seen.append((result, options)) or 0  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyfai_gridcal.gui.view", module)
    monkeypatch.setattr(pyfai_gridcal.gui, "view", module, raising=False)
    return seen


def test_a_file_is_shown(shown: list[tuple[str, dict[str, Any]]], tmp_path: Path) -> None:
    (tmp_path / "det.h5").touch()
    assert run("view", tmp_path / "det.h5") == 0
    assert run("view", tmp_path / "det.h5", "--gl") == 0
    name = str(tmp_path / "det.h5")
    assert shown == [(name, {"backend": "matplotlib"}), (name, {"backend": "opengl"})]


def test_a_file_that_is_missing_is_told(
    shown: list[tuple[str, dict[str, Any]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("view", tmp_path / "nothing.h5") == 1
    assert "no such file" in capsys.readouterr().err
    assert not shown
