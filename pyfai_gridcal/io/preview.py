"""A small picture of the corrected image, for a look at it: quick, and without the table that pyFAI makes."""

from __future__ import annotations

import numpy as np

from .._typing import AnyArray, Floats

__all__ = ["cell_means"]

_ROWS = 64  # at a time, for the sake of the cache and of the room for the places of the pixels


def cell_means(image: AnyArray, step: int, displacement: tuple[AnyArray, AnyArray] | None = None) -> Floats:
    """Means of the pixels that come to lie in each cell of `step` x `step` px.

    Parameters
    ----------
    image : (ny, nx) counts
    step : px; from 2 on, fields that stretch less than that leave no cell empty
    displacement : (dy, dx), (ny, nx) each, px: where each pixel belongs; NaN = nowhere. Without it, where it is.

    Returns
    -------
    (ceil(ny / step), ceil(nx / step)), NaN where no pixel lies
    """
    if displacement is None:
        return _binned(image, step)
    ny, nx = image.shape
    rows, columns = -(-ny // step), -(-nx // step)
    total, count = np.zeros(rows * columns), np.zeros(rows * columns)
    for top in range(0, ny, _ROWS):
        part = slice(top, min(top + _ROWS, ny))
        values = np.asarray(image[part], float)
        y, x = (
            np.rint(np.asarray(d[part], np.float32) + at.astype(np.float32))
            for d, at in zip(displacement, (np.arange(ny)[part, None], np.arange(nx)), strict=True)
        )
        good = (y >= 0) & (y < ny) & (x >= 0) & (x < nx) & np.isfinite(values)  # NaN is nowhere
        if not good.all():
            y, x, values = y[good], x[good], values[good]
        if not values.size:
            continue
        cell = (y.astype(np.int32) // step * columns + x.astype(np.int32) // step).ravel()
        first = int(cell.min())  # a few rows come to lie in a few rows
        cell -= first
        for out, weights in ((total, values.ravel()), (count, None)):
            sums = np.bincount(cell, weights)
            out[first : first + len(sums)] += sums
    with np.errstate(invalid="ignore"):
        return (total / count).reshape(rows, columns)


def _binned(image: AnyArray, step: int) -> Floats:
    """Means of the finite pixels of each cell of the raster itself."""
    total, count = (np.zeros([-(-n // step) for n in image.shape]) for _ in range(2))
    for down in range(step):
        for right in range(step):
            part = image[down::step, right::step]
            good = np.isfinite(part)
            cells = tuple(slice(0, n) for n in part.shape)
            total[cells] += np.where(good, part, 0)
            count[cells] += good
    with np.errstate(invalid="ignore"):
        return np.asarray(total / count)
