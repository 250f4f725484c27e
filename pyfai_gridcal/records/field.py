"""Fields: two numbers (dy, dx) as a function of the observed position, px, index frame.

A field is whatever answers :meth:`Field.at` for points and :meth:`Field.on_grid` for the product of two axes. A
displacement field gives ``corrected - observed``; an uncertainty field gives the standard uncertainty of the two
displacements.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Protocol, runtime_checkable

import numpy as np

from ..base.arrays import AnyArray, Floats, freeze, frozen_array, in_a_line
from ..base.errors import UsageError
from ..base.frames import CORNERS, index_from_edge, raster_places

__all__ = [
    "CornerField",
    "Field",
    "SampledField",
    "SumField",
    "TiledField",
    "bracket",
    "by_rows",
    "corner_values",
    "label_at",
    "point_by_point",
    "without_gaps",
]

#: Points at a time, where each needs room for its neighbours and slopes.
_POINTS = 250_000
#: Rows at a time: few enough for the cache, enough for what a field does once for each call.
_ROWS = 64


@runtime_checkable
class Field(Protocol):
    """What every field can do."""

    def at(self, yx: AnyArray) -> Floats:
        """Values (N, 2) at the points `yx` (N, 2), px, index frame."""
        ...

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        """Values (len(y), len(x), 2) at all (y, x) of two axes, px, index frame."""
        ...


def bracket(axis: Floats, at: Floats) -> tuple[AnyArray, Floats]:
    """Left neighbour in `axis` of each value and the fraction towards the right one; linear extrapolation outside."""
    k = np.clip(np.searchsorted(axis, at, side="right") - 1, 0, len(axis) - 2)
    return k, (at - axis[k]) / (axis[k + 1] - axis[k])


@dataclass(frozen=True, eq=False)
class SampledField:
    """A field sampled at the nodes of two axes, bilinear between them.

    Attributes
    ----------
    y, x : (ny,), (nx,) ascending axes, px, index frame
    values : (ny, nx, 2)
    clamp : outside the axes, keep the border value instead of extrapolating linearly
    """

    y: Floats
    x: Floats
    values: Floats
    clamp: bool = False

    __repr__ = in_a_line

    def __post_init__(self) -> None:
        freeze(self, 1, "y", "x")
        freeze(self, 3, "values")
        if self.values.shape != (len(self.y), len(self.x), 2) or len(self.y) < 2 or len(self.x) < 2:
            raise UsageError(
                f"values of shape {self.values.shape} for axes of {len(self.y)} and {len(self.x)} nodes, "
                "expected (ny, nx, 2)"
            )

    def _brackets(self, y: AnyArray, x: AnyArray) -> tuple[AnyArray, Floats, AnyArray, Floats]:
        y, x = np.asarray(y, float), np.asarray(x, float)
        if self.clamp:
            y, x = np.clip(y, self.y[0], self.y[-1]), np.clip(x, self.x[0], self.x[-1])
        return (*bracket(self.y, y), *bracket(self.x, x))

    def at(self, yx: AnyArray) -> Floats:
        yx = np.asarray(yx, float).reshape(-1, 2)
        i, u, j, v = self._brackets(yx[:, 0], yx[:, 1])
        u, v, f = u[:, None], v[:, None], self.values
        return (1 - u) * ((1 - v) * f[i, j] + v * f[i, j + 1]) + u * ((1 - v) * f[i + 1, j] + v * f[i + 1, j + 1])

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        i, u, j, v = self._brackets(y, x)
        rows = self.values[i] * (1 - u)[:, None, None] + self.values[i + 1] * u[:, None, None]
        return rows[:, j] * (1 - v)[None, :, None] + rows[:, j + 1] * v[None, :, None]


@dataclass(frozen=True, eq=False)
class SumField:
    """Sum of fields."""

    fields: tuple[Field, ...]

    def at(self, yx: AnyArray) -> Floats:
        return reduce(np.add, [field.at(yx) for field in self.fields])

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        return reduce(np.add, [field.on_grid(y, x) for field in self.fields])


def without_gaps(labels: AnyArray) -> AnyArray:
    """Labels (ny, nx) in which pixels without one (negative) take that of the nearest pixel with one."""
    if not (labels < 0).any():
        return labels
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(labels < 0, return_distances=False, return_indices=True)
    return np.asarray(labels[tuple(nearest)])


def label_at(labels: AnyArray, yx: AnyArray) -> AnyArray:
    """Label (N,) of the pixel that each point falls into; points outside belong to the border pixel."""
    k = np.clip(np.rint(np.asarray(yx, float).reshape(-1, 2)).astype(np.int64), 0, np.array(labels.shape) - 1)
    return labels[k[:, 0], k[:, 1]]


@dataclass(frozen=True, eq=False)
class TiledField:
    """One field per tile: mosaics of tapers, module detectors. Nothing is continuous across the border of two tiles.

    Attributes
    ----------
    labels : (ny, nx) tile of each pixel, 0 .. len(fields) - 1; -1 where there is none (the nearest labelled pixel
        decides then)
    fields : one per tile
    """

    labels: AnyArray
    fields: tuple[Field, ...]

    __repr__ = in_a_line

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", frozen_array(without_gaps(np.asarray(self.labels)), np.int16, 2))
        object.__setattr__(self, "fields", tuple(self.fields))

    def label_at(self, yx: AnyArray) -> AnyArray:
        """Tile (N,) of the pixel that each point falls into; points outside belong to the border pixel."""
        return label_at(self.labels, yx)

    def at(self, yx: AnyArray) -> Floats:
        yx = np.asarray(yx, float).reshape(-1, 2)
        label, out = self.label_at(yx), np.empty((len(yx), 2))
        for k in np.unique(label):
            here = label == k
            out[here] = self.fields[k].at(yx[here])
        return out

    def borders(self) -> AnyArray:
        """(2, K, 2) pixels beside each other that belong to different tiles: those before a border, and behind it."""
        sides = []
        for axis in (0, 1):
            before = np.argwhere(np.diff(self.labels, axis=axis))
            sides.append(np.stack([before, before + (np.arange(2) == axis)]))
        return np.concatenate(sides, axis=1)

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        y, x = np.asarray(y, float), np.asarray(x, float)
        i = np.clip(np.rint(y).astype(int), 0, self.labels.shape[0] - 1)
        j = np.clip(np.rint(x).astype(int), 0, self.labels.shape[1] - 1)
        label = self.labels[np.ix_(i, j)]
        out = np.empty((*label.shape, 2))
        for k in np.unique(label):
            here = label == k
            rows, columns = _extent(here)
            out[rows, columns][here[rows, columns]] = self.fields[k].on_grid(y[rows], x[columns])[here[rows, columns]]
        return out

    def corners(self, shape: tuple[int, int]) -> Floats:
        """Values (ny, nx, 4, 2) at the four corners of each pixel, each corner seen from its own pixel's tile."""
        if shape != self.labels.shape:
            raise UsageError(f"shape {shape} for tiles of shape {self.labels.shape}")
        out = np.empty((*shape, 4, 2))
        for k in np.unique(self.labels):
            rows, columns = _extent(self.labels == k)
            here = (self.labels == k)[rows, columns]
            nodes = self.fields[k].on_grid(
                index_from_edge(np.arange(rows.start, rows.stop + 1)),
                index_from_edge(np.arange(columns.start, columns.stop + 1)),
            )
            out[rows, columns][here] = _corners_of_nodes(nodes)[here]
        return out


