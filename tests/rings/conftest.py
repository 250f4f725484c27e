"""What the tests of rings share."""

from __future__ import annotations

import gc

import pytest


@pytest.fixture(scope="session", autouse=True)
def loaded() -> None:
    """What is there to stay need not be gone through each time that pyFAI makes an integrator, and collects garbage."""
    import pyFAI.goniometer
    import pyFAI.integrator.azimuthal  # noqa: F401

    gc.collect()
    gc.freeze()


@pytest.fixture
def not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """No part of the rings is left out for the error of points there: it takes most of the time, and changes no more
    than that figure."""
    monkeypatch.setattr("pyfai_gridcal.rings.solution._held_out", lambda *_: 0.0)
