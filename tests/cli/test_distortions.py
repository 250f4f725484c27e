"""What is told on the command line of a file that does not say it itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyfai_gridcal.cli._distortions import kinds_text, split_pair
from pyfai_gridcal.io.kinds.kinds import KINDS


def test_two_files_or_one_whose_name_holds_a_comma(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("x.edf", "y.edf", "a,b.edf"):
        Path(name).touch()
    assert list(split_pair("x.edf,y.edf")) == ["x.edf", "y.edf"]
    assert split_pair("a,b.edf") == "a,b.edf"
    assert split_pair("x.edf,z.edf") == "x.edf,z.edf"
    assert split_pair(os.fspath(tmp_path / "x.edf")) == os.fspath(tmp_path / "x.edf")


def test_every_kind_is_in_the_help() -> None:
    text = kinds_text()
    assert len(text.splitlines()) == len(KINDS)
    for kind in KINDS.values():
        assert kind.name in text
        assert kind.title in text
