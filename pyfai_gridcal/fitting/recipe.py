"""What all ways to fit a field have in common: the sample they get and the answer they give."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy.spatial import cKDTree

from ..base.arrays import AnyArray, Bools, Floats, freeze, select_rows
from ..base.geometry import tree_of
from ..base.robust import rms
from ..records.field import Field

__all__ = ["CLEARLY", "SURE", "FieldFit", "Recipe", "Sample", "gains", "sureness"]

#: A model predicts clearly better by this factor: about what a few hundred points tell of an rms.
CLEARLY = 0.97
#: And surely where the mean of what it gains at each point is so many times its uncertainty.
SURE = 3.0


@dataclass(frozen=True, eq=False)
class Sample:
    """Displacements at N observed points.

    Attributes
    ----------
    yx : (N, 2) observed points, px, index frame
    d : (N, 2) displacement there, px
    sigma : (N, 2) standard uncertainty of the displacement, px
    shape : (slow, fast) pixels of the detector
    spacing : mean distance of neighbouring points, px
    used : (N,) False for points that are known to be wrong
    nugget : upper bound of what the points scatter beyond `sigma`, px
    origin : (y, x) of the first pixel, px: other than zero for a tile
    pixel_size : (slow, fast) metres, or any numbers of the same ratio
    shared : (N, 2) error that neighbours have in common, px; None for none
    """

    yx: Floats
    d: Floats
    sigma: Floats
    shape: tuple[int, int]
    spacing: float
    used: Bools
    nugget: float = 0.0
    origin: tuple[float, float] = (0.0, 0.0)
    pixel_size: tuple[float, float] = (1.0, 1.0)
    shared: Floats | None = None

    def __post_init__(self) -> None:
        freeze(self, 2, "yx", "d", "sigma", "shared")
        freeze(self, 1, "used", dtype=np.bool_)

    def __len__(self) -> int:
        return len(self.yx)

    @cached_property
    def tree(self) -> cKDTree:
        """The points, to look for neighbours; made in a third of the time of a balanced one, which finds no faster."""
        return tree_of(self.yx)

    @cached_property
    def typical_sigma(self) -> float:
        """Median of sigma, px."""
        return float(np.median(self.sigma))

    def select(self, which: AnyArray) -> Sample:
        """The points of a boolean mask or an array of indices, in that order."""
        return select_rows(self, which, "yx", "d", "sigma", "used", "shared")


class Uncertainty(Protocol):
    """Anything that knows how uncertain a fitted field is."""

    def variance(self, yx: Floats) -> Floats:
        """Variance (N, 2) of the field at points (N, 2), px²."""
        ...


@dataclass(frozen=True, eq=False)
class FieldFit:
    """A field fitted to a sample.

    Attributes
    ----------
    name : of the recipe
    field : displacement as a function of the observed position
    residual : (N, 2) fitted - given displacement (corrected - node), px
    held_out : (N, 2) the same when the point itself was left out, px
    used : (N,) False for outliers
    z : (N, 2) held-out residuals in units of their predicted scatter
    leverage : (N, 2) share that each point has in its own prediction, 0..1
    uncertainty : variance of the field anywhere, None when the recipe cannot tell
    nugget : rms that the points scatter beyond their sigma, px
    noise_scale : factor by which the sigma of the points turned out to be too large (1 when it was not)
    freedom : effective number of parameters of one component
    curve : pairs (log10 of the smoothness relative to the chosen one, held-out rms in px)
    note : in words
    sigma : (N, 2) uncertainty of the points, px: those known badly count less in what is said of all
    """

    name: str
    field: Field
    residual: Floats
    held_out: Floats
    used: Bools
    z: Floats
    leverage: Floats
    uncertainty: Uncertainty | None = None
    nugget: float = 0.0
    noise_scale: float = 1.0
    freedom: float = float("nan")
    curve: tuple[tuple[float, float], ...] = ()
    note: str = ""
    sigma: Floats | None = None

    @property
    def held_out_px(self) -> float:
        """Rms held-out residual of the points used, px per axis."""
        return self.held_out_of(self.used)

    def held_out_of(self, which: Bools) -> float:
        """Rms held-out residual of some points (N,), px per axis."""
        return rms(self.held_out[which], None if self.sigma is None else self.sigma[which])


class Recipe(Protocol):
    """A way to make a field of a sample."""

    @property
    def name(self) -> str:
        """As the user calls it."""
        ...

    def fit(self, sample: Sample) -> FieldFit:
        """Fit a field to the points of the sample that are to be used."""
        ...


def gains(fit: FieldFit, other: FieldFit) -> Floats:
    """(K,) by how much a fit is nearer than another one to the points that both use, when each is left out: squares, in
    units of the variance of the point."""
    both = fit.used & other.used
    sigma = np.ones_like(fit.residual) if fit.sigma is None else fit.sigma
    square: Floats = (other.held_out[both] ** 2 - fit.held_out[both] ** 2) / sigma[both] ** 2
    return square.mean(axis=1)


def sureness(gain: Floats) -> float:
    """By how many times its uncertainty the mean of what is gained at each point (K,) is above 0."""
    return float(gain.mean() * np.sqrt(len(gain)) / max(gain.std(), 1e-300)) if len(gain) > 2 else 0.0
