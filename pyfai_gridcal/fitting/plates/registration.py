"""Which hole is which: the errors of a plate are its fingerprint, and tell how its exposures hang together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft

from ...base.arrays import Floats, Ints, freeze
from ...base.geometry import turn_matrix
from ...base.robust import NORMAL
from ...records.plate import Plate
from ..recipe import FieldFit
from ..rigid import Placement
from .ordered import ordered_errors

#: A match is believed when it stands out of what chance brings by this many standard deviations: of some 10^5 shifts
#: and turns chance brings less than five ...
SIGNIFICANT = 7.0
#: ... and the next best one, elsewhere, stays below this part of it.
UNIQUE = 0.8
#: Fewest holes that two exposures must share: of fewer, two errors that happen to be large decide.
FEWEST_SHARED = 10


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Errors of holes as one exposure (or a map) shows them.

    Attributes
    ----------
    ij : (M, 2) nodes, in the numbering of that exposure
    error : (M, 2) (y, x) in the plate frame of that exposure, any unit
    weight : (M,) how much each counts, 0..1
    """

    ij: Ints
    error: Floats
    weight: Floats

    def __post_init__(self) -> None:
        freeze(self, 2, "ij", dtype=np.int64)
        freeze(self, 2, "error")
        freeze(self, 1, "weight")

    def renumbered(self, matrix: Ints, offset: Ints, turn: Floats) -> Fingerprint:
        """The same holes with nodes ``ij @ matrix + offset`` and errors turned with them."""
        return Fingerprint(self.ij @ matrix + offset, self.error @ turn.T, self.weight)

    def clipped(self) -> Fingerprint:
        """Without slow trends of the mean and with outliers cut to four times the typical error."""
        error = self.error - np.median(self.error, axis=0)
        top = 4 * NORMAL * float(np.median(np.abs(error))) + 1e-300
        return Fingerprint(self.ij, np.clip(error, -top, top), self.weight)


@dataclass(frozen=True, eq=False)
class Match:
    """How the numbering of one fingerprint goes over into that of another: ``ij @ matrix + offset``.

    Attributes
    ----------
    matrix : (2, 2) integers, one of the turns that map the ideal lattice onto itself
    offset : (2,) integers
    turn : (2, 2) what that turn does to (y, x) on the plate
    significance : of the correlation, in standard deviations of chance
    runner_up : significance of the best match elsewhere
    shared : number of holes in common
    """

    matrix: Ints
    offset: Ints
    turn: Floats
    significance: float
    runner_up: float
    shared: int

    @property
    def certain(self) -> bool:
        """Whether chance and a mix-up can be excluded."""
        return self.significance > SIGNIFICANT and self.runner_up < UNIQUE * self.significance


def symmetry_turns(plate: Plate) -> list[tuple[Ints, Floats]]:
    """Turns that map the ideal lattice onto itself: what they do to indices (from the right) and to (y, x) columns."""
    out = []
    for k in range(plate.symmetry):
        angle = 2 * np.pi * k / plate.symmetry
        turn = turn_matrix(angle)
        matrix = plate.basis @ turn.T @ np.linalg.inv(plate.basis)
        out.append((np.rint(matrix).astype(np.int64), turn))
    return out


def match(known: Fingerprint, new: Fingerprint, plate: Plate) -> Match | None:
    """Best match of a new fingerprint to a known one over all turns of the lattice and all shifts.

    None without overlap.
    """
    known, best, rest = known.clipped(), None, 0.0
    for matrix, turn in symmetry_turns(plate):
        turned = new.clipped().renumbered(matrix, np.zeros(2, np.int64), turn)
        score, shared, first = _correlate(known, turned)
        if not score.size:
            continue
        top = np.unravel_index(int(np.argmax(score)), score.shape)
        value = float(score[top])
        away = score.copy()
        away[max(0, top[0] - 1) : top[0] + 2, max(0, top[1] - 1) : top[1] + 2] = -np.inf
        second = float(away.max()) if np.isfinite(away).any() else 0.0
        if best is None or value > best.significance:
            rest = max(rest, second, best.significance if best else 0.0)
            best = Match(matrix, first + np.array(top), turn, value, rest, round(float(shared[top])))
        else:
            rest = max(rest, value)
    if best is None:
        return None
    return Match(best.matrix, best.offset, best.turn, best.significance, rest, best.shared)


