"""Distances of single images that rings hardly tell: how uncertain they are where the second order counts.

They are told by how rings about several middles meet, to a part of the noise of a point. Equations about a solution
that is off along the rings then tell sigmas that are several times too small, and there may be two solutions of which
the points prefer neither. What is left, in squares, is therefore looked at far away, too::

    |z|² + b.(2 (r + J z) + b) - what all other unknowns take of b

with z distances in sigmas, J their linear effect, r what is left of the points now, and b(z) what is bent of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from ..base.arrays import Floats, Ints
from ..fitting.spline.basis import Axis
from .geometry import two_theta
from .witness import RingWitness

#: Distances known better than this, in parts of them, are held.
_KNOWN = 1e-7
#: Squares at two sigma that differ by less from the 4 of a straight mode make no difference.
_STRAIGHT = 0.4
#: Distances are drawn at these scales, sigmas, so many times each: a second solution was seen at 14.
_SCALES, _DRAWS = (1.0, 2.0, 4.0, 8.0), 300


def widened(witness: RingWitness, y: Axis, x: Axis, covariance: Floats) -> Floats:
    """(U, U) covariance of the shared unknowns, with the mean square about the solution that the distances have."""
    n, many = len(covariance), len(witness.images)
    whole = witness.equations(y, x).covariance(covariance)
    at = n + len(witness.depth) + 5 * np.arange(many)
    variance, modes = np.linalg.eigh(whole[np.ix_(at, at)])
    free = variance > (_KNOWN * witness.geometry[:, 0].mean()) ** 2
    along = whole[:, at] @ modes[:, free] / np.sqrt(variance[free])
    rows = sparse.vstack([witness.rows(k, y, x) for k in range(many)]).tocsr()
    now = [(witness.places(p.yx), witness.moves(k, y, x), witness.depths(p.yx)) for k, p in enumerate(witness.images)]
    weight, off = (np.concatenate([getattr(s, c) for s in witness.seen])[:, None] for c in ("weight", "off"))

    def squares(held: Ints, z: Floats) -> Floats:
        """(S,) for distances (S, M)."""
        by = along[:, held] @ z.T
        linear = rows @ by
        bent = np.stack([_off(witness, now, one) for one in by.T], axis=1) - off - linear
        pull = rows.T @ (weight * bent)
        taken = (pull * (whole @ pull)).sum(axis=0) - ((along[:, held].T @ pull) ** 2).sum(axis=0)
        return np.asarray((z**2).sum(axis=1) + (weight * bent * (2 * (off + linear) + bent)).sum(axis=0) - taken)

    two = np.array([[-2.0], [2.0]])
    held = np.array([k for k in range(free.sum()) if np.ptp([*squares(np.array([k]), two), 4.0]) > _STRAIGHT], int)
    if not len(held):
        return covariance
    scale, m = np.repeat(_SCALES, _DRAWS)[:, None], len(held)
    z = np.random.default_rng(0).standard_normal((len(scale), m)) * scale
    square = (z**2).sum(axis=1, keepdims=True)
    drawn = sum(np.exp(-0.5 * square / one**2) / one**m for one in _SCALES).ravel()
    left = squares(held, z)
    share = np.exp((left.min() - left) / 2) / drawn
    spread = (z * (share / share.sum())[:, None]).T @ z
    part = along[:n, held]
    return np.asarray(covariance + part @ (spread - np.eye(m)) @ part.T)


def _off(witness: RingWitness, now: Sequence[tuple[Floats, sparse.csr_matrix, Floats]], by: Floats) -> Floats:
    """(N,) how far the points of all images are off, px, where all unknowns are elsewhere by so much; of each image
    where the points are, m, and how shared unknowns move them, px, and depths, m."""
    n, many = now[0][1].shape[1], len(now)
    depth, geometry = by[n : -5 * many], witness.geometry + by[-5 * many :].reshape(many, 5)
    out = []
    for (places, moves, depths), points, seen, numbers in zip(now, witness.images, witness.seen, geometry, strict=True):
        flat = places[:, :2] + (moves @ by[:n]).reshape(2, -1).T * witness.pixel_size
        there = np.column_stack([flat, places[:, 2] + depths @ depth])
        out.append((two_theta(there, numbers) - points.two_theta) / seen.size)
    return np.concatenate(out)
