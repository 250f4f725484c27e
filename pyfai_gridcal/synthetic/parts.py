"""What a scene is made of besides detector and plate: light, camera, faults; and the spots that a perfect eye finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy.ndimage import shift, zoom

from ..base.arrays import AnyArray, Bools, Floats, Ints, freeze, select_rows
from ..base.frames import edge_from_index
from ..base.geometry import turn_matrix
from ..records.spots import Noise, Polarity
from .drawing import ramp

__all__ = ["Camera", "Faults", "Light", "Opaque", "TruthSpots"]

#: Width of what has none, px: narrower than any pixel tells.
_SHARP = 1e-6


@dataclass(frozen=True)
class Light:
    """Illumination, in counts of the image above the pedestal.

    Attributes
    ----------
    peak : added by an open hole (taken away by it when the polarity is dark)
    background : of the plate; with dark holes, what is left inside of them
    polarity : whether holes are brighter or darker than the plate
    vignetting : part of the light lost in the corner farthest from `centre`
    centre : (y, x) of the vignetting and of the beam as fractions of the image
    uneven : amplitude of a slow random modulation, relative
    seed : of that modulation
    beam : (along y, along x) part of the light that a Gaussian beam has left at the border farther from `centre`
    penumbra : (distance, width) px of the half shadow of a frame: no light nearer to the border than `distance`, all of
        it from `width` farther inside on
    outside : counts beside a plate that ends (:attr:`Faults.extent`) a pitch beyond its last holes; None for a plate
        that goes on without holes
    """

    peak: float = 9000.0
    background: float = 1500.0
    polarity: Polarity = "bright"
    vignetting: float = 0.3
    centre: tuple[float, float] = (0.45, 0.56)
    uneven: float = 0.0
    seed: int = 1
    beam: tuple[float, float] = (1.0, 1.0)
    penumbra: tuple[float, float] | None = None
    outside: float | None = None

    def lamp(self, shape: tuple[int, int]) -> Floats:
        """Relative illumination (ny, nx)."""
        squares = [(np.linspace(0, 1, n) - c) ** 2 for n, c in zip(shape, self.centre, strict=True)]
        farthest = sum(float(s.max()) for s in squares)
        lamp = 1 - (self.vignetting / farthest) * (squares[0][:, None] + squares[1][None, :])
        if self.uneven:
            nodes = np.random.default_rng(self.seed).uniform(-1, 1, (9, 11))
            ratio = [n / k for n, k in zip(shape, nodes.shape, strict=True)]
            waves = zoom(nodes, ratio, order=3, mode="nearest", grid_mode=True)[: shape[0], : shape[1]]
            lamp *= 1 + self.uneven * waves
        along_y, along_x = (left ** (s / s.max()) for left, s in zip(self.beam, squares, strict=True))
        lamp *= along_y[:, None] * along_x
        if self.penumbra is not None:
            rows, columns = (_half_shadow(n, *self.penumbra) for n in shape)
            lamp *= rows[:, None] * columns
        return cast(Floats, np.maximum(lamp, 0))


def _half_shadow(pixels: int, distance: float, width: float) -> Floats:
    """Light (pixels,) along an axis behind a frame: the part of a round lamp that its rim does not hide."""
    inside = np.arange(pixels)
    border = edge_from_index(np.minimum(inside, inside[::-1]))
    t = np.clip(2 * (border - distance) / max(width, _SHARP) - 1, -1, 1)
    return (t * np.sqrt(1 - t**2) + np.arcsin(t)) / np.pi + 1 / 2


@dataclass(frozen=True)
class Camera:
    """What the detector makes of the light.

    Attributes
    ----------
    blur : sigma of the Gaussian point spread, px of the image
    gain : variance per count (1 for photon counting)
    readout : noise, counts rms
    pedestal : counts without light
    saturation : highest value
    dtype : of the image; integers are rounded and clipped
    blur_corner : `blur` of the corner farthest from `focus`; it grows with the square of the distance. Each hole has
        the blur of its centre, in steps of 0.01 px
    focus : (y, x) where the picture is sharpest, as fractions of the image
    ghost : (strength, dy, dx) of a second picture, weaker and moved by (dy, dx) px
    smear : part of the mean light of its column that each pixel gets on top while the image is read out
    bleed : whether what a pixel has above `saturation` spills along its column until it finds room
    """

    blur: float = 1.2
    gain: float = 1.0
    readout: float = 8.0
    pedestal: float = 100.0
    saturation: float = 65535.0
    dtype: str = "uint16"
    blur_corner: float | None = None
    focus: tuple[float, float] = (0.5, 0.5)
    ghost: tuple[float, float, float] | None = None
    smear: float = 0.0
    bleed: bool = False

    @property
    def noise(self) -> Noise:
        """The noise model as the rest of the package says it."""
        return Noise(self.gain, self.readout, self.pedestal)

    @property
    def widest(self) -> float:
        """Largest blur, px."""
        return max(self.blur, self.blur_corner or 0.0)

    def blur_at(self, yx: AnyArray, shape: tuple[int, int]) -> Floats:
        """Blur (...) at places (..., 2) of an image of a shape, px."""
        if self.blur_corner is None:
            return np.full(np.shape(yx)[:-1], self.blur)
        top = np.array(shape) - 1
        farthest = np.hypot(*(top * np.maximum(self.focus, 1 - np.array(self.focus))))
        squares = ((yx - top * self.focus) ** 2).sum(axis=-1) / farthest**2
        # beyond the corner it would go on to grow, or below zero
        sigma = self.blur + (self.blur_corner - self.blur) * np.minimum(squares, 1)
        return cast(Floats, np.round(sigma, 2))

    def stray(self, light: Floats) -> Floats:
        """The light (ny, nx) with ghost and smear."""
        if self.ghost is not None:
            light = light + self.ghost[0] * shift(light, self.ghost[1:], order=1)
        return light + self.smear * light.mean(axis=0) if self.smear else light

    def spill(self, counts: Floats) -> Floats:
        """The counts (ny, nx) with nothing above `saturation`: cut, or spilled along the columns (half of it either
        way, back from the border). Only a column that is full loses any."""
        out = np.minimum(counts, self.saturation)
        if self.bleed and (counts > self.saturation).any():
            half, carry = (counts - out) / 2, np.zeros(counts.shape[1])
            rows = range(len(out))
            for way, source in ((rows, half), (rows[::-1], half), (rows, 0 * half)):
                for row in way:
                    full = out[row] + carry + source[row]
                    out[row] = np.minimum(full, self.saturation)
                    carry = full - out[row]
        return out


@dataclass(frozen=True)
class Opaque:
    """A straight opaque thing in front of the image: a rectangle with sharp sides that a blurred picture is taken of.

    A side at infinity is none: ``Opaque((80, 0))`` is a half-plane, ``Opaque((80, 60), across=(0, inf))`` a quadrant,
    ``Opaque((80, 0), along=(0, 6))`` a bar.

    Attributes
    ----------
    at : (y, x) px, index frame, where its own axes begin
    angle_deg : by which its axes are turned from (y, x), counted as the angle of a pose
    along, across : (from, to) px on its first axis (y when not turned) and on its second one (x)
    """

    at: tuple[float, float]
    angle_deg: float = 0.0
    along: tuple[float, float] = (0.0, float("inf"))
    across: tuple[float, float] = (-float("inf"), float("inf"))

    def _own(self, y: AnyArray, x: AnyArray) -> tuple[tuple[AnyArray, tuple[float, float]], ...]:
        turn = turn_matrix(np.deg2rad(self.angle_deg))
        u, v = ((y - self.at[0]) * axis[0] + (x - self.at[1]) * axis[1] for axis in turn.T)
        return (u, self.along), (v, self.across)

    def cover(self, y: AnyArray, x: AnyArray, blur: AnyArray | float, cell: float) -> Floats:
        """Covered part at places y and x (they broadcast) of a picture with some `blur` (sigma), the mean over cells
        of a side; px."""
        first, second = (
            passed(t - low, blur, cell) - passed(t - high, blur, cell) for t, (low, high) in self._own(y, x)
        )
        return np.clip(first * second, 0, 1)

    def distance(self, yx: Floats) -> Floats:
        """Distance (N,) of places (N, 2) from its rim, px, negative within."""
        sides = np.array([np.maximum(low - t, t - high) for t, (low, high) in self._own(*yx.T)])
        return cast(Floats, np.hypot(*np.maximum(sides, 0)) + np.minimum(sides.max(axis=0), 0))


def passed(t: AnyArray, blur: AnyArray | float, cell: float) -> Floats:
    """Part of a cell around places `t` px beyond a blurred rim that lies beyond it."""
    far = 10 * np.max(blur) + cell  # all or nothing; infinite sides have no integral
    t = np.clip(t, -far, far)
    return (ramp(t + cell / 2, blur) - ramp(t - cell / 2, blur)) / cell


@dataclass(frozen=True)
class Faults:
    """What goes wrong with plates and detectors. The plate's faults depend on `seed` only, so they are the same in
    all exposures.

    Attributes
    ----------
    missing : fraction of blocked holes
    merged : fraction of holes drilled together with their neighbour along j
    size_spread : relative rms scatter of the diameters
    dirt : number of light spots that belong to no hole
    zingers : single pixels hit by something else, in each picture
    hot_columns : columns with a constant excess of counts
    beam_stop : (y, x, radius) px of a round shadow with an arm to the lower border; not in the mask
    extent : (i from, i to, j from, j to), the only holes the plate has
    size_trend : (along i, along j) relative growth of the diameters from hole to hole
    opaque : straight things in front of the image, see :class:`Opaque`
    """

    missing: float = 0.0
    merged: float = 0.0
    size_spread: float = 0.0
    dirt: int = 0
    zingers: int = 0
    hot_columns: int = 0
    beam_stop: tuple[float, float, float] | None = None
    extent: tuple[int, int, int, int] | None = None
    seed: int = 0
    size_trend: tuple[float, float] = (0.0, 0.0)
    opaque: tuple[Opaque, ...] = ()


@dataclass(frozen=True, eq=False)
class TruthSpots:
    """What a perfect eye would find. A spot is where the image of its hole's centre is; px, index frame, order (y, x).

    Attributes
    ----------
    yx : (N, 2) positions
    ij : (N, 2) indices in the plate
    sigma_yx : (N, 2) Cramér-Rao bound of one coordinate, px
    whole : (N,) not cut by the border, the mask, a tile's edge or a shadow, and not merged with a neighbour
    """

    yx: Floats
    ij: Ints
    sigma_yx: Floats
    whole: Bools

    def __post_init__(self) -> None:
        freeze(self, 2, "yx", "sigma_yx")
        freeze(self, 2, "ij", dtype=np.int64)
        freeze(self, 1, "whole", dtype=np.bool_)

    def __len__(self) -> int:
        return len(self.yx)

    def select(self, which: AnyArray) -> TruthSpots:
        """The spots of a boolean mask or an array of indices."""
        return select_rows(self, which, "yx", "ij", "sigma_yx", "whole")
