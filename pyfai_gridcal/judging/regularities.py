"""Figures about spots, lattice and residuals from which it can be told whether a calibration is to be trusted.

Every function answers one question with one number; what is too much is decided in
:mod:`~pyfai_gridcal.judging.limits`.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..base.arrays import AnyArray, Bools, Floats, length
from ..base.errors import IndexingError
from ..base.geometry import tree_of
from ..base.robust import spread
from ..indexing.indexing import index_spots
from ..indexing.nodes import local_bases
from ..indexing.regularity import regularity_of
from ..records.distortion import Distortion
from ..records.field import TiledField
from ..records.nodes import NodeTable
from ..records.plate import Plate
from ..records.points import ControlPoints
from ..records.spots import HoleProfile, Spots
from .measures import pairs_of_nodes

#: Steps to the neighbours along both axes of the lattice.
_STEPS = ((1, 0), (0, 1))
#: Fewest pairs of neighbours that tell of two kinds of holes.
_FEWEST_PAIRS = 24
#: Places of a tile are known where their uncertainty is below this part of the pitch: a third of what is doubted.
_SETTLED = 0.1
#: So many spots tell what is usual among them to two per cent.
_SOME = 4000


# ----------------------------------------------------------------------------------------------- what a spot looks like
def angular_structure(profile: HoleProfile, aspect: float = 1.0) -> dict[int, float]:
    """How far a hole is from round: rms of its angular harmonics relative to the round part.

    Parameters
    ----------
    aspect : of a pixel, slow over fast: an oval in pixels may be round in real lengths

    Harmonic 2 is an oval (pixels that are not square, a tilted plate, motion), 4 a square (cells between lines, a
    chessboard), 6 a hexagon or a triangle; odd ones do not exist since the profile is symmetric about its centre.

    Returns
    -------
    {2: ..., 4: ..., 6: ..., 8: ...}, 0 for a disk
    """
    radius, values = _rings(profile, aspect)
    power = 2 * np.abs(np.fft.rfft(values, axis=1) / values.shape[1]) ** 2
    mean = values.mean(axis=1)
    whole = float((radius * (mean - mean[-1]) ** 2).sum())
    return {m: float(np.sqrt((radius * power[:, m]).sum() / max(whole, 1e-12))) for m in (2, 4, 6, 8)}


def copy_share(profile: HoleProfile, within: float, aspect: float = 1.0) -> float:
    """Light, relative to that of a hole, of a copy beside it that all holes have; 0 for none. The profile, symmetric
    about its centre, has half of it on either side.

    It is looked for `within` px, half way to the next hole; `aspect` is that of a pixel, slow over fast.
    """
    radius, values = _rings(profile, aspect)
    radius, values = radius[radius <= within], values[radius <= within]
    usual = np.median(values, axis=1)
    half, tenth = (radius[usual >= part * usual.max()][-1] for part in (0.5, 0.1))
    # beyond corners and the ends of ovals by twice as much as it takes to fall to a tenth there is nothing of the hole
    rim = radius[values.max(axis=1) >= 0.5 * usual.max()][-1]
    beyond = (values - usual[:, None])[radius > rim + 2 * (tenth - half)]
    return 2 * float(max(beyond.max(initial=0.0), 0.0))


def _rings(profile: HoleProfile, aspect: float) -> tuple[Floats, Floats]:
    """Radii (R,) px, and the profile on these all around, (R, 64); a round hole is on pixels of this `aspect`, too."""
    table, s = profile.table, profile.oversampling
    middle = table.shape[0] // 2
    radius = np.arange(1, int(4 * profile.reach) - 1) / 4
    turn = np.arange(64) / 64 * 2 * np.pi
    scale = np.sqrt([aspect, 1 / aspect]) * max(aspect, 1 / aspect) ** 0.5
    places = [middle + s * radius[:, None] * f(turn)[None, :] / k for f, k in zip((np.sin, np.cos), scale, strict=True)]
    return radius, np.asarray(ndimage.map_coordinates(table, places, order=1))


def profile_misfit(spots: Spots) -> Floats:
    """(N,) rms of what the fit of the profile leaves over beyond the noise, in units of the amplitude; 0 without
    noise model."""
    if spots.noise is None or not len(spots):
        return np.zeros(len(spots))
    sign = 1 if spots.polarity == "bright" else -1
    variance = spots.noise.variance(spots.background + 0.5 * sign * spots.amplitude)
    out: Floats = np.sqrt(np.maximum(spots.chi2 - 1, 0) * variance) / np.maximum(spots.amplitude, 1e-9)
    return out


def amplitude_scatter(spots: Spots, *, neighbours: int = 8) -> float:
    """Robust relative scatter of the amplitudes about those of the neighbours: holes of one plate are alike."""
    if len(spots) < neighbours + 1:
        return 0.0
    some = np.arange(0, len(spots), max(1, len(spots) // _SOME))
    _, near = tree_of(spots.yx).query(spots.yx[some], k=neighbours + 1)
    level = np.log(np.maximum(spots.amplitude, 1e-9))
    return spread(level[some] - np.median(level[np.asarray(near)], axis=1), about=0.0)


def two_kinds(points: ControlPoints, spots: Spots) -> float:
    """Relative difference of the amplitudes of holes that alternate along a row: 0 when it is no more than noise.

    Holes of two sizes, in turns, are fitted with one profile, so their amplitudes differ.
    """
    level, found = np.log(np.maximum(spots.amplitude[points.spot], 1e-9)), 0.0
    for axis, step in enumerate(_STEPS):
        a, b = pairs_of_nodes(points.ij, step)
        difference = level[b] - level[a]
        if len(a) < _FEWEST_PAIRS:
            continue
        # steps of the light, and odd holes, are rare and not in turns
        difference = np.clip(difference, -0.7, 0.7)
        for place in (points.ij[a, axis], points.ij[a].sum(axis=1)):
            turns = np.where(place % 2, -difference, difference)
            mean, error = abs(float(turns.mean())), float(turns.std() / np.sqrt(len(turns)))
            found = max(found, mean if mean > 5 * error else 0.0)
    return found


# ----------------------------------------------------------------------------------------------- the lattice
def hole_share(points: ControlPoints, spots: Spots) -> float:
    """Share of the plate that is hole: 0 where the size of holes is not known."""
    cell = abs(float(np.linalg.det(points.basis_px)))
    return float(np.nan_to_num(np.pi / 4 * spots.hole_px**2 / cell))


def lattice_fill(points: ControlPoints) -> float:
    """Share of nodes that hold a point, among those between points of the same row and of the same column."""
    have = NodeTable.of(points.ij).cells[1:-1, 1:-1] >= 0
    inside = surrounded(have)
    return float(have[inside].mean()) if inside.any() else 0.0


def surrounded(have: Bools) -> Bools:
    """Which nodes of a table lie on, or between, those of the same row and of the same column that it has."""

    def between(axis: int) -> Bools:
        ahead = np.logical_or.accumulate(have, axis=axis)
        behind = np.flip(np.logical_or.accumulate(np.flip(have, axis), axis=axis), axis)
        out: Bools = ahead & behind
        return out

    return between(0) & between(1)


def broken_share(points: ControlPoints, *, limit: float = 0.25) -> float:
    """Share of points farther than `limit` (local pitches) from the middle of two opposite neighbours.

    A row that is counted wrongly stands half a pitch off; a strong field bends a row by a few per cent, and a jump
    between tiles moves the middle by half the jump. 0 when no point has opposite neighbours.
    """
    table = NodeTable.of(points.ij)
    known, wrong = np.zeros(len(points), bool), np.zeros(len(points), bool)
    for step in _STEPS:
        line = table.line(points.ij, step)
        ahead, behind = line[1], line[-1]
        both = (ahead >= 0) & (behind >= 0)
        a, b = points.yx[ahead], points.yx[behind]
        miss = np.hypot(*((a + b) / 2 - points.yx).T)
        known |= both
        wrong |= both & (miss > limit * np.hypot(*(a - b).T) / 2)
    return float(wrong.sum() / max(int(known.sum()), 1))


def pieces(points: ControlPoints, *, gap: int = 2) -> float:
    """Share of the points outside of the largest piece; pieces are apart when more than `gap` nodes without points
    lie between them."""
    have = NodeTable.of(points.ij).cells[1:-1, 1:-1] >= 0
    near = ndimage.binary_dilation(have, np.ones((3, 3), bool), iterations=(gap + 1) // 2)
    labels, _ = ndimage.label(near, structure=np.ones((3, 3)))
    count = np.bincount(labels[have])
    return float(1 - count.max() / count.sum())


def tile_offset(distortion: Distortion, points: ControlPoints) -> float:
    """How far the fields of two tiles are apart along their border, in nodes: the larger coordinate of their mean
    difference, of the pair for which it is largest. Near half a node, a row more or less is as likely. Borders where
    one is not known say nothing.
    """
    field, largest = distortion.field, 0.0
    if not isinstance(field, TiledField):
        return largest
    known, both = _SETTLED * min(points.pitch_px), field.borders()
    if distortion.sigma is not None:
        both = both[:, np.all([length(distortion.sigma.at(one)) < known for one in both], axis=0)]
    pairs = np.sort([field.labels[tuple(one.T)] for one in both], axis=0).T
    for pair in np.unique(pairs, axis=0):
        border = both.mean(axis=0)[(pairs == pair).all(axis=1)]
        if len(border) > min(points.pitch_px):  # tiles that meet in a corner say little
            one, other = (field.fields[k].at(border) for k in pair)
            largest = max(largest, float(np.abs((one - other).mean(axis=0) @ np.linalg.inv(points.basis_px)).max()))
    return largest


def lattice_scale(points: ControlPoints, plate: Plate, pixel_size: tuple[float, float] = (1.0, 1.0)) -> Floats:
    """Local singular values (M, 2) of the plate's image, in units of the pixel size per metre, the larger one first."""
    local = np.linalg.inv(plate.basis) @ (local_bases(points) * np.asarray(pixel_size))
    a, b, c, d = local.reshape(-1, 4).T
    total, difference = np.hypot(a + d, b - c), np.hypot(a - d, b + c)
    return np.stack([total + difference, np.abs(total - difference)], axis=1) / 2


