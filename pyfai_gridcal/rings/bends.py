"""How fields are bent on the whole: their mean second derivatives."""

from __future__ import annotations

import numpy as np
from scipy.linalg import block_diag

from ..base.arrays import Floats
from ..fitting.spline.basis import Axis, band_of_stencil, roughness_stencil


def bends(y: Axis, x: Axis, aspect: float) -> Floats:
    """(6, 2 size) mean second derivatives of both components over the detector, each of the same roughness; the first
    two are of inversions, on pixels whose sides (slow over fast) are so."""
    gy, gx = (g.ravel() for g in np.meshgrid(y.abscissae, x.abscissae, indexing="ij"))
    parabolas = np.stack([gy**2, gy * gx, gx**2], axis=1)
    rough = band_of_stencil(roughness_stencil(y, x, 2)).dense() @ parabolas
    half = np.linalg.cholesky(parabolas.T @ rough)
    inversions = np.array([[aspect, 0, -1 / aspect, 0, 2 * aspect, 0], [0, 2, 0, -(aspect**2), 0, 1]])
    order = np.linalg.qr(block_diag(half, half).T @ inversions.T, mode="complete")[0]
    return np.asarray(order.T @ block_diag(*[np.linalg.solve(half, rough.T)] * 2))
