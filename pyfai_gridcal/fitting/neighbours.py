"""What neighbouring points share of what a field leaves over: an error of the field, not of single spots."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ..base.arrays import Floats
from ..base.robust import spread

#: Neighbours of a point: those along the rows of a square grid.
_NEIGHBOURS = 4
#: Fewest points that tell.
_FEWEST = 9


def common_motion(tree: cKDTree, residual_yx: Floats) -> tuple[float, float]:
    """What neighbours have in common in their residuals.

    The mean product of the residuals of neighbours is the variance of the part they share; noise of spots and errors
    of holes average out in it. Largest residuals are clipped at four times the median.

    Parameters
    ----------
    tree : of the M points that are used, px
    residual_yx : (M, 2) their held-out residuals, px

    Returns
    -------
    mean square of the common part (px^2, length of the vector; below 0 when neighbours disagree) and its standard
    uncertainty
    """
    if tree.n < _FEWEST:
        return 0.0, 0.0
    top = 4 * spread(residual_yx, about=0.0)
    clipped = np.clip(residual_yx, -top, top)
    near = np.asarray(tree.query(tree.data, k=range(2, _NEIGHBOURS + 2), workers=2)[1])
    product = (clipped[:, None] * clipped[near]).sum(axis=2)
    # most pairs are there twice, and neighbouring pairs are no two opinions
    return float(product.mean()), float(product.std() / np.sqrt(product.size / 4))


def surely_common(tree: cKDTree, residual_yx: Floats) -> float:
    """Its root, px, where it is three of its own errors, more than chance makes; else 0."""
    square, error = common_motion(tree, residual_yx)
    return float(np.sqrt(square)) if square > 3 * error else 0.0