def corrected_anisotropy(scale: Floats) -> float:
    """Ratio of the lattice's longer and shorter :func:`lattice_scale` (M, 2) where it is nearest to 1 (lowest tenth of
    the points).

    Distortion squeezes a grid here and there; a wrong ratio of the pitches or a wrong angle squeezes it everywhere.
    """
    return float(np.quantile(scale[:, 0] / np.maximum(scale[:, 1], 1e-30), 0.1))


# ----------------------------------------------------------------------------------------------- what is not on it
def steps_from(points: ControlPoints, yx: Floats) -> tuple[AnyArray, Floats, Floats]:
    """Row (K,) of the point nearest to each place (K, 2) px, how far it is, in its longer local pitch, and the way from
    it (K, 2) in local steps of i and j."""
    distance, near = tree_of(points.yx).query(yx)
    basis = local_bases(points)[near]
    pitch = np.hypot(*basis.transpose(2, 0, 1))
    flat = np.abs(np.linalg.det(basis)) < 0.05 * pitch.min(axis=1) ** 2
    basis[flat] = points.basis_px
    steps = (yx - points.yx[near])[:, None, :] @ np.linalg.inv(basis)
    return np.asarray(near), distance / pitch.max(axis=1), steps[:, 0]


def _between(points: ControlPoints, spots: Spots) -> AnyArray:
    """Rows of the spots without a node that lie beside points, and not where a node is by a quarter of the pitch."""
    rest = np.ones(len(spots), bool)
    rest[points.spot] = False
    rows = np.flatnonzero(rest)
    if not len(rows) or len(points) < 4:
        return rows[:0]
    _, away, steps = steps_from(points, spots.yx[rows])
    off = np.abs(steps - np.rint(steps)).max(axis=1)
    return rows[(away < 1.1) & (off > 0.25)]


