"""Progress is told after a while, and leaves nothing on the terminal."""

from __future__ import annotations

import io

import pytest

from pyfai_gridcal.cli._progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_waits_two_seconds() -> None:
    for stream in (io.StringIO(), Terminal()):
        now = [0.0]
        with ProgressLine(stream, clock=lambda: now[0]) as progress:  # noqa: B023  # called at once
            progress(0.1, "early")
            assert stream.getvalue() == ""
            now[0] = 2.5
            progress(0.5, "fitting")
            assert "50 % fitting" in stream.getvalue()
            now[0] = 2.55
            progress(0.6, "too soon")
        assert "too soon" not in stream.getvalue()
        if stream.isatty():
            assert stream.getvalue().endswith("\r\x1b[K")
        else:
            assert stream.getvalue() == " 50 % fitting\n"


def test_quick_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine() as progress:
        progress(1.0, "done")
    assert capsys.readouterr().err == ""
