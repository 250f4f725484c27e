"""How fields are bent on the whole: their mean second derivatives, each as large as the others may be expected to be.

Of a field f that is alike everywhere and knows no direction, the mean squares of second derivatives are integrals of
its spectrum over products of four wave numbers, so that, whatever the spectrum::

    E[f_ij f_kl] = c (δ_ij δ_kl + δ_ik δ_jl + δ_il δ_jk)

(f_yy + f_xx)/√8, (f_yy - f_xx)/2 and f_yx have one variance, then, and nothing in common. Radial distortions about a
place beside the middle have twice as much of the first as of the others, too.
"""

from __future__ import annotations

import numpy as np

from ..base.arrays import Floats
from ..fitting.spline.basis import Axis, band_of_stencil, roughness_stencil


def bends(y: Axis, x: Axis, aspect: float) -> Floats:
    """(6, 2 size) mean second derivatives of both components over the detector, of one variance; the first two are of
    inversions, on pixels whose sides (slow over fast) are so."""
    gy, gx = (g.ravel() for g in np.meshgrid(y.abscissae, x.abscissae, indexing="ij"))
    # in sides of a pixel along fast
    parabolas = np.stack([(gy / aspect) ** 2, gy * gx / aspect, gx**2])
    yy, yx, xx = parabolas @ band_of_stencil(roughness_stencil(y, x, 2)).dense()
    whole, differ, mixed, none = (yy + xx) / 2**0.5, (yy - xx) / 2**0.5, 2**0.5 * yx, np.zeros(gy.size)
    # rows of both components have the variance of two such numbers, and so has one of `whole`
    rows = [(differ, mixed), (mixed, -differ), (differ, -mixed), (mixed, differ), (whole, none), (none, whole)]
    return np.array([np.concatenate([aspect * slow, fast]) for slow, fast in rows])
