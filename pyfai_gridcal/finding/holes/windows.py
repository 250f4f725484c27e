"""Small square windows of an image around spots."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ...base.arrays import AnyArray, Bools, Floats, every, frozen_array, largest_of, select_rows, with_rows
from ...records.spots import Polarity
from ..survey import binned

#: Squares of four pixels that read the same, and as much as any, of which fewer may be chance or specks.
_PLATEAU = 20
#: Pixels below the ceiling among such that reach it of which fewer may be specks.
_ALONE = 2
#: Pixels along the border of the image that are not fitted, whatever the blur; a blur that is known leaves out more.
_RIM = 2
#: A window is whole with this share of its pixels at least if those that are missing do not lie to one side: by at most
#: so many times what chance makes. A border, or a dead line through its outer third, makes more.
_MOST, _CHANCE = 0.7, 2.5


def ramp(reach: int) -> tuple[AnyArray, AnyArray]:
    """Offsets (y, x) of the pixels of a window from its middle, px, each ((2 reach + 1)**2,) float32."""
    k = np.arange(-reach, reach + 1, dtype=np.float32)
    y, x = np.meshgrid(k, k, indexing="ij")
    return y.ravel(), x.ravel()


@lru_cache(maxsize=8)
def powers(reach: int, degree: int) -> AnyArray:
    """Polynomials over a window: rows 1, y, x and for degree 2 also y y, y x, x x, ((2 reach + 1)**2,) float32 each."""
    y, x = ramp(reach)
    rows = [np.ones_like(y), y, x]
    return frozen_array(np.stack(rows if degree == 1 else [*rows, y * y, y * x, x * x]), np.float32)


@lru_cache(maxsize=16)
def odd_powers(reach: int) -> AnyArray:
    """What may come on top of a hole from elsewhere without a jump: the odd polynomials y, x, y^3, x^3, y x^2, x y^2 in
    units of `reach`, over a window, (6, (2 reach + 1)**2) float32. Even ones move nothing."""
    y, x = (along / np.float32(reach) for along in ramp(reach))
    return frozen_array(np.stack([y, x, y**3, x**3, y * x * x, x * y * y]), np.float32)


@dataclass(frozen=True, eq=False)
class Windows:
    """Pixels around N spots.

    Attributes
    ----------
    middle : (N, 2) integer pixel in the middle of each window, index frame
    data : (N, m * m) float32, holes positive
    usable : (N, m * m) False outside the image and under the mask
    """

    middle: AnyArray
    data: AnyArray
    usable: Bools

    def select(self, rows: AnyArray) -> Windows:
        """The windows of the spots `rows`."""
        return self if len(rows) == len(self.middle) else select_rows(self, rows, "middle", "data", "usable")

    def changed(self, rows: AnyArray, part: Windows) -> Windows:
        """The same with other windows for the spots `rows`."""
        return with_rows(self, rows, vars(part))


def ceiling_of(data: AnyArray, usable: Bools, saturation: float | None) -> float | None:
    """Reading from which on pixels (ny, nx) are cut: the saturation, or the largest one where many pixels share it and
    lie together; None where none are cut."""
    top = float(data.max(initial=-np.inf, where=usable))
    if saturation is not None:
        return saturation if top >= saturation else None
    at = (data == top) & usable
    together = at[1:, 1:] & at[:-1, 1:] & at[1:, :-1] & at[:-1, :-1]
    return top if together.sum() > max(_PLATEAU, 0.05 * at.sum()) else None


def _is_ragged(cut: Bools) -> bool:
    """Whether pixels that are not `cut` (ny, nx) lie alone among such: light that comes near the ceiling scatters."""
    around = cut[:-2, 1:-1] & cut[2:, 1:-1] & cut[1:-1, :-2] & cut[1:-1, 2:]
    return bool(np.count_nonzero(around & ~cut[1:-1, 1:-1]) > _ALONE)


class PreparedImage:
    """An image padded for cutting windows, holes made positive, with a map of usable pixels.

    With a `factor` its pixels are means over blocks of so many of the image along each axis, and usable where all of
    these are.
    """

    def __init__(
        self,
        image: AnyArray,
        mask: Bools | None,
        polarity: Polarity,
        saturation: float | None = None,
        pad: int = 40,
        factor: int = 1,
    ):
        data = np.asarray(image, dtype=np.float32)
        self.pad, self.factor = pad, factor
        usable = np.isfinite(data)
        if mask is not None:
            usable &= ~mask
        hot = data >= saturation if saturation is not None else None
        if factor > 1:
            readings = np.where(usable, data, np.float32(0))
            data = binned(readings, factor)
            usable = binned(usable.astype(np.float32), factor) == 1
            hot = None if hot is None else binned(hot.astype(np.float32), factor) > 0
        self.saturated = np.pad(hot, pad) if hot is not None and hot.any() else None
        #: reading from which on pixels are cut; None where none are
        self.ceiling = ceiling_of(data, usable, saturation)
        #: whether it is noise and light that are cut there; a drawing has such a reading, too, but nothing above it
        self.clips = self.ceiling is not None and _is_ragged(data >= self.ceiling)
        self.polarity: Polarity = polarity
        self.sign = 1.0 if polarity == "bright" else -1.0
        self.whole = bool(usable.all())
        self.data = np.pad(data if self.sign > 0 else -data, pad)
        self.usable = np.pad(usable, pad)
        self.leave_out_rim(_RIM)
        if not self.whole:
            self.data[~self.usable] = 0
        some = self.data[::7, ::7] if factor == 1 else readings[::7, ::7]
        #: whether readings are whole numbers
        self.quantised = bool(np.all(some == np.rint(some)))
        self.shape = (int(data.shape[0]), int(data.shape[1]))

    def leave_out_rim(self, width: int) -> None:
        """Do not use the outermost `width` pixels: they see light that was scattered to or from places outside, and no
        profile is right there."""
        near, ny, nx = self.pad + width, *self.usable.shape
        self.usable[:near] = self.usable[ny - near :] = False
        self.usable[:, :near] = self.usable[:, nx - near :] = False

    def windows(self, yx: Floats, reach: int) -> Windows:
        """Windows of +- `reach` px (at most the padding) around the pixels nearest to `yx` (N, 2)."""
        middle = np.clip(np.rint(yx).astype(np.int64), -self.pad + reach, np.array(self.shape) - 1 + self.pad - reach)
        data, usable = (_cut(raster, middle + self.pad, reach) for raster in (self.data, self.usable))
        return Windows(middle, data, usable)

    def telling(self, windows: Windows, level: AnyArray, *, quiet: bool = False) -> Bools:
        """(N, m * m) the usable pixels of these windows, without those that read as much as any can where at least that
        is expected (`level`, holes positive): how much more they would read, nobody knows. When `quiet`, without all
        that do, since what is cut does not scatter."""
        if self.ceiling is None or not (self.clips or quiet):
            return windows.usable
        top = np.float32(self.ceiling)
        cut = self.sign * windows.data >= top
        if not quiet:
            cut &= self.sign * level >= top
        return np.asarray(windows.usable & ~cut)

    def touches_saturation(self, yx: Floats, reach: int) -> Bools:
        """(N,) whether a saturated pixel lies within the window."""
        if self.saturated is None:
            return np.zeros(len(yx), bool)
        return np.asarray(self._around(self.saturated, yx, reach).any(axis=1))

    def is_whole(self, yx: Floats, reach: int) -> Bools:
        """(N,) whether the window is usable all around: single pixels may be missing here and there."""
        if self.whole:
            inside = every(np.rint(yx) >= reach)
            return inside & every(np.rint(yx) <= np.array(self.shape) - 1 - reach)
        missing, offsets = ~self._around(self.usable, yx, reach), np.stack(ramp(reach), axis=1)
        count, lean = missing.sum(axis=1), largest_of(missing @ offsets)
        by_chance = np.sqrt(count * (offsets[:, 0] ** 2).mean())
        return np.asarray((count <= (1 - _MOST) * len(offsets)) & (lean <= _CHANCE * by_chance))

    def _around(self, flags: Bools, yx: Floats, reach: int) -> Bools:
        """(N, m * m) flags, of the padded image, in the windows around spots (N, 2): a filter of the whole image would
        look at far more pixels."""
        middle = np.rint(yx).astype(np.int64) + self.pad
        return _cut(flags, np.clip(middle, reach, np.array(flags.shape) - 1 - reach), reach)


def _cut(raster: AnyArray, middle: AnyArray, reach: int) -> AnyArray:
    """(N, m * m) the windows of +- `reach` px around the pixels `middle` (N, 2) of a raster, all inside."""
    m = 2 * reach + 1
    row, column = (middle - reach).T
    out: AnyArray = sliding_window_view(raster, (m, m))[row, column].reshape(len(middle), m * m)
    return out
