"""A lattice that holds only every second node.

Where many holes are blocked, the two shortest vectors to neighbours on both sides are often longer than the pitch, and
what grows on them is a sublattice. The spots that it leaves out tell: they lie in the middles of its cells or edges.
"""

from __future__ import annotations

import numpy as np

from ..base.arrays import Floats
from ..base.geometry import tree_of
from .growth import Patch

#: Places within a cell at which the nodes of a finer lattice of two or four times the density lie.
_CLASSES = ((0.5, 0.5), (0.5, 0.0), (0.0, 0.5))
#: How near to them a spot must lie, in nodes, and which part of all spots left out must do so: by chance a sixth would.
_NEAR, _MOST = 0.12, 0.7
#: How far from the patch spots are asked, in nodes: within its cells, not beyond its border.
_AROUND = 1.2
#: Spots left out that are worth a thought, per point of the lattice; dirt is less.
_WORTH = 0.2


def finer(yx: Floats, patch: Patch) -> Floats | None:
    """Matrix (2, 2) that makes the basis of the finer lattice which the spots outside the patch ask for; None: they do
    not.

    Parameters
    ----------
    yx : (N, 2) px, all spots
    patch : the lattice grown so far
    """
    outside = np.ones(len(yx), dtype=bool)
    outside[patch.rows] = False
    rest = yx[outside]
    if len(rest) < max(9, _WORTH * len(patch)):
        return None
    distance, near = (np.asarray(v) for v in tree_of(yx[patch.rows]).query(rest))
    basis = patch.basis[near]
    length = np.hypot(basis[..., 0], basis[..., 1])
    beside = distance < _AROUND * length.max(axis=1)
    beside &= np.abs(np.linalg.det(basis)) > 0.05 * length.prod(axis=1)
    if beside.sum() < max(9, _WORTH * len(patch)):
        return None
    away = (rest - yx[patch.rows[near]])[beside]
    part = np.mod(np.linalg.solve(basis[beside].transpose(0, 2, 1), away[:, :, None])[:, :, 0], 1)
    misses = np.array([np.abs(np.mod(part - c + 0.5, 1) - 0.5).max(axis=1) for c in _CLASSES])
    shares = (misses < _NEAR).mean(axis=1)
    if shares.sum() < _MOST:
        return None
    centred, on_i, on_j = shares > 0.15
    if centred and not (on_i or on_j):
        return np.array([[0.5, 0.5], [-0.5, 0.5]])
    return np.diag([0.5 if on_i or centred else 1.0, 0.5 if on_j or centred else 1.0])


def reduced(basis: Floats) -> Floats:
    """The two shortest vectors (2, 2) of the same lattice, by Gauss's reduction."""
    a, b = np.asarray(basis, dtype=float)
    for _ in range(20):
        if (b**2).sum() < (a**2).sum():
            a, b = b, a
        turns = np.rint((a * b).sum() / max(float((a**2).sum()), 1e-30))
        if not turns:
            break
        b = b - turns * a
    return np.array([a, b])
