"""Bends of the whole field that rings hardly tell: inversions, which make circles of circles.

They go with tilts and distances. Only what is quadratic in them tells them, so that there may be two solutions of which
the points prefer neither, and equations about one of them tell sigmas that are too small. With z inversions in those
sigmas, what is left in squares is, far from the solution, too::

    |z|² + b.(2 (r + J z) + b) - what all other unknowns take of b

with J the linear effect, r what is left of the points now, and b what is quadratic in z.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ..base.arrays import Floats
from ..fitting.plates.joint import JointSolution
from ..fitting.spline.basis import Axis
from .bends import bends
from .witness import RingWitness

#: Inversions are looked at up to so many sigmas, at these steps: a second solution was seen at 14.
_FAR, _STEP = 20.0, 0.25


def averaged(witness: RingWitness, y: Axis, x: Axis, solution: JointSolution) -> tuple[RingWitness, Floats]:
    """The mean of all that the points allow the inversions to be, and the covariance about it."""
    covariance, size = solution.covariance, 2 * y.size * x.size
    tells = bends(y, x, witness.aspect)[:2]
    along = covariance[:, :size] @ tells.T
    along = np.linalg.solve(np.linalg.cholesky(tells @ along[:size]), along.T).T
    here = np.concatenate([solution.coefficients.transpose(2, 0, 1).ravel(), solution.further])
    here[-witness.geometry.size :] = 0.0

    def moved(by: Floats) -> RingWitness:
        u = here + by
        return witness.after(y, x, u[:size].reshape(2, y.size, x.size).transpose(1, 2, 0), u[size:])

    def off(by: Floats) -> Floats:
        """(N,) of all points, px as they are now."""
        pairs = zip(moved(by).seen, witness.seen, strict=True)
        return np.concatenate([there.off * there.size / seen.size for there, seen in pairs])

    def bent(z1: float, z2: float) -> Floats:
        by = along @ (z1, z2)
        return (off(by) + off(-by)) / 2 - left

    left, weight = (np.concatenate([getattr(seen, name) for seen in witness.seen]) for name in ("off", "weight"))
    one, two, both = bent(1, 0), bent(0, 1), bent(1, 1)
    quadratic = np.stack([one, both - one - two, two], axis=1)
    weighed = weight[:, None] * quadratic
    rows = sparse.vstack([witness.rows(k, y, x) for k in range(len(witness.images))]).tocsr()
    pull = rows.T @ weighed
    follow = covariance @ pull - along @ (along.T @ pull)
    # squares at all z, and the share of each
    z1, z2 = (g.ravel() for g in np.meshgrid(*[np.arange(-_FAR, _FAR + _STEP, _STEP)] * 2))
    z, q = np.stack([z1, z2]), np.stack([z1 * z1, z1 * z2, z2 * z2])
    linear = 2 * (weighed.T @ left)[:, None] + 2 * (weighed.T @ (rows @ along)) @ z
    square = (z * z).sum(axis=0) + (q * (linear + (quadratic.T @ weighed - pull.T @ follow) @ q)).sum(axis=0)
    share = np.exp((square.min() - square) / 2)
    share /= share.sum()
    both_of, effect = np.concatenate([z, q]), np.hstack([along, -follow])
    mean = both_of @ share
    about = both_of - mean[:, None]
    spread = effect @ (about * share) @ about.T @ effect.T
    return moved(effect @ mean), np.asarray(covariance - along @ along.T + spread)