def spots_between(points: ControlPoints, spots: Spots) -> float:
    """Number of spots that lie between the nodes, in units of the number of points."""
    return len(_between(points, spots)) / max(len(points), 1)


def second_lattice(points: ControlPoints, spots: Spots) -> float:
    """Number of spots between the nodes that form a lattice of their own, in units of the number of points."""
    rows = _between(points, spots)
    if len(rows) < max(9, 0.1 * len(points)):
        return 0.0
    try:
        other = index_spots(spots.select(rows))
    except IndexingError:
        return 0.0
    regularity = regularity_of(other, len(rows))
    if regularity.by_chance or not regularity.irregularity < 0.06:
        return 0.0
    return len(other) / len(points)


# ----------------------------------------------------------------------------------------------- residuals
#: Chance alone makes the strongest of a few thousand waves up to 25 times as strong as the mean over nine of them
#: would be, and the rim of the lit area up to 40 times; ripples that a field cannot follow are beyond 80.
_WAVE = 60.0


def ripple(points: ControlPoints, residual_yx: Floats, used: Bools) -> float:
    """The strongest wave in what is left over, px: rms of the vector, 0 when it may be chance.

    Ripples of two to three pitches are as far from what a smooth field follows as errors of the holes are, and turn
    from hole to hole, so that neighbours have nothing in common. As they go on over the image they are no errors of
    single holes, and between the holes they are unknown.

    Parameters
    ----------
    residual_yx : (M, 2) held-out residuals, px
    used : (M,)
    """
    ij, some = points.ij[used], residual_yx[used]
    if len(ij) < 2 * _WAVE:
        return 0.0
    top = 4 * spread(some, about=0.0)
    some = np.clip(some, -top, top)
    table = np.zeros((*(np.ptp(ij, axis=0) + 1), 2))
    table[tuple((ij - ij.min(axis=0)).T)] = some
    power = (np.abs(np.fft.fft2(table, axes=(0, 1))) ** 2).sum(axis=-1)
    # a field that bends the lattice bends its waves, which spreads them over neighbours
    peak = float(ndimage.uniform_filter(power, 3, mode="wrap").max() * 9 / max(power.mean(), 1e-30))
    if peak < _WAVE:
        return 0.0
    # the other half of its power is in the mirrored wave
    return float(np.sqrt(2 * (peak - 9) / power.size * (some**2).sum(axis=1).mean()))
