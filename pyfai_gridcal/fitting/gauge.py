"""The gauge: which rigid motion (and which scale) is not counted as distortion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..base.arrays import AnyArray, Floats, freeze
from ..base.errors import UsageError
from ..base.frames import edge_from_index, raster_places
from ..base.geometry import as_pair, turn_matrix
from ..records.distortion import Gauge
from ..records.field import Field, TiledField
from ..records.fit import Lean, Pose
from .rigid import Placement, place

__all__ = ["GaugeChange", "MovedField", "best_gauge", "gauge_point"]


@dataclass(frozen=True, eq=False)
class MovedField:
    """Another field after the corrected places p became ``matrix @ p + shift`` (px, index frame)."""

    inner: Field
    matrix: Floats
    shift: Floats

    def __post_init__(self) -> None:
        freeze(self, 2, "matrix")
        freeze(self, 1, "shift")

    def at(self, yx: AnyArray) -> Floats:
        yx = np.asarray(yx, float).reshape(-1, 2)
        return np.asarray((yx + self.inner.at(yx)) @ self.matrix.T + self.shift - yx)

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        place = raster_places(np.asarray(y, float), np.asarray(x, float))
        return np.asarray((place + self.inner.on_grid(y, x)) @ self.matrix.T + self.shift - place)


@dataclass(frozen=True, eq=False)
class GaugeChange:
    """A turn, a shift and a new pixel size of the corrected frame.

    Attributes
    ----------
    turn : pose of the old plane on the new one
    old, new : pixel size (slow, fast) before and after, metres
    """

    turn: Pose
    old: tuple[float, float]
    new: tuple[float, float]

    @property
    def matrix(self) -> Floats:
        """(2, 2) what it does to corrected px."""
        return turn_matrix(self.turn.angle_rad) * np.asarray(self.old)[None, :] / np.asarray(self.new)[:, None]

    @property
    def shift(self) -> Floats:
        """(2,) px, with :attr:`matrix`: new = matrix @ old + shift, index frame."""
        zero = edge_from_index(np.zeros((1, 2))) * self.old
        return self.turn.corrected(zero, self.new)[0]

    def field(self, field: Field) -> Field:
        """A displacement field in the new gauge."""
        if isinstance(field, TiledField):
            return TiledField(field.labels, tuple(self.field(f) for f in field.fields))
        own = getattr(field, "moved", None)
        return own(self.matrix, self.shift) if own is not None else MovedField(field, self.matrix, self.shift)

    def pose(self, pose: Pose) -> Pose:
        """Placement of a plate in the new gauge."""
        turn, lean = turn_matrix(self.turn.angle_rad), pose.lean
        shift = turn @ pose.shift_m + self.turn.shift_m
        if lean is not None:
            foot = as_pair(turn @ lean.foot_m + self.turn.shift_m)
            lean = Lean(as_pair(turn @ lean.tilt_rad), lean.source_m, foot)
        return Pose(pose.angle_rad + self.turn.angle_rad, (float(shift[0]), float(shift[1])), lean)


def gauge_point(gauge: Gauge, shape: tuple[int, int]) -> tuple[float, float] | None:
    """The pixel (y, x) that a gauge keeps in place, index frame, None for the least displacement."""
    if isinstance(gauge, str) and gauge == "least displacement":
        return None
    if isinstance(gauge, str) and gauge in ("centre", "center"):
        return (shape[0] - 1) / 2, (shape[1] - 1) / 2
    point = () if isinstance(gauge, str) else tuple(float(v) for v in gauge)
    if len(point) != 2 or not np.isfinite(point).all():
        raise UsageError(f"gauge {gauge!r}", expected="'least displacement', 'centre' or a pixel (y, x)")
    return point


def gauge_words(gauge: Gauge, shape: tuple[int, int], *, nominal: bool) -> str:
    """What is fixed, in words for the file."""
    point = gauge_point(gauge, shape)
    size = "pixel size as given" if nominal else "pixel size of the least displacement"
    if point is None:
        return f"least displacement over the valid pixels; {size}"
    if not nominal:
        size = "pixel size of that place"
    return f"no displacement and no turn at pixel (y, x) = ({point[0]:g}, {point[1]:g}); {size}"


def best_gauge(
    field: Field, yx: Floats, pixel_size: tuple[float, float], *, gauge: Gauge, shape: tuple[int, int], nominal: bool
) -> GaugeChange:
    """The change that brings a field into the gauge asked for.

    Parameters
    ----------
    field : displacement with respect to `pixel_size`
    yx : (N, 2) points that stand for the valid pixels, px
    pixel_size : (slow, fast) metres
    gauge : "least displacement", "centre" or a pixel (y, x)
    shape : of the detector
    nominal : keep the pixel size
    """
    point = gauge_point(gauge, shape)
    if point is not None:
        near = raster_places(*[np.arange(-1.0, 2.0)] * 2).reshape(-1, 2)
        yx = np.asarray(point) + near
    corrected = yx + field.at(yx)
    found = place(edge_from_index(corrected) * pixel_size, yx, pixel_size=pixel_size if nominal else None)
    turn = found.pose
    if point is not None:
        turn = _pinned(found, edge_from_index(corrected[4]) * pixel_size, edge_from_index(np.asarray(point)))
    return GaugeChange(turn, pixel_size, found.pixel_size)


def _pinned(found: Placement, from_m: Floats, to_px: Floats) -> Pose:
    """The same turn with the shift that brings one place exactly where it shall be."""
    angle = found.pose.angle_rad
    shift = to_px * found.pixel_size - turn_matrix(angle) @ from_m
    return Pose(angle, (float(shift[0]), float(shift[1])))
