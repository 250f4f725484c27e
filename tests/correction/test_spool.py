"""Pieces of an interrupted work: complete, in order, and of one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.correction.spool import Spool


def test_two_at_once_are_told_apart(tmp_path):
    with Spool(tmp_path / "a.part", "key"), pytest.raises(UsageError, match="another process"):
        Spool(tmp_path / "a.part", "key")


def test_a_file_that_appears_at_the_last_moment_is_not_emptied(tmp_path, monkeypatch):
    with Spool(tmp_path / "a.part", "key") as first:
        first.append(b"piece")
        assert list(first) == [b"piece"]  # it is on the disk
        monkeypatch.setattr(Path, "exists", lambda self: False)
        with pytest.raises(UsageError, match="another process"):
            Spool(tmp_path / "a.part", "key")
        assert list(first) == [b"piece"]


def test_a_file_that_is_removed_at_the_last_moment_is_not_written_to(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl", reason="locks of POSIX")
    first = Spool(tmp_path / "a.part", "key")
    lock, times = fcntl.flock, []

    def late(file, operation):
        times.append(1)
        if len(times) == 1:  # the first one is done between opening and locking
            first.close(remove=True)
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with Spool(tmp_path / "a.part", "key") as second:
        second.append(b"piece")
    with Spool(tmp_path / "a.part", "key") as third:
        assert list(third) == [b"piece"]
