"""What pixels around spots say of them, many at a time: derivatives, weights, the equations of the next step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...base.arrays import AnyArray, Bools, Floats, with_rows
from ...records.spots import Noise
from .light import lit_share
from .model import SpotState, model_of, within_room
from .templates import TemplateBank
from .windows import PreparedImage, Windows, odd_powers, ramp

#: A pixel is left out when it is this many sigma off the fit (of a normal noise one in two million is), and also some
#: share of the amplitude.
_WILD = 5.0
#: What a pixel counts among the lost ones that is brighter than it should be.
_BAD = 0.05
#: A window that would lose more of its pixels is not spoilt in places, it shows something else.
_MOST_WILD = 0.2
#: A gradient of this size is none.
_NOTHING = 1e-7
#: The slope that the ground may have where light is steep, in units of the amplitude over half a window.
_LEANING = 1.0


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pixels around spots, from where a fit stands.

    Attributes
    ----------
    level : (N, P) what they should read
    rows : (N, parameters + 1, P) derivatives of that, without those by the ground, and last what is left over
    usable : (N, P)
    """

    level: AnyArray
    rows: AnyArray
    usable: Bools


@dataclass(frozen=True, eq=False)
class Look:
    """What these pixels tell, columns over spots.

    Attributes
    ----------
    square : weighted sum of squares of what is left over
    weight : (N, P) of the pixels
    lost : share of the usable ones that were left out as wild
    normal, right : equations of the next step
    """

    square: Floats
    weight: AnyArray
    lost: Floats
    normal: Floats
    right: Floats

    def after(self, move: Floats) -> Look:
        """The same once this step (N, parameters) is taken, as far as the equations know."""
        return replace(self, square=np.maximum(self.square - (move * self.right).sum(axis=1), 0.0))

    def stiffened(self, columns: list[int], extra: Floats, size: Floats) -> Look:
        """The same once more is known of what is fitted besides: these columns of `extra` (N, 8), so far, are expected
        to be of the `size` (N, 8)."""
        if columns:
            stiff: Floats = np.maximum(size[:, columns], _NOTHING) ** -2
            own = np.arange(4, self.normal.shape[1])
            self.normal[:, own, own] += stiff
            self.right[:, 4:] -= extra[:, columns] * stiff
        return self

    def changed(self, rows: AnyArray, part: Look) -> Look:
        """The same where the spots `rows` look as in `part`."""
        return with_rows(self, rows, vars(part))


