"""The displacement the other way round: as a function of where a point should be instead of where it was seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...base.arrays import AnyArray, Floats
from ...base.errors import FittingError
from ...base.frames import index_from_edge
from ...records.field import Field

__all__ = ["ExtendedField", "InverseField", "inverted"]


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
        y, x = np.asarray(y, float), np.asarray(x, float)
        points = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
        return self.at(points).reshape(len(y), len(x), 2)


@dataclass(frozen=True, eq=False)
class InverseField:
    """``e`` with ``e(v) = u - v`` for ``v = u + f(u)``: the inverse of a displacement field, itself a displacement
    field.

    A coarse table gives the start, fixed-point steps the rest; points where they do not contract within `iterations`
    are NaN.

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
        from scipy.interpolate import RectBivariateSpline

        start = [
            RectBivariateSpline(self.y, self.x, self.table[..., k], s=0).ev(target[:, 0], target[:, 1]) for k in (0, 1)
        ]
        out = np.stack(start, axis=-1)
        todo = np.arange(len(target))
        for _ in range(self.iterations):
            here = target[todo] + out[todo]
            miss = target[todo] - here - self.forward.at(here)
            out[todo] += miss
            todo = todo[np.abs(miss).max(axis=1, initial=0) > self.tolerance]
            if not len(todo):
                return out
        out[todo] = np.nan
        return out

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        y, x = np.asarray(y, float), np.asarray(x, float)
        out = np.empty((len(y), len(x), 2))
        rows = max(1, 250_000 // max(1, len(x)))
        for k in range(0, len(y), rows):
            points = np.stack(np.meshgrid(y[k : k + rows], x, indexing="ij"), axis=-1)
            out[k : k + rows] = self.at(points).reshape(-1, len(x), 2)
        return out


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
    field : f, px, index frame, contracting (its slopes are below one)
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
    target = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
    here = target.copy()
    for _ in range(200):
        miss = target - here - forward.at(here)
        here += miss
        if not np.isfinite(here).all():
            break
        if np.abs(miss).max() < 1e-4:
            return InverseField(forward, y, x, (here - target).reshape(len(y), len(x), 2))
    raise FittingError("the displacement folds over or is too steep to be inverted")
