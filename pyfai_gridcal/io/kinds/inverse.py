"""The displacement the other way round: as a function of where a point should be instead of where it was seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import RectBivariateSpline

from ...base.arrays import AnyArray, Floats
from ...base.errors import FittingError
from ...base.frames import index_from_edge, raster_places
from ...records.field import Field, point_by_point
from ...records.inverse import newton


@dataclass(frozen=True, eq=False)
class ExtendedField:
    """A field that goes on linearly outside of where it is known, so that its inverse is smooth there.

    Attributes
    ----------
    field : known inside
    low, high : (y, x) of the first and the last corner of where it is known, px, index frame
    """

    field: Field
    low: tuple[float, float]
    high: tuple[float, float]

    def at(self, yx: AnyArray) -> Floats:
        yx = np.asarray(yx, float).reshape(-1, 2)
        inside = np.clip(yx, self.low, self.high)
        border = self.field.at(inside)
        out = border.copy()
        beyond = yx - inside
        h = 0.5
        for axis in (0, 1):
            here = beyond[:, axis] != 0
            if here.any():
                step = np.zeros(2)
                step[axis] = h
                inner = inside[here] - np.sign(beyond[here, axis])[:, None] * step
                slope = (border[here] - self.field.at(inner)) / h * np.sign(beyond[here, axis])[:, None]
                out[here] += slope * beyond[here, axis][:, None]
        return out

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        return point_by_point(self, y, x)


@dataclass(frozen=True, eq=False)
class InverseField:
    """``e`` with ``e(v) = u - v`` for ``v = u + f(u)``: the inverse of a displacement field, itself a displacement
    field.

    A coarse table gives the start, Newton's method the rest; points where it does not arrive within `iterations` are
    NaN.

    Attributes
    ----------
    forward : f, px, index frame
    y, x : axes of the table
    table : (len(y), len(x), 2) values of e
    tolerance : largest misclosure, px
    """

    forward: Field
    y: Floats
    x: Floats
    table: Floats
    tolerance: float = 1e-7
    iterations: int = 40

    def at(self, yx: AnyArray) -> Floats:
        target = np.asarray(yx, float).reshape(-1, 2)
        tables = (RectBivariateSpline(self.y, self.x, self.table[..., k], s=0) for k in (0, 1))
        start = target + np.stack([table.ev(*target.T) for table in tables], axis=-1)
        found = newton(self.forward, target, start, tolerance=self.tolerance, iterations=self.iterations)
        return found - target

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        return point_by_point(self, y, x)


def inverted(
    field: Field,
    shape: tuple[int, int],
    *,
    known: tuple[tuple[float, float], tuple[float, float]] | None = None,
    step: float = 16.0,
) -> InverseField:
    """The inverse of a displacement field over an image of `shape`.

    Parameters
    ----------
    field : f, px, index frame
    shape : (slow, fast) of the image
    known : first and last corner (y, x) of where the field is known, index frame; the image when omitted
    step : of the table that gives the start, px

    Raises
    ------
    FittingError
        The field folds over or is too steep to be inverted.
    """
    if known is None:
        first, last = index_from_edge(np.zeros(2)), index_from_edge(np.array(shape, float))
        known = (float(first[0]), float(first[1])), (float(last[0]), float(last[1]))
    forward = ExtendedField(field, *known)
    y, x = (np.linspace(-1.0, n, max(5, int(np.ceil(n / step)) + 1)) for n in shape)
    target = raster_places(y, x)
    there = target.reshape(-1, 2)
    here = newton(forward, there, there, tolerance=1e-4, iterations=60, longest=0.05 * max(shape))
    if not np.isfinite(here).all():
        raise FittingError("the displacement is not one-to-one, or too steep to be inverted")
    return InverseField(forward, y, x, here.reshape(target.shape) - target)
