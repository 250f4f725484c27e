"""Progress that nobody asked for."""

from __future__ import annotations

from pyfai_gridcal.base.progress import Progress, part_of, untold


def test_untold_is_a_progress_that_says_nothing(capsys) -> None:
    told: Progress = untold
    assert told(0.5, "half of it") is None
    assert capsys.readouterr() == ("", "")


def test_a_step_goes_from_its_beginning_to_its_end() -> None:
    told: list[tuple[float, str]] = []
    step = part_of(lambda *what: told.append(what), 0.25, 0.75)
    for fraction in (0.0, 0.5, 1.0):
        step(fraction, "fitting")
    assert told == [(0.25, "fitting"), (0.5, "fitting"), (0.75, "fitting")]