@dataclass(frozen=True, eq=False)
class Kit:
    """What spots are fitted with; without a noise model all pixels weigh the same.

    With `light` the gradient of the light is fitted as well, which multiplies all but the `dark` level; with `ground`
    what comes on top of it. Where light is `steep` the ground has a slope of its own, too, since brighter neighbours
    shine onto it; where the ground has light of its own (`dark` is None), the gradient is that of the hole alone.
    """

    image: PreparedImage
    reach: int
    noise: Noise | None
    dark: float | None
    light: bool = False
    ground: bool = False
    steep: bool = False

    @property
    def columns(self) -> list[int]:
        """Columns of :attr:`FittedSpots.extra` that are fitted."""
        return [*range(2 * self.light), *range(2, 2 + self.on_ground)]

    @property
    def on_ground(self) -> int:
        """How many of the odd polynomials come on top."""
        return 6 if self.ground else 2 * self.steep

    def expected(self, size: Floats) -> Floats:
        """Size (N, 8) of what is fitted besides, from that of light and ground (N, 2)."""
        out = np.repeat(size, (2, 6), axis=1)
        if self.steep:
            out[:, 2:4] = np.maximum(out[:, 2:4], _LEANING)
        return out

    def seen(self, state: SpotState, windows: Windows, bank: TemplateBank) -> Pixels:
        rows = np.empty((len(state), 2 * self.light + 5, windows.data.shape[1]), np.float32)
        level, _ = model_of(state, windows, bank, out=rows[:, :4])
        if self.light:
            ground = state.background * lit_share(state.background, self.dark)
            lit = rows[:, 2] * state.amplitude[:, None].astype(np.float32) + ground[:, None].astype(np.float32)
            for k, along in enumerate(ramp(self.reach)):
                np.multiply(lit, along, out=rows[:, 4 + k])
        np.subtract(windows.data, level, out=rows[:, -1])
        usable = windows.usable
        if state.room is not None and state.room.any():
            usable = usable & within_room(state.room, state.yx - windows.middle, self.reach)
        return Pixels(level, rows, usable)

    def look(self, state: SpotState, seen: Pixels, extra: Floats, size: Floats, tolerance: float | None = None) -> Look:
        """Weigh what is seen; pixels that are off by `tolerance` amplitudes (and much more than their noise) do not
        count. What was found so far beyond the start, `extra` (N, 8), is expected to be of the `size` (N, 2)."""
        noise, level, rows = self.noise, seen.level, seen.rows
        lost = np.zeros(len(state))
        if noise is None:
            weight: AnyArray = seen.usable.astype(np.float32)
        else:
            variance: AnyArray = noise.variance(level if self.image.sign > 0 else -level)
            weight = seen.usable / variance
            if tolerance is not None:
                wild = wild_square(variance, state.amplitude, tolerance)
                spot, pixel = np.divmod(np.flatnonzero((rows[:, -1] ** 2 > wild) & seen.usable), level.shape[1])
                count = np.bincount(spot, minlength=len(state))
                some = np.flatnonzero(count)
                pixels = np.count_nonzero(seen.usable[some], axis=1)
                share = count[some] / pixels
                # nothing that covers a hole makes pixels brighter: such pixels are bad ones, and tell little
                bad = self.image.sign * rows[spot, -1, pixel] > 0
                told = np.bincount(spot, np.where(bad, _BAD, 1.0), minlength=len(state))[some] / pixels
                lost[some] = np.where(share <= _MOST_WILD, told, 0.0)
                left_out = lost[spot] > 0
                weight[spot[left_out], pixel[left_out]] = 0
        # all sums of products at once: the last row and column are those with what is left over
        weighted = rows * weight[:, None, :]
        gram = np.matmul(weighted, rows.transpose(0, 2, 1)).astype(np.float64)
        if self.on_ground:
            gram = self._with_ground(gram, weighted, weight, state.amplitude[:, None, None])
        normal, right, square = gram[:, :-1, :-1], gram[:, :-1, -1], gram[:, -1, -1]
        # equal weights are not inverse variances: leave the prior to the fits that know the noise
        if state.prior is not None and noise is not None:
            for k, column in ((2, 0), (3, 2)):
                strength = 1 / state.prior[:, column + 1] ** 2
                normal[:, k, k] += strength
                now = state.amplitude if k == 2 else state.background
                right[:, k] += strength * (state.prior[:, column] - now)
        return Look(square, weight, lost, normal, right).stiffened(self.columns, extra, self.expected(size))

    def _with_ground(self, gram: Floats, weighted: AnyArray, weight: AnyArray, amplitude: Floats) -> Floats:
        """Sums of products (N, k, k) with those of the ground before the last: its columns are the same for all spots,
        times the amplitude (N, 1, 1), so that these are products of two matrices."""
        odd, more = odd_powers(self.reach)[: self.on_ground], self.on_ground
        count = gram.shape[1] + more
        old, new = np.delete(np.arange(count), np.s_[-1 - more : -1]), np.arange(count)[-1 - more : -1]
        across = (weighted.reshape(-1, odd.shape[1]) @ odd.T).reshape(len(gram), -1, more) * amplitude
        squares = weight @ (odd[:, None] * odd).reshape(more**2, -1).T
        out = np.empty((len(gram), count, count))
        out[:, old[:, None], old], out[:, old[:, None], new] = gram, across
        out[:, new[:, None], old] = across.transpose(0, 2, 1)
        out[:, new[:, None], new] = squares.reshape(-1, more, more) * amplitude**2
        return out


def wild_square(variance: AnyArray, amplitude: Floats, tolerance: float) -> AnyArray:
    """Squares (N, P), counts, of what pixels of this `variance` (N, P) must be off to be wild: much more than their
    noise, and `tolerance` amplitudes (N,), since a learned profile is not perfect."""
    out: AnyArray = _WILD**2 * variance + (tolerance * amplitude[:, None].astype(np.float32)) ** 2
    return out