@dataclass(frozen=True, eq=False)
class CornerField:
    """A field known at the four corners of every pixel (what a detector file holds); bilinear within each pixel.

    Attributes
    ----------
    values : (ny, nx, 4, 2) at the corners A(0,0) B(1,0) C(1,1) D(0,1), px; with a pixel size, where the corners are on
        the detector plane, metres, in the type of the file: half the room
    pixel_size : (slow, fast) metres, of the raster that such places are compared with
    """

    values: AnyArray
    pixel_size: tuple[float, float] | None = None

    __repr__ = in_a_line

    def __post_init__(self) -> None:
        freeze(self, 4, "values", dtype=np.float64 if self.pixel_size is None else self.values.dtype)

    def at(self, yx: AnyArray) -> Floats:
        yx = np.asarray(yx, float).reshape(-1, 2)
        return self._blend(*self._pixel(yx[:, 0], 0), *self._pixel(yx[:, 1], 1))

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        (i, u), (j, v) = self._pixel(np.asarray(y, float), 0), self._pixel(np.asarray(x, float), 1)
        return self._blend(i[:, None], u[:, None], j[None, :], v[None, :])

    def corners(self, shape: tuple[int, int]) -> Floats:
        """Values (ny, nx, 4, 2), as they are stored."""
        if shape != self.values.shape[:2]:
            raise UsageError(f"shape {shape} for corners of shape {self.values.shape}")
        return self.values if self.pixel_size is None else self.of_pixels(*np.ogrid[: shape[0], : shape[1], :4])

    def of_pixels(self, i: AnyArray, j: AnyArray, corner: AnyArray | int) -> Floats:
        """Values (..., 2) at corners (0 to 3) of pixels (i, j), whose arrays numpy brings to one shape."""
        values = self.values[i, j, corner]
        if self.pixel_size is not None:
            values, corner_yx = values / self.pixel_size, np.array(CORNERS)[corner]
            values[..., 0] -= i + corner_yx[..., 0]
            values[..., 1] -= j + corner_yx[..., 1]
        return values

    def _pixel(self, at: Floats, axis: int) -> tuple[AnyArray, Floats]:
        k = np.clip(np.rint(at).astype(np.int64), 0, self.values.shape[axis] - 1)
        return k, at - index_from_edge(k)

    def _blend(self, i: AnyArray, u: Floats, j: AnyArray, v: Floats) -> Floats:
        out: Floats = np.zeros((*np.broadcast_shapes(i.shape, j.shape), 2))
        for corner, (a, b) in enumerate(CORNERS):
            out += ((u if a else 1 - u) * (v if b else 1 - v))[..., None] * self.of_pixels(i, j, corner)
        return out


