"""Pictures of plates that the synthetic world does not draw: holes of any shape, of several sizes, in long pixels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

#: Sub-pixels along each axis.
_FINE = 4


def plate_image(
    shape: tuple[int, int] = (330, 420),
    *,
    pitch: float = 30.0,
    radius: float = 6.0,
    turn_deg: float = 13.0,
    aspect: float = 1.0,
    centres: float = 0.0,
    square: bool = False,
    rows_gone: tuple[int, ...] = (),
    blur: float = 0.9,
    peak: float = 3000.0,
    seed: int = 3,
) -> np.ndarray:
    """Counts of a plate whose holes lie bent by half a pixel; lengths in pixels of the geometric mean size.

    Parameters
    ----------
    aspect : of a pixel, slow over fast
    centres : radius of further holes in the middles of the cells, relative to that of the others
    square : holes as wide as a square along the lattice, instead of round
    rows_gone : rows of holes that are not there
    """
    rng = np.random.default_rng(seed)
    y, x = (np.arange(n * _FINE) / _FINE - 0.375 for n in shape)
    along = np.sqrt(aspect)
    y, x = np.meshgrid(y * along, x / along, indexing="ij")
    turn = np.deg2rad(turn_deg)
    bend = 0.5 * np.sin(y / 90) * np.cos(x / 110)
    i = (np.cos(turn) * y - np.sin(turn) * x + bend) / pitch
    j = (np.sin(turn) * y + np.cos(turn) * x - bend) / pitch
    light = np.zeros_like(y)
    for shift, size in ((0.0, 1.0), (0.5, centres))[: 2 if centres else 1]:
        u, v = (w - shift - np.rint(w - shift) for w in (i, j))
        far = np.maximum(np.abs(u), np.abs(v)) if square else np.hypot(u, v)
        there = ~np.isin(np.rint(i - shift), rows_gone)
        light = np.maximum(light, (far * pitch < size * radius) & there)
    small = light.reshape(shape[0], _FINE, shape[1], _FINE).mean(axis=(1, 3))
    return rng.poisson(peak * ndimage.gaussian_filter(small, blur) + 100).astype(np.int32)
