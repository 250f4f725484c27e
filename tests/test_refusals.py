"""Images that hold no calibration: none of them may be called good, and each is refused for its own reason."""

from __future__ import annotations

import numpy as np
import pytest
import zoo

from pyfai_gridcal import calibrate
from pyfai_gridcal.errors import GridcalError


def outcome(kind: zoo.Kind, seed: int) -> tuple[str, str]:
    """Level ("raised" for an error) and what was said."""
    image, settings = kind.settings(np.random.default_rng(seed))
    try:
        verdict = calibrate(image, **settings).verdict
    except GridcalError as error:
        return "raised", str(error)
    return verdict.level, "; ".join(verdict.reasons)


def test_the_zoo_is_large() -> None:
    assert len(zoo.KINDS) >= 60


@pytest.mark.parametrize("name", zoo.KINDS)
def test_refused_for_the_right_reason(name: str) -> None:
    kind = zoo.KINDS[name]
    level, said = outcome(kind, 1)
    assert level != "good"
    assert level in ("raised", "failed") or kind.doubt, f"{level}: {said}"
    assert kind.explains(said), said


def test_the_grid_that_is_spoilt_is_good() -> None:
    """Otherwise the refusals above would mean nothing."""
    verdict = calibrate(zoo.grid(np.random.default_rng(1)), pitch=zoo.PITCH).verdict
    assert verdict.level == "good", str(verdict)
