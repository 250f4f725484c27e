"""Places that lean to a sub-pixel phase, put right by neighbours of other phases.

Where holes are sharp for the pixels, a profile that is a little too wide or too narrow draws places to the middles of
pixels or to their borders, and what it leaves over hardly tells: the *pixel-phase error* of undersampled stars (J.
Anderson, I. R. King, PASP 112 (2000) 1360, doi:10.1086/316632). There other exposures tell, here the neighbours do: a
second difference along a row of the lattice knows nothing of a field that is smooth, nor of where modules lie, but
holds what the phases of three holes do to these.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..base.arrays import AnyArray, Floats
from ..base.robust import cauchy_weights
from ..records.nodes import NodeTable
from ..records.points import ControlPoints
from ..records.spots import Spots

__all__ = ["without_phases"]

#: Harmonics of the period of a pixel: sharp rims have some.
_HARMONICS = 4
#: Differences that are asked, at most: more would say the same.
_MOST = 20_000
#: What phases do must change by so much from hole to hole, in units of its amplitude, of which four are possible: else
#: it is as smooth as a field.
_CHANGES = 1.0
#: Chi square, of four numbers, from which on places lean: chance makes it once in ten million.
_SURE = 40.0
#: Usual lean of sharp holes, px: harmonics that the differences hardly tell of are not thought to be larger; and the
#: largest that a picture of a hole makes: what seems larger is something else.
_USUAL, _LARGEST = 0.005, 0.15
#: Parts of the lattice along an axis: what differs from part to part tells how sure a lean is, since neighbours share
#: noise, and what a field bends.
_PARTS = 6


def without_phases(spots: Spots, points: ControlPoints) -> Spots:
    """The spots where they are when what their sub-pixel phases make is taken away; the same where that is nothing.

    Parameters
    ----------
    points : those on the lattice, with their nodes
    """
    yx, sigma = spots.yx.copy(), spots.sigma_yx.copy()
    ways = _rows_of_three(points)
    low, high = points.ij.min(axis=0), points.ij.max(axis=0) + 1
    part = ((points.ij - low) * _PARTS // (high - low)) @ (_PARTS, 1)
    for axis in (0, 1):
        found = _lean(points.yx[:, axis], points.sigma_yx[:, axis], ways, part)
        if found is not None:
            size, covariance = found
            waves = _waves(yx[:, axis])
            yx[:, axis] -= waves @ size
            sigma[:, axis] = np.sqrt(sigma[:, axis] ** 2 + np.einsum("nk,kl,nl->n", waves, covariance, waves))
    return replace(spots, yx=yx, sigma_yx=sigma)


def _waves(at: Floats) -> Floats:
    """(..., harmonics) what symmetric pixels may do to coordinates (...), px: nothing in middles and on borders."""
    return np.asarray(np.sin(2 * np.pi * at[..., None] * np.arange(1, _HARMONICS + 1)))


def _changes(three: Floats) -> Floats:
    """(M, harmonics) second differences of such waves at three coordinates (3, M) in a row; at the straight line
    through these, whose noise has nothing in common with that of their own second difference."""
    step = 0.5 * (three[2] - three[0])[:, None] * np.arange(1, _HARMONICS + 1)
    return np.asarray(2 * (np.cos(2 * np.pi * step) - 1) * _waves(three.mean(axis=0)))


def _rows_of_three(points: ControlPoints) -> tuple[AnyArray, AnyArray]:
    """Rows (3, M) of whole points that follow one another along either axis of the lattice, some of many."""
    table = NodeTable.of(points.ij)

    def along(step: tuple[int, int]) -> AnyArray:
        line = table.line(points.ij, step)
        triples = np.stack([line[-1], line[0], line[1]])
        triples = triples[:, (triples >= 0).all(axis=0)]
        triples = triples[:, (points.flags[triples] == 0).all(axis=0)]
        return triples[:, :: triples.shape[1] // _MOST + 1]

    return along((1, 0)), along((0, 1))


def _lean(at: Floats, sigma: Floats, ways: tuple[AnyArray, AnyArray], part: AnyArray) -> tuple[Floats, Floats] | None:
    """Amplitudes (harmonics,) by which coordinates (N,) of this `sigma` (N,) lean, px, and their covariance; None where
    the second differences of triples (3, M) along two `ways` tell of nothing.

    The covariance is that of parts (N,) which err each in its own way (K.-Y. Liang, S. L. Zeger, Biometrika 73 (1986)
    13, doi:10.1093/biomet/73.1.13).
    """
    many = [t for t in ways if t.shape[1] >= 10 * _HARMONICS]
    told = [t for t in many if np.median(np.abs(_changes(at[t])).max(axis=1)) > _CHANGES]
    if not told:
        return None
    triples = np.concatenate(told, axis=1)
    rows, change = _changes(at[triples]), np.array([1, -2, 1]) @ at[triples]
    noise = np.sqrt(np.array([1, 2, 1]) ** 2 @ sigma[triples] ** 2)
    # what the field bends, where modules jump, and what plates err adds to the noise: what is usual of it is learned
    left = change / noise
    for _ in range(5):
        weight = cauchy_weights(np.abs(left)) / noise**2
        square = float(np.average(left**2, weights=weight * noise**2))
        normal = rows.T @ (rows * weight[:, None]) + square / _USUAL**2 * np.eye(_HARMONICS)
        size = np.linalg.solve(normal, rows.T @ (weight * change))
        left = (change - rows @ size) / noise
    pull, where = rows * (weight * noise * left)[:, None], part[triples[1]]
    sums = np.stack([np.bincount(where, column) for column in pull.T])
    apart = np.linalg.solve(normal, sums)
    covariance = apart @ apart.T
    sure = float(size @ np.linalg.solve(covariance, size)) > _SURE
    return (size, covariance) if sure and np.abs(size).sum() < _LARGEST else None
