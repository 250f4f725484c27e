"""What several want at a time is made once, and taken back once."""

from __future__ import annotations

import pytest

from pyfai_gridcal.base.shared import SharedChange


def test_the_first_makes_it_and_the_last_takes_it_back() -> None:
    said: list[str] = []

    def change() -> object:
        said.append("made")
        return lambda: said.append("back")

    shared = SharedChange(change)  # type: ignore[arg-type]
    outer, inner = shared.wanted(), shared.wanted()
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)  # the first to come is the first to go
    assert said == ["made"]
    inner.__exit__(None, None, None)
    assert said == ["made", "back"]
    with pytest.raises(ZeroDivisionError), shared.wanted():
        1 / 0  # noqa: B018
    assert said == ["made", "back"] * 2
