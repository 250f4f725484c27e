"""``check``: files as the programs that will use them see them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import run
from hub import wave

from pyfai_gridcal.io.kinds.kinds import write_distortion

SHAPE = (60, 84)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("check")
    write_distortion(wave(SHAPE), folder / "a.h5")
    write_distortion(wave(SHAPE, scale=1.01), folder / "b.h5")
    return folder


def test_a_good_file_and_its_difference_from_another(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", folder / "a.h5", folder / "b.h5") == 0
    printed = capsys.readouterr().out
    assert "pyFAI" in printed
    assert f"{folder / 'b.h5'} - {folder / 'a.h5'}" in printed


def test_the_same_for_machines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", folder / "a.h5", folder / "b.h5", "--json", "-") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["good"] is True
    assert [Path(one["path"]).name for one in record["files"]] == ["a.h5", "b.h5"]
    assert all(one["good"] and one["opinions"] for one in record["files"])
    assert len(record["differences"]) == 1


def test_a_target_that_cannot_be_is_refused_before_the_work(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", folder / "a.h5", "--json", folder / "a.h5") == 2
    printed, error = capsys.readouterr()
    assert "is one of the inputs" in error
    assert not printed


def test_what_is_no_distortion_is_wrong(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "junk.h5").write_bytes(b"nothing")
    assert run("check", folder / "a.h5", tmp_path / "junk.h5") == 1
    printed, error = capsys.readouterr()
    assert "junk.h5" in printed + error
    assert "Traceback" not in error
