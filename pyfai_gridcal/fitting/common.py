"""What neighbouring points share of what a field leaves over: an error of the field, not of single spots."""

from __future__ import annotations

import numpy as np

from ..base.arrays import Floats
from ..base.geometry import tree_of
from ..base.robust import spread

#: Neighbours of a point: those along the rows of a square grid.
_NEIGHBOURS = 4
#: Fewest points that tell.
_FEWEST = 9


def common_motion(yx: Floats, residual_yx: Floats) -> tuple[float, float]:
    """What neighbours have in common in their residuals.

    The mean product of the residuals of neighbours is the variance of the part they share; noise of spots and errors
    of holes average out in it. Largest residuals are clipped at four times the median.

    Parameters
    ----------
    yx : (M, 2) points that are used, px
    residual_yx : (M, 2) their held-out residuals, px

    Returns
    -------
    rms of the common part (px, length of the vector; 0 when neighbours disagree) and its standard uncertainty
    """
    if len(yx) < _FEWEST:
        return 0.0, 0.0
    top = 4 * spread(residual_yx, about=0.0)
    clipped = np.clip(residual_yx, -top, top)
    near = np.asarray(tree_of(yx).query(yx, k=range(2, _NEIGHBOURS + 2), workers=2)[1])
    product = (clipped[:, None] * clipped[near]).sum(axis=2)
    mean = float(product.mean())
    # most pairs are there twice, and neighbouring pairs are no two opinions
    error = float(product.std() / np.sqrt(product.size / 4))
    rms = float(np.sqrt(max(mean, 0.0)))
    return rms, error / (2 * rms) if rms > 0 else float(np.sqrt(error))


def surely_common(yx: Floats, residual_yx: Floats) -> float:
    """The same, px, where its square is three of its own errors, more than chance makes; else 0."""
    rms, error = common_motion(yx, residual_yx)
    return rms if rms > 2 * 3 * error else 0.0
