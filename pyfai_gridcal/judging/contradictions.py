"""Where holes were seen that are not where the field has them: what lies between the others is not known there.

A single spot that does not fit is a fault of its own. Several beside each other, on nodes among others that fit, show
something that the field does not follow: a drop on the window, a blister, rows that were read out displaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from ..base.arrays import Bools, Floats
from ..base.frames import raster_places
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


def without_contradicted(fit: DistortionFit, spots: Sequence[Spots]) -> DistortionFit:
    """The fit, masked around groups of spots that it does not explain; tiles have holes that their seams cut."""
    d = fit.distortion
    if d.is_tiled:
        return fit
    unknown, count = np.zeros(d.shape, bool), 0
    for points, used, found in zip(fit.points, fit.used, spots, strict=True):
        pitch = min(points.pitch_px)
        places = _together(_unexplained(points, used, found), int(used.sum()), pitch)
        count += len(places)
        for place in places:
            low = np.maximum(np.floor(place - _CELL * pitch).astype(int), 0)
            box = tuple(slice(a, b) for a, b in zip(low, np.ceil(place + _CELL * pitch).astype(int) + 1, strict=True))
            y, x = (np.arange(n, dtype=float)[part] for n, part in zip(d.shape, box, strict=True))
            unknown[box] |= np.hypot(*np.moveaxis(raster_places(y, x) - place, -1, 0)) < _CELL * pitch
    if not count or (unknown if d.mask is None else unknown | d.mask).all():
        return fit
    note = f"{count} holes that lie beside each other contradict the field: masked there"
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
