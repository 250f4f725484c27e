"""What is told on the command line of a file that does not say it itself."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pytest

from pyfai_gridcal.cli._distortions import add_reading, kinds_text, reading_of, split_pair
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


def reading(*words: str):
    parser = argparse.ArgumentParser()
    add_reading(parser)
    return reading_of(parser.parse_args(words))


def test_what_is_told_reaches_the_reader() -> None:
    told = reading("--pixel", "50um,48um", "--shape", "200,300", "--binning", "2,1", "--orientation", "2")
    assert told.pixel_size == pytest.approx((50e-6, 48e-6))
    assert (tuple(told.shape), tuple(told.binning), told.orientation) == ((200, 300), (2, 1), 2)


def test_what_is_not_told_is_left_to_the_file() -> None:
    bare = reading()
    assert (bare.kind, bare.shape, bare.pixel_size, tuple(bare.binning), bare.orientation) == (
        None,
        None,
        None,
        (1, 1),
        None,
    )
    assert reading("--from", "spline").kind == "spline"


def test_a_kind_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        reading("--from", "papyrus")
    assert "papyrus" in capsys.readouterr().err
