"""A small picture of the corrected image, for a look at it: quick, and without the table that pyFAI makes."""

from __future__ import annotations

import numpy as np

from .._typing import AnyArray, Floats

__all__ = ["cell_means"]

_ROWS = 256  # at a time: the places of all pixels of a large image would take several times its room


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
    ny, nx = image.shape
    rows, columns = -(-ny // step), -(-nx // step)
    total, count = np.zeros(rows * columns), np.zeros(rows * columns)
    for top in range(0, ny, _ROWS):
        part = slice(top, min(top + _ROWS, ny))
        values = np.asarray(image[part], float)
        y, x = np.meshgrid(np.arange(part.start, part.stop), np.arange(nx), indexing="ij")
        good = np.isfinite(values)
        if displacement is not None:
            dy, dx = (np.asarray(d[part]) for d in displacement)
            good &= np.isfinite(dy) & np.isfinite(dx)
            y, x = (np.rint(c + np.where(good, d, -1e6)).astype(np.int64) for c, d in ((y, dy), (x, dx)))
        good &= (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
        cell = (y[good] // step) * columns + x[good] // step
        total += np.bincount(cell, values[good], len(total))
        count += np.bincount(cell, minlength=len(count))
    with np.errstate(invalid="ignore"):
        return (total / count).reshape(rows, columns)