def _correlate(known: Fingerprint, new: Fingerprint) -> tuple[Floats, Floats, Ints]:
    """Significance and shared holes for each shift of the new indices.

    And the shift that the first entry stands for.
    """
    # tables of errors, their squares and the known holes, padded so that no shift wraps around
    low_a, low_b = known.ij.min(axis=0), new.ij.min(axis=0)
    size_a, size_b = known.ij.max(axis=0) - low_a + 1, new.ij.max(axis=0) - low_b + 1
    size = size_a + size_b - 1
    shape = tuple(fft.next_fast_len(int(n), real=True) for n in size)

    def spectra(print_: Fingerprint, low: Ints) -> list[Floats]:
        tables = np.zeros((5, *shape))
        at = tuple((print_.ij - low).T)
        w = print_.weight
        for k in range(2):
            tables[k][at] = w * print_.error[:, k]
            tables[3 + k][at] = (w * print_.error[:, k]) ** 2
        tables[2][at] = (w > 0).astype(float)
        return list(fft.rfft2(tables))

    a, b = spectra(known, low_a), spectra(new, low_b)

    def product(p: Floats, q: Floats) -> Floats:
        full = fft.irfft2(p * np.conj(q), shape)
        rows, columns = (np.arange(-(nb - 1), na) % n for na, nb, n in zip(size_a, size_b, shape, strict=True))
        return np.asarray(full[np.ix_(rows, columns)])

    shared = product(a[2], b[2])
    total = product(a[0], b[0]) + product(a[1], b[1])
    # if the errors had nothing to do with each other, each term of the sum would have this variance
    variance = product(a[3], b[3]) + product(a[4], b[4])
    ok = shared > FEWEST_SHARED - 0.5
    score = np.where(ok, total / np.sqrt(np.maximum(variance, 1e-300)), -np.inf)
    # a sum of products cannot exceed the root of their number by more than all of them agreeing
    score = np.where(ok, np.minimum(score, np.sqrt(2 * np.maximum(shared, 1))), -np.inf)
    first = low_a - low_b - (size_b - 1)
    return (score if ok.any() else np.zeros((0, 0))), shared, np.asarray(first)


def register(prints: Sequence[Fingerprint], plate: Plate, *, first: int | None = None) -> list[Match | None]:
    """How each exposure's numbering goes over into that of one of them: `first`, or else the first with many holes.

    Exposures are added one at a time, the most certain first, to the map of all before, so that each needs to share
    holes with one of the others only. None stands for an exposure that fits to none.
    """
    count = len(prints)
    unit = (np.eye(2, dtype=np.int64), np.zeros(2, np.int64), np.eye(2))
    out: list[Match | None] = [None] * count
    sizes = [len(p.ij) for p in prints]
    start = first % count if first is not None else 0
    if first is None and sizes[0] < 0.5 * max(sizes):
        start = int(np.argmax(sizes))
    out[start] = Match(*unit, np.inf, 0.0, len(prints[start].ij))
    # the map of all exposures before, to which one more is added each time
    known = prints[start].clipped()
    while True:
        waiting = [k for k in range(count) if out[k] is None]
        found = [(k, match(known, prints[k], plate)) for k in waiting]
        good = [(k, m) for k, m in found if m is not None and m.certain]
        if not good:
            return out
        k, m = max(good, key=lambda item: item[1].significance)
        out[k] = m
        known = _merged(known, prints[k].clipped().renumbered(m.matrix, m.offset, m.turn))


def _merged(a: Fingerprint, b: Fingerprint) -> Fingerprint:
    """Mean of two fingerprints where both know a hole."""
    ij = np.concatenate([a.ij, b.ij])
    nodes, row = np.unique(ij, axis=0, return_inverse=True)
    row = row.reshape(-1)
    weight = np.bincount(row, np.concatenate([a.weight, b.weight]), len(nodes))
    error = np.stack(
        [
            np.bincount(row, np.concatenate([a.weight * a.error[:, k], b.weight * b.error[:, k]]), len(nodes))
            for k in range(2)
        ],
        axis=1,
    )
    return Fingerprint(nodes, error / np.maximum(weight, 1e-12)[:, None], np.minimum(weight, 1.0))


def map_print(plate: Plate) -> Fingerprint | None:
    """The known errors of a plate as a fingerprint, None without any."""
    if plate.error_ij is None or plate.error_yx is None or len(plate.error_ij) < 3:
        return None
    parts = ordered_errors(plate)
    # what is smooth, each exposure takes for distortion
    error = plate.error_yx if parts is None else plate.error_yx - parts.smooth
    return Fingerprint(plate.error_ij, error, np.ones(len(plate.error_ij)))


def fingerprint(ij: Ints, start: Placement, fit: FieldFit) -> Fingerprint:
    """Errors of the holes as a fit to one exposure with the ideal plate leaves them, metres, plate frame."""
    error = (fit.held_out * start.pixel_size) @ turn_matrix(start.pose.angle_rad)
    return Fingerprint(ij, error, fit.used.astype(float))


def located(ij: Ints, plate: Plate, start: Placement, fit: FieldFit) -> Match | None:
    """Where on the map of its plate an exposure lies, None if that cannot be told."""
    known = map_print(plate)
    found = match(known, fingerprint(ij, start, fit), plate) if known is not None else None
    return found if found is not None and found.certain else None
