"""Where holes were seen that are not where the field has them: what lies between the others is not known there.

A single spot that does not fit is a fault of its own. Several beside each other, on nodes among others that fit, show
something that the field does not follow: a drop on the window, a blister, rows that were read out displaced; many along
a line, a crease or a stria.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from ..base.arrays import Bools, Floats
from ..base.frames import raster_places
from ..records.field import TiledField
from ..records.fit import DistortionFit
from ..records.nodes import NodeTable
from ..records.points import ControlPoints
from ..records.spots import Spots
from .regularities import steps_from, surrounded

__all__ = ["without_contradicted"]

#: Neighbours are those of the first two rings, 20 nodes within so many pitches; and what an unused hole would have
#: told of, up to its neighbours' neighbours that did.
_RINGS, _AROUND, _CELL = 2.3, 20, 1.5
#: Fewest others that make a group, and by how many times its scatter it must exceed what faults of single holes make.
_GROUP, _CHANCE = 2, 2.5
#: A line is as wide to either side, in pitches; fewest holes along it, and by how many times its scatter they must
#: exceed what chance puts there: a hundred holes, whose pairs make 5000 lines, do so in one of hundreds of images.
_WIDE, _LINE, _SURE = 0.75, 7, 5.0
#: Most holes whose pairs are looked at.
_MOST = 150
#: Holes are at most half a pitch wide: beyond that from a seam none is cut.
_CUT = 0.5


def without_contradicted(fit: DistortionFit, spots: Sequence[Spots]) -> DistortionFit:
    """The fit, masked around groups and along lines of spots that it does not explain."""
    d = fit.distortion
    unknown, count = np.zeros(d.shape, bool), 0
    for points, used, found in zip(fit.points, fit.used, spots, strict=True):
        pitch = min(points.pitch_px)
        every = _unexplained(points, used, found)
        if isinstance(d.field, TiledField):
            every = every[_far_from_seams(d.field, every) > _CUT * pitch]
        places, along = _together(every, int(used.sum()), pitch), _in_line(every, d.shape, pitch)
        count += len(np.unique(np.concatenate([places, along]), axis=0))
        # a line is so everywhere, whether there is a hole or not
        for place in np.concatenate([places, _filled(along, pitch)]):
            low = np.maximum(np.floor(place - _CELL * pitch).astype(int), 0)
            box = tuple(slice(a, b) for a, b in zip(low, np.ceil(place + _CELL * pitch).astype(int) + 1, strict=True))
            y, x = (np.arange(n, dtype=float)[part] for n, part in zip(d.shape, box, strict=True))
            unknown[box] |= np.hypot(*np.moveaxis(raster_places(y, x) - place, -1, 0)) < _CELL * pitch
    if not count or (unknown if d.mask is None else unknown | d.mask).all():
        return fit
    note = f"{count} holes that lie beside each other or in a line contradict the field: masked there"
    masked = replace(d, mask=unknown if d.mask is None else unknown | d.mask)
    return replace(fit, distortion=masked, notes=(*fit.notes, note))


def _unexplained(points: ControlPoints, used: Bools, spots: Spots) -> Floats:
    """Places (K, 2) px of spots that hold a node among used ones, but are not used; dirt between holes holds none."""
    rest = np.ones(len(spots), bool)
    rest[points.spot[used]] = False
    yx = spots.yx[rest]
    if len(yx) <= _GROUP:
        return yx[:0]
    table = NodeTable.of(points.ij[used])
    have = table.cells >= 0
    among = surrounded(have) & ~have
    good = points.select(used)
    near, _, steps = steps_from(good, yx)
    node = good.ij[near] + np.rint(steps).astype(int)
    at = np.clip(node - table.low, 0, np.array(have.shape) - 1)
    return yx[among[tuple(at.T)]]


def _together(places: Floats, used: int, pitch: float) -> Floats:
    """Those of the places that have more others beside them than faults of single holes would by chance."""
    if len(places) <= _GROUP:
        return places[:0]
    expected = _AROUND * len(places) / (len(places) + used)
    others = cKDTree(places).query_ball_point(places, _RINGS * pitch, return_length=True) - 1
    return places[others >= max(_GROUP, expected + _CHANCE * np.sqrt(expected))]


def _far_from_seams(field: TiledField, yx: Floats) -> Floats:
    """Distance (K,) px of the pixels at places (K, 2) from the nearest one beside another tile."""
    behind = field.borders()[1]
    at = np.clip(np.rint(yx), 0, np.array(field.labels.shape) - 1)
    return np.asarray(cKDTree(behind).query(at)[0]) if len(behind) else np.full(len(yx), np.inf)


def _in_line(places: Floats, shape: tuple[int, int], pitch: float) -> Floats:
    """Those of the places (K, 2) px that lie along the straight line which more of them share than chance puts there;
    none where there is no such line."""
    some = places[:: len(places) // _MOST + 1]
    if len(some) < _LINE:
        return places[:0]
    one, other = (some[k] for k in np.triu_indices(len(some), 1))
    way = other - one
    away = (some[None] - one[:, None]) @ np.array([[0.0, -1.0], [1.0, 0.0]])
    off = np.abs((away * way[:, None]).sum(axis=2)) / np.maximum(np.hypot(*way.T), 1e-9)[:, None]
    best = np.count_nonzero(off < _WIDE * pitch, axis=1).argmax()
    direction = way[best] / max(float(np.hypot(*way[best])), 1e-9)
    across = (places - one[best]) @ (direction[::-1] * (1, -1))
    chosen = places[np.abs(across) < _WIDE * pitch]
    chance = len(places) * min(2 * _WIDE * pitch * float(np.hypot(*shape)) / (shape[0] * shape[1]), 1.0)
    if len(chosen) < max(_LINE, chance + _SURE * np.sqrt(chance)):
        return places[:0]
    return chosen


def _filled(along: Floats, pitch: float) -> Floats:
    """Places (M, 2) px half a pitch apart along a line of holes (K, 2), on both sides as much farther as these are
    apart at most: nobody has seen that it ends there."""
    if not len(along):
        return along
    middle = along.mean(axis=0)
    direction = np.linalg.svd(along - middle)[2][0]
    at = np.sort((along - middle) @ direction)
    gap = float(np.diff(at).max())
    return np.asarray(middle + np.arange(at[0] - gap, at[-1] + gap, 0.5 * pitch)[:, None] * direction)
