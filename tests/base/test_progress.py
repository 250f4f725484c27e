"""Progress that nobody asked for."""

from __future__ import annotations

from pyfai_gridcal.base.progress import Progress, untold


def test_untold_is_a_progress_that_says_nothing(capsys) -> None:
    told: Progress = untold
    assert told(0.5, "half of it") is None
    assert capsys.readouterr() == ("", "")
