"""Distortions that no swap of axes, signs or pixel sizes leaves as they are, for the tests of the files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyfai_gridcal.io.kinds.modules import Module
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import TiledField

SHAPE = (230, 310)
PIXEL = (48e-6, 53e-6)


@dataclass(frozen=True, eq=False)
class Wave:
    """A smooth field of unlike components, up to some 8 px, and its like everywhere outside the image."""

    scale: float = 1.0

    def _of(self, y, x):
        dy = 3.0 + 2.5 * np.sin(y / 61.0 + 0.4) * np.cos(x / 90.0) + 0.011 * x - 0.004 * y
        dx = -1.5 + 3.1 * np.cos(y / 103.0) * np.sin(x / 71.0 + 0.2) - 0.006 * y + 0.002 * x
        return self.scale * np.stack([dy, dx], axis=-1)

    def at(self, yx):
        yx = np.asarray(yx, float).reshape(-1, 2)
        return self._of(yx[:, 0], yx[:, 1])

    def on_grid(self, y, x):
        return self._of(np.asarray(y, float)[:, None], np.asarray(x, float)[None, :])


def wave(shape=SHAPE, pixel=PIXEL, *, scale=1.0, masked=False) -> Distortion:
    mask = None
    if masked:
        mask = np.zeros(shape, bool)
        mask[10:25, 40:90] = True
        mask[-7:, :] = True
    return Distortion(Wave(scale), shape, pixel, mask=mask)


def modules(shape=(120, 170), pixel=PIXEL, *, gap=7) -> Distortion:
    """Four modules with gaps between them, each shifted and turned."""
    labels = np.full(shape, -1)
    tiles = []
    aspect = pixel[0] / pixel[1]
    rows, columns = ((0, 55), (55 + gap, shape[0])), ((0, 80), (80 + gap, shape[1]))
    for k, ((y0, y1), (x0, x1)) in enumerate((r, c) for r in rows for c in columns):
        labels[y0:y1, x0:x1] = k
        centre = (y0 + y1 - 1) / 2, (x0 + x1 - 1) / 2
        tiles.append(Module((y0, y1, x0, x1), centre, (0.7 - 0.5 * k, 0.3 * k - 0.2), 0.12 * k - 0.2, aspect=aspect))
    return Distortion(TiledField(labels, tuple(tiles)), shape, pixel, mask=labels < 0 if gap else None)


def corner_gap(a: Distortion, b: Distortion) -> tuple[float, float]:
    """(largest, rms) distance of the corners of the pixels that neither masks, px of `a`."""
    assert a.shape == b.shape
    known = np.ones(a.shape, bool)
    for one in (a, b):
        if one.mask is not None:
            known &= ~np.asarray(one.mask)
    gap = (a.pixel_corners(np.float64) - b.pixel_corners(np.float64))[known][..., 1:] / a.pixel_size
    size = np.hypot(gap[..., 0], gap[..., 1])
    return float(size.max()), float(np.sqrt(np.mean(size**2)))
