"""Which of many spots and lines to draw: those in view, and of too many a regular part of the lattice. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...base.arrays import AnyArray, Bools
from .layers import GridLines, SpotKind, SpotLayer


@dataclass(frozen=True)
class Window:
    """The part of a plot that is seen, in its coordinates."""

    left: float
    right: float
    bottom: float
    top: float

    def holds(self, x: AnyArray, y: AnyArray, margin: float = 0.5) -> Bools:
        """Whether points are in view, with a margin as a fraction of its size."""
        dx, dy = margin * (self.right - self.left), margin * (self.top - self.bottom)
        inside: Bools = (x >= self.left - dx) & (x <= self.right + dx) & (y >= self.bottom - dy) & (y <= self.top + dy)
        return inside


def thinned_spots(layer: SpotLayer, window: Window, limit: int) -> tuple[Bools, int]:
    """Which spots to draw and the step of the sub-lattice that they are, 1 for all.

    Spots that need attention (outliers, strays, removed ones) are drawn always.
    """
    seen = window.holds(layer.x, layer.y)
    plain = seen & ((layer.kind == SpotKind.USED) | (layer.kind == SpotKind.FOUND))
    count = int(plain.sum())
    if count <= limit:
        return seen, 1
    step = int(np.ceil(np.sqrt(count / limit)))
    if (layer.kind == SpotKind.USED).any():
        part = (layer.ij % step == 0).all(axis=1)
    else:
        part = np.arange(len(layer)) % step**2 == 0
    return seen & (~plain | part), step


def thinned_lines(lines: GridLines, window: Window, limit: int) -> Bools:
    """Which pieces of the grid to draw: every n-th line, so that at most about `limit` pieces are left."""
    seen = window.holds(*lines.middles)
    count = int(seen.sum())
    return seen if count <= limit else seen & (lines.number % int(np.ceil(count / limit)) == 0)
