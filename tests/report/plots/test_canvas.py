"""Colours and round numbers of all pictures."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.report.plots.canvas import directions, nice


def test_directions_are_seen_on_white_and_closed() -> None:
    colours = directions()(np.linspace(0, 1, 73))[:, :3]
    assert (colours @ (0.2126, 0.7152, 0.0722)).max() < 0.8
    np.testing.assert_allclose(colours[0], colours[-1], atol=0.1)


@pytest.mark.parametrize(("value", "rounded"), [(1, 1), (1.99, 1), (2.0, 2), (0.04, 0.02), (730.0, 500.0)])
def test_nice_numbers(value: float, rounded: float) -> None:
    assert nice(value) == pytest.approx(rounded)
