"""How a choice of recipes looks at the points: drawn evenly, stretched, as samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..base.arrays import AnyArray, Bools, Floats
from ..indexing.nodes import gross_outliers, scatter_of_neighbours
from ..records.distortion import Distortion
from ..records.plate import Plate, error_sigma
from ..records.points import ControlPoints
from .polynomial import Polynomial
from .recipe import Sample
from .rigid import Placement, place


@dataclass(frozen=True, eq=False)
class PlateView:
    """One exposure with its plate.

    Attributes
    ----------
    points : the control points
    plate : the plate, its axes as the indices count them
    shape : (slow, fast) pixels
    pixel_size : (slow, fast) metres if it is given
    """

    points: ControlPoints
    plate: Plate
    shape: tuple[int, int]
    pixel_size: tuple[float, float] | None

    @cached_property
    def positions(self) -> Floats:
        """(N, 2) of the points on the plate, metres."""
        return self.plate.positions(self.points.ij)

    def placed(
        self, pixel_size: tuple[float, float] | None = None, prior: Distortion | None = None
    ) -> tuple[Placement, Sample]:
        """The plate laid on the detector, and the displacements that this leaves; those beyond a prior's, if any."""
        known = 0.0 if prior is None else prior.displacement(self.points.yx)
        start = place(self.positions, self.points.yx + known, pixel_size=pixel_size or self.pixel_size)
        d = start.pose.corrected(self.positions, start.pixel_size) - self.points.yx
        sample = _sample(self.points, d - known, self.shape)
        if self.plate.error_ij is not None:
            of_holes = error_sigma(self.plate, self.points.ij) / np.mean(start.pixel_size)
            sample = replace(sample, sigma=np.hypot(sample.sigma, of_holes[:, None]))
        sigma = _stretched(sample if prior is None else replace(sample, d=np.where(sample.used[:, None], d, 0.0)))
        return start, replace(sample, pixel_size=start.pixel_size, sigma=sigma)


def evenly_drawn(count: int, most: int = 1200) -> AnyArray:
    """Some rows out of `count`."""
    return np.arange(count) if count <= most else np.random.default_rng(0).permutation(count)[:most]


def _stretched(sample: Sample) -> Floats:
    """Uncertainty (N, 2) of the displacement: that of the spot times the local stretch of the correction."""
    some = sample.select(evenly_drawn(len(sample), 600))
    if some.used.sum() < 40:
        return sample.sigma
    slope = Polynomial().plain(some, 4).gradient(sample.yx)
    if np.abs(slope).max() < 0.02:
        return sample.sigma
    return np.asarray(np.sqrt(np.einsum("nca,na->nc", (np.eye(2) + slope) ** 2, sample.sigma**2)))


def _sample(points: ControlPoints, d: Floats, shape: tuple[int, int]) -> Sample:
    """Displacements with a first opinion on outliers and scatter."""
    spacing = float(np.sqrt(abs(np.linalg.det(points.basis_px))))
    known = np.isfinite(d) & np.isfinite(points.sigma_yx) & (points.sigma_yx > 0)
    used: Bools = np.asarray(known.all(axis=1))
    wrong = gross_outliers(points.yx, points.ij, d, least=0.03 * spacing)
    good = used & ~wrong
    scatter = scatter_of_neighbours(points.ij[good], d[good])
    sigma = np.where(used[:, None], points.sigma_yx, 1.0)
    # so few points that no line has neighbours on both sides tell nothing about their scatter
    beyond = float(np.sqrt(max(scatter**2 - np.median(sigma) ** 2, 0.0))) if np.isfinite(scatter) else 0.0
    d = np.where(used[:, None], d, 0.0)
    return Sample(points.yx, d, sigma, shape, spacing, good, 1.3 * beyond, shared=points.shared_yx)
