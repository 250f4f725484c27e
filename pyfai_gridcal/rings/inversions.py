"""Bends of the whole field that rings hardly tell: inversions, which make circles of circles.

They go with tilts and distances. Only what is quadratic in them tells them, so that there may be two solutions of which
the points prefer neither, and equations about one of them tell sigmas that are too small. With z inversions in those
sigmas, what is left in squares is, far from the solution, too::

    |z|² + b.(2 (r + J z) + b) - what all other unknowns take of b

with J the linear effect, r what is left of the points now, and b what is quadratic in z.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from ..base.arrays import Floats
from ..base.threads import one_blas_thread
from ..fitting.plates.beside import Beside
from ..fitting.plates.joint import JointProblem, JointSolution
from ..fitting.spline.basis import Axis
from .bends import bends
from .witness import RingWitness

#: Of the roughness of smooth fields.
_ORDER = 3
#: Inversions are held to a thousandth of a sigma: its power of -2.
_HELD = 1e6
#: Inversions are looked at up to so many sigmas, at these steps: a second solution was seen at 14.
_FAR, _STEP = 20.0, 0.25
#: The mean is the place for another mean, at most so often, unless it moved by less than this part of a sigma: far from
#: a solution more than squares count (once, 85 % of errors in fields of 8 px were within 1.96 sigma, 90 % now).
_TIMES, _STILL = 6, 0.1


def joined(beside: Beside, y: Axis, x: Axis, smoothness: float) -> JointSolution:
    """The solution of what rings say, without a plate."""
    with one_blas_thread():
        return JointProblem(y, x, (), 0, _ORDER, beside=beside).solve(smoothness, 1.0)


def averaged(witness: RingWitness, y: Axis, x: Axis, solution: JointSolution) -> tuple[RingWitness, Floats]:
    """The mean of all that the points allow the inversions to be, and the covariance about it."""
    for _ in range(_TIMES):
        witness, solution, moved = _averaged(witness, y, x, solution)
        if moved < _STILL:
            break
    return witness, solution.covariance


def _averaged(
    witness: RingWitness, y: Axis, x: Axis, solution: JointSolution
) -> tuple[RingWitness, JointSolution, float]:
    """That of squares about a solution: things as they are there, the solution there, and how many sigmas it is off."""
    # along the valley rounds may go to and fro: from where they ended, which is no minimum then, to that of all else
    further = solution.further.copy()
    further[-witness.geometry.size :] = 0.0
    here = _unknowns(solution.coefficients, further)
    solution = joined(witness.beside(y, x), y, x, solution.smoothness)
    covariance, size = solution.covariance, 2 * y.size * x.size
    tells = bends(y, x, witness.aspect)[:2]
    tells = np.linalg.solve(np.linalg.cholesky(tells @ covariance[:size, :size] @ tells.T), tells)
    along = covariance[:, :size] @ tells.T
    step = _unknowns(solution.coefficients, solution.further) - here
    best = tells @ step[:size]
    step -= along @ best

    def moved(by: Floats) -> RingWitness:
        u = here + by
        return witness.after(y, x, u[:size].reshape(2, y.size, x.size).transpose(1, 2, 0), u[size:])

    def off(by: Floats) -> Floats:
        """(N,) of all points, px as they are now."""
        pairs = zip(moved(by).seen, witness.seen, strict=True)
        return np.concatenate([one.off * one.size / seen.size for one, seen in pairs])

    def bent(z1: float, z2: float) -> Floats:
        by = along @ (z1, z2)
        return (off(by) + off(-by)) / 2 - left

    left, weight = (np.concatenate([getattr(seen, name) for seen in witness.seen]) for name in ("off", "weight"))
    one, two, both = bent(1, 0), bent(0, 1), bent(1, 1)
    quadratic = np.stack([one, both - one - two, two], axis=1)
    weighed = weight[:, None] * quadratic
    rows = sparse.vstack([witness.rows(k, y, x) for k in range(len(witness.images))]).tocsr()
    left = left + rows @ step
    pull = rows.T @ weighed
    follow = covariance @ pull - along @ (along.T @ pull)
    # squares at all z, and the share of each
    z = np.stack([g.ravel() for g in np.meshgrid(*[np.arange(-_FAR, _FAR + _STEP, _STEP)] * 2)])
    q = _squares(z)
    linear = 2 * (weighed.T @ left)[:, None] + 2 * (weighed.T @ (rows @ along)) @ z
    square = ((z - best[:, None]) ** 2).sum(axis=0) + (
        q * (linear + (quadratic.T @ weighed - pull.T @ follow) @ q)
    ).sum(axis=0)
    share = np.exp((square.min() - square) / 2)
    share /= share.sum()
    # all else follows the mean of these
    effect, mean = np.hstack([along, -follow]), z @ share
    middle = np.concatenate([mean, _squares(mean)])
    about = np.concatenate([z, q]) - middle[:, None]
    spread = effect @ (about * share) @ about.T @ effect.T
    there = moved(step + effect @ middle)
    # what is more than quadratic: all else once more, with the inversions held
    beside = there.beside(y, x)
    beside.normal[:size, :size] += _HELD * tells.T @ tells
    beside.right[:size] += _HELD * tells.T @ (tells @ here[:size] + mean)
    held = joined(beside, y, x, solution.smoothness)
    new = there.after(y, x, held.coefficients, held.further)
    return new, replace(held, covariance=covariance - along @ along.T + spread), float(np.hypot(*mean))


def _unknowns(coefficients: Floats, further: Floats) -> Floats:
    """(V,) coefficients, all y, then all x, and what is further."""
    return np.concatenate([coefficients.transpose(2, 0, 1).ravel(), further])


def _squares(z: Floats) -> Floats:
    """(3, ...) squares and product of (2, ...)."""
    return np.stack([z[0] * z[0], z[0] * z[1], z[1] * z[1]])