def _extent(where: AnyArray) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _corners_of_nodes(nodes: Floats) -> Floats:
    """(ny + 1, nx + 1, 2) at the nodes -> (ny, nx, 4, 2) at the corners of the pixels between them."""
    ny, nx = nodes.shape[0] - 1, nodes.shape[1] - 1
    return np.stack([nodes[a : ny + a, b : nx + b] for a, b in CORNERS], axis=2)


def by_rows(field: Field, y: AnyArray, x: AnyArray) -> Iterator[tuple[slice, Floats]]:
    """Go over the product of two axes in pieces that fit the cache: the rows of `y`, and the values there
    (rows, len(x), 2), as :meth:`Field.on_grid` gives them.
    """
    for start in range(0, len(y), _ROWS):
        rows = slice(start, min(start + _ROWS, len(y)))
        yield rows, field.on_grid(y[rows], x)


def point_by_point(field: Field, y: AnyArray, x: AnyArray) -> Floats:
    """Values (len(y), len(x), 2) on the product of two axes of a field that knows no shorter way there."""
    y, x = np.asarray(y, float), np.asarray(x, float)
    out = np.empty((len(y), len(x), 2))
    rows = max(1, _POINTS // max(1, len(x)))
    for start in range(0, len(y), rows):
        part = y[start : start + rows]
        points = raster_places(part, x).reshape(-1, 2)
        out[start : start + rows] = field.at(points).reshape(len(part), len(x), 2)
    return out


def corner_values(field: Field, shape: tuple[int, int]) -> Floats:
    """Values (ny, nx, 4, 2) of any field at the corners of all pixels of an image of this shape."""
    own: Sequence[object] | None = getattr(field, "corners", None)
    if own is not None:
        return field.corners(shape)  # type: ignore[attr-defined]
    nodes = field.on_grid(index_from_edge(np.arange(shape[0] + 1)), index_from_edge(np.arange(shape[1] + 1)))
    return _corners_of_nodes(nodes)
