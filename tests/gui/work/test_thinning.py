"""Of too many spots and lines a regular part is drawn."""

from __future__ import annotations

import numpy as np

from pyfai_gridcal.gui.work.layers import GridLines, SpotKind, SpotLayer
from pyfai_gridcal.gui.work.thinning import Window, thinned_lines, thinned_spots


def many(side: int, kind: SpotKind) -> SpotLayer:
    ij = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), axis=-1).reshape(-1, 2)
    n = len(ij)
    none = np.zeros(n)
    return SpotLayer(10.0 * ij[:, 1], 10.0 * ij[:, 0], np.full(n, kind), none, none, none, ij)


def test_too_many_spots_are_thinned_to_a_sub_lattice() -> None:
    layer = many(60, SpotKind.USED)
    layer.kind[61] = SpotKind.OUTLIER
    everything = Window(0, 600, 0, 600)
    drawn, step = thinned_spots(layer, everything, 500)
    assert step == 3
    assert drawn.sum() == 20 * 20 + 1
    assert drawn[61], "an outlier is always drawn"
    assert thinned_spots(layer, everything, 5000)[1] == 1
    near, step = thinned_spots(layer, Window(0, 100, 200, 260), 500)
    assert step == 1
    assert near.sum() == 16 * 13
    found, step = thinned_spots(many(60, SpotKind.FOUND), everything, 500)
    assert found.sum() == 3600 / step**2


def test_too_many_lines_are_thinned_to_every_nth() -> None:
    number = np.repeat(np.arange(50), 40)
    x = np.tile(np.arange(40.0), 50)[:, None] + [0.0, 1.0]
    lines = GridLines(x, number[:, None] + [0.0, 0.0], number)
    assert thinned_lines(lines, Window(0, 50, 0, 50), 5000).all()
    drawn = thinned_lines(lines, Window(0, 50, 0, 50), 500)
    assert set(number[drawn]) == set(range(0, 50, 4))
