"""Size and blur of the holes as functions of the place, as the whole ones among them show it."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import ndimage

from ...base.arrays import Bools, Floats
from ...base.normal import solved
from .learning import Instrument
from .looks import wild_square
from .model import SpotState
from .refinement import FittedSpots, looked_at
from .smoothing import LocalLines, SmoothField, smoothed
from .templates import TemplateBank
from .windows import ramp

#: Fewest holes that tell how size and blur vary, and most that are asked.
_FEWEST, _MOST = 20, 3000
#: Size and blur vary when they do by so much (of the radius, of the square of the blur) over most of the image: less
#: moves no spot, not even a cut one, by more than its sigma.
_VARIED = (0.01, 0.1)
#: A pixel that is off by such a share of the amplitude is no matter of size.
_GLARING = 0.2
#: A rim ends so many blurs inside of where it is half as bright; rounds at most that bring a hole to a size of its own,
#: and moves, px, after which there is none to come.
_RIM, _OWN_TURNS, _STILL = 3.0, 14, 0.02
#: Rounds of learning, and how far size and squared blur may lie from the mean ones.
_TURNS, _BOUNDS = 4, ((0.5, 0.15), (2.0, 10.0))


@dataclass(frozen=True, eq=False)
class HoleSizes:
    """What single holes show, columns: radius, square of the blur, both relative to those of the learned profile.

    Attributes
    ----------
    yx : (N, 2) places of the holes, px
    own, variance : (N, 2) what they show, and how well
    spacing : of these, px
    """

    yx: Floats
    own: Floats
    variance: Floats
    spacing: float

    @cached_property
    def _fields(self) -> list[SmoothField]:
        """Smooth fields through either column."""
        lines = LocalLines(self.yx, self.spacing)
        return [smoothed(lines, own) for own in self.own.T]

    def value(self, yx: Floats) -> Floats:
        """Expected values (M, 2) at places (M, 2) px."""
        return np.clip(np.stack([field.value(yx) for field in self._fields], axis=1), *_BOUNDS)

    def given_to(self, state: SpotState) -> SpotState:
        """The spots with holes as large and as blurred as those around."""
        return sized(state, self.value(state.yx))


def sized(state: SpotState, value: Floats) -> SpotState:
    """The spots with holes of these sizes and squared blurs (N, 2), relative to what they had."""
    stretch = np.tile(np.eye(2), (len(state), 1, 1)) if state.stretch is None else state.stretch
    return replace(state, stretch=stretch * value[:, 0, None, None], wider=np.sqrt(value[:, 1]))


def learn_sizes(tools: Instrument, state: SpotState, good: Bools) -> HoleSizes | None:
    """Size and blur over the image, where they vary so much that all holes should have them; else None.

    Parameters
    ----------
    state : fitted spots
    good : (N,) whole ones that look as usual
    """
    rows = np.flatnonzero(good)
    if len(rows) < _FEWEST:
        return None
    every = len(rows) // _MOST + 1
    some, apart = state.select(rows[::every]), tools.spacing * every**0.5
    radius, square = tools.profile_radius, tools.maker.blur**2
    value, sizes = np.ones((len(some), 2)), None
    for turn in range(_TURNS):
        # what each hole shows beyond the values of the last turn, which are smooth
        now = sized(some, value) if turn else some
        bank = tools.maker.bank(now.stretch, len(now), now.wider)
        moves, variance = _moves(tools, now, bank)
        # no step takes more than half of what there is, or adds more than that or twice it
        step = np.clip(np.nan_to_num(moves[:, 4:] / [radius, square]), -0.5 * value, [[0.5, 1.0]] * value)
        known = np.isfinite(moves).all(axis=1) & np.isfinite(variance).all(axis=1)
        if known.sum() < _FEWEST:
            return None
        own = value + step
        sizes = HoleSizes(some.yx[known], own[known], variance[known] / np.array([radius, square]) ** 2, apart)
        value = sizes.value(some.yx)
        if turn == 0 and not _varies(value, sizes):
            return None
        some = _moved(some, np.nan_to_num(moves), 0.3)
    return sizes


def _moved(state: SpotState, moves: Floats, most: float) -> SpotState:
    """The spots after these moves (N, 6), along an axis by no more than `most` px."""
    return replace(
        state,
        yx=state.yx + np.clip(moves[:, :2], -most, most),
        amplitude=np.maximum(state.amplitude + moves[:, 2], 0.3 * state.amplitude),
        background=state.background + moves[:, 3],
    )


def by_their_rims(tools: Instrument, state: SpotState) -> FittedSpots:
    """Fit holes of a size of their own by what is seen around their middles only, where a mark or dirt may be."""
    image, inner = copy(tools.image), tools.profile_radius - _RIM * tools.maker.blur
    y, x = (np.round(part).astype(int) for part in ramp(max(1, int(inner))))
    inside = np.hypot(y, x) <= inner
    middle = np.rint(state.yx).astype(int)[:, :, None] + np.stack([y, x])[:, inside] + image.pad
    image.usable = image.usable.copy()
    image.usable[middle[:, 0], middle[:, 1]] = False
    tools, value = replace(tools, image=image), np.ones((len(state), 2))
    for _ in range(_OWN_TURNS):
        now = sized(state, value)
        moves = np.nan_to_num(_moves(tools, now, tools.maker.bank(now.stretch, len(now), now.wider))[0])
        value = np.clip(
            value + np.clip(moves[:, 4:] / [tools.profile_radius, tools.maker.blur**2], -0.1, 0.1), *_BOUNDS
        )
        state = _moved(state, moves, 2.0)
        if np.abs(moves[:, [0, 1, 4]]).max() < _STILL:
            break
    return tools.fit(sized(state, value), 4)


def _varies(value: Floats, sizes: HoleSizes) -> bool:
    """Whether the smooth values vary, by more than their noise (that of six holes) makes them."""
    spread = np.diff(np.quantile(value, (0.05, 0.95), axis=0), axis=0)[0]
    least = 5 * np.sqrt(np.median(sizes.variance, axis=0) / 6)
    return bool((spread > np.maximum(_VARIED, least)).any())


def _moves(tools: Instrument, state: SpotState, bank: TemplateBank) -> tuple[Floats, Floats]:
    """One step of Gauss and Newton with size and blur: moves (N, 6) of y, x, amplitude, background, radius (px) and
    square of the blur (px^2), and the variances (N, 2) of the last two.

    A rim that lies farther out by dR changes the picture by its slope along the direction from the middle. A blur whose
    square grows changes it as the heat equation says, by half the Laplacian. On whole windows both are even, places and
    gradients odd, so they hardly mix.
    """
    moves, variance = np.zeros((len(state), 6)), np.full((len(state), 2), np.inf)
    noise, sign = tools.learned.noise, tools.image.sign
    y, x = ramp(tools.reach)
    side = 2 * tools.reach + 1
    for rows, windows, level, seen in looked_at(tools.image, state, bank):
        # two more columns between the four of the fit and what is left over
        off = (state.yx[rows] - windows.middle).astype(np.float32)
        dy, dx = y - off[:, :1], x - off[:, 1:]
        far = np.maximum(np.hypot(dy, dx), 0.4 * tools.profile_radius)
        grown = (seen[:, 0] * dy + seen[:, 1] * dx) / far
        amplitude = state.amplitude[rows, None].astype(np.float32)
        curved = ndimage.laplace(seen[:, 2].reshape(-1, side, side), mode="nearest", axes=(1, 2))
        blurred = 0.5 * amplitude * curved.reshape(len(rows), -1)
        columns = np.stack([*seen[:, :4].swapaxes(0, 1), grown, blurred, seen[:, 4]], axis=1)
        # weighed by the noise, without what is wild
        expected = noise.variance(sign * level)
        wild = seen[:, 4] ** 2 > wild_square(expected, state.amplitude[rows], _GLARING)
        gram = np.matmul(columns * ((windows.usable & ~wild) / expected)[:, None], columns.swapaxes(1, 2))
        normal, right = gram[:, :-1, :-1].astype(np.float64), gram[:, :-1, -1].astype(np.float64)
        moves[rows], inverse = solved(normal, right)
        variance[rows] = np.abs(np.einsum("nii->ni", inverse)[:, 4:])
    return moves, variance
