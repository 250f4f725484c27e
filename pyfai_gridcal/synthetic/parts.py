"""What a scene is made of besides detector and plate: light, camera, faults; and the spots that a perfect eye finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy.ndimage import zoom

from ..base.arrays import AnyArray, Bools, Floats, Ints, freeze, select_rows
from ..records.spots import Noise, Polarity


@dataclass(frozen=True)
class Light:
    """Illumination, in counts of the image above the pedestal.

    Attributes
    ----------
    peak : added by an open hole (taken away by it when the polarity is dark)
    background : of the plate; with dark holes, what is left inside of them
    polarity : whether holes are brighter or darker than the plate
    vignetting : part of the light lost in the corner farthest from `centre`
    centre : (y, x) of the vignetting as fractions of the image
    uneven : amplitude of a slow random modulation, relative
    seed : of that modulation
    """

    peak: float = 9000.0
    background: float = 1500.0
    polarity: Polarity = "bright"
    vignetting: float = 0.3
    centre: tuple[float, float] = (0.45, 0.56)
    uneven: float = 0.0
    seed: int = 1

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
        return cast(Floats, np.maximum(lamp, 0))


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
    """

    blur: float = 1.2
    gain: float = 1.0
    readout: float = 8.0
    pedestal: float = 100.0
    saturation: float = 65535.0
    dtype: str = "uint16"

    @property
    def noise(self) -> Noise:
        """The noise model as the rest of the package says it."""
        return Noise(self.gain, self.readout, self.pedestal)


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
