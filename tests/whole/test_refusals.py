"""Images that hold no calibration: none of them may be called good, and each is refused for its own reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zoo

from pyfai_gridcal import calibrate

TABLE = Path(__file__).parents[2] / "doc" / "images" / "refusals.md"


def documented() -> dict[str, tuple[str, str]]:
    """Rows of the table in the documentation: image -> outcome, words."""
    rows = [line.strip("|").split(" | ") for line in TABLE.read_text(encoding="utf-8").splitlines()[2:]]
    return {row[0].strip(): (row[1].strip(), row[2].strip()) for row in rows}


def test_the_zoo_is_large() -> None:
    assert len(zoo.KINDS) >= 60


@pytest.mark.slow  # a minute and more in all
@pytest.mark.parametrize("name", zoo.KINDS)
def test_refused_for_the_right_reason(name: str) -> None:
    kind = zoo.KINDS[name]
    level, said = kind.outcome(1)
    assert level != "good"
    assert level in ("refused", "failed") or kind.doubt, f"{level}: {said}"
    assert kind.explains(said), said


def test_the_documentation_has_them_all() -> None:
    table = documented()
    assert list(table) == list(zoo.KINDS), "run doc/make_refusals.py"
    for name, (level, said) in table.items():
        assert level in ("refused", "failed", "doubtful"), name
        assert zoo.KINDS[name].explains(said), f"{name}: {said}"


def test_the_grid_that_is_spoilt_is_good() -> None:
    """Otherwise the refusals above would mean nothing."""
    verdict = calibrate(zoo.grid(np.random.default_rng(1)), pitch=zoo.PITCH).verdict
    assert verdict.level == "good", str(verdict)


def test_square_holes_are_as_good_as_round_ones() -> None:
    rng = np.random.default_rng(1)
    image = zoo.exposed(zoo.stamped(zoo.nodes(27.3), 7.0, corners=4), rng)
    verdict = calibrate(image, pitch=zoo.PITCH).verdict
    assert verdict.level == "good", str(verdict)
