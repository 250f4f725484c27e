"""Distortion: the one internal truth about a detector, and going to and fro with it.

``corrected = observed + displacement(observed)``, all in px, index frame, order (y, x). The corrected frame is a
perfect raster whose pixels measure `pixel_size`; a corrected **edge** coordinate times `pixel_size` is the position on
the detector plane in metres (p1, p2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..base.arrays import AnyArray, Bools, Floats, frozen_array
from ..base.errors import UsageError
from ..base.frames import edge_nodes, index_from_edge, pixel_centres, raster_places
from ..base.geometry import as_pair
from ..base.units import as_lengths, format_length
from .corners import corner_nodes, corners_of_nodes, is_tiled
from .field import Field, by_rows
from .inverse import observed_of
from .traits import IMAGES, NO_TRAITS, Traits

__all__ = ["Distortion"]


@dataclass(frozen=True, eq=False)
class Distortion:
    """Displacement of every pixel of a detector.

    Attributes
    ----------
    field : displacement (dy, dx) in px as a function of the observed position
    shape : (slow, fast) pixels
    pixel_size : (slow, fast) metres
    mask : (ny, nx), True = the displacement is not known there (or the pixel is dead)
    sigma : standard uncertainty of (dy, dx), px, None when not known
    gauge : in words, what fixes the rigid motion and the scale of the corrected frame; what was asked for is
        ``Settings.gauge``
    traits : sensor, flat field and what else the detector is besides the places of its pixels
    depth : (ny, nx) metres, how far a pixel lies behind the plane of the detector; None for a flat one

    Examples
    --------
    >>> import numpy as np
    >>> from pyfai_gridcal import Distortion
    >>> from pyfai_gridcal.records.field import SampledField
    >>> bent = SampledField(np.array([0.0, 99.0]), np.array([0.0, 79.0]), np.full((2, 2, 2), (0.5, -0.25)))
    >>> distortion = Distortion(bent, (100, 80), ("50um", "48um"))
    >>> distortion.displacement([(10.0, 20.0)]).tolist()
    [[0.5, -0.25]]
    """

    field: Field
    shape: tuple[int, int]
    pixel_size: tuple[float, float]
    mask: Bools | None = None
    sigma: Field | None = None
    gauge: str = "as given"
    traits: Traits = NO_TRAITS
    depth: AnyArray | None = None

    def __post_init__(self) -> None:
        try:
            ny, nx = (int(n) for n in self.shape)
        except (TypeError, ValueError):
            raise UsageError(f"shape={self.shape!r}", expected="pixels (slow, fast)") from None
        object.__setattr__(self, "shape", (ny, nx))
        object.__setattr__(self, "pixel_size", as_pair(as_lengths(self.pixel_size, name="pixel_size")))
        if self.mask is not None:
            if np.shape(self.mask) != self.shape:
                raise UsageError(f"mask of shape {np.shape(self.mask)} for a detector of shape {self.shape}")
            object.__setattr__(self, "mask", frozen_array(self.mask, np.bool_, 2))
        if self.depth is not None:
            if np.shape(self.depth) != self.shape:
                raise UsageError(f"depth of shape {np.shape(self.depth)} for a detector of shape {self.shape}")
            object.__setattr__(self, "depth", frozen_array(self.depth, np.float32, 2))
        for name in IMAGES:
            if (array := getattr(self.traits, name)) is not None and array.shape != self.shape:
                raise UsageError(f"{name} of shape {array.shape} for a detector of shape {self.shape}")

    def __repr__(self) -> str:
        masked = "" if self.mask is None else f", {100 * self.mask.mean():.2g} % masked"
        sigma = "not known" if self.sigma is None else "known"
        size, gauge = format_length(self.pixel_size), self.gauge if len(self.gauge) < 60 else f"{self.gauge[:57]}..."
        ny, nx = self.shape
        return f"<Distortion: {ny} x {nx} px of {size}, {type(self.field).__name__}{masked}, sigma {sigma}, {gauge}>"

    # -- evaluation
    def displacement(self, yx: AnyArray) -> Floats:
        """(dy, dx) at observed points (N, 2), px; (N, 2)."""
        return self.field.at(np.asarray(yx, float).reshape(-1, 2))

    def displacement_maps(self) -> tuple[Floats, Floats]:
        """(dy, dx) at the pixel centres, each (ny, nx), px."""
        values = self.field.on_grid(*pixel_centres(self.shape))
        return values[..., 0], values[..., 1]

    @property
    def extent(self) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """(lowest, highest) of dy and of dx over the pixels that are not masked, px; None when all are."""
        return self._limits[:2] if self._limits else None

    @property
    def largest_px(self) -> float | None:
        """Length of the longest displacement of a pixel that is not masked, px; None when all are."""
        return self._limits[2] if self._limits else None

    @cached_property
    def _limits(self) -> tuple[tuple[float, float], tuple[float, float], float] | None:
        """(lowest, highest) of dy and of dx, and their greatest length, from one walk over the pixels."""
        limits, longest = [(np.inf, -np.inf)] * 2, 0.0
        for rows, values in by_rows(self.field, *pixel_centres(self.shape)):
            known = None if self.mask is None or not self.mask[rows].any() else ~self.mask[rows]
            if known is not None and not known.any():
                continue
            both = [values[..., k] if known is None else values[..., k][known] for k in range(2)]
            for k, one in enumerate(both):
                limits[k] = min(limits[k][0], float(one.min())), max(limits[k][1], float(one.max()))
            longest = max(longest, float((both[0] * both[0] + both[1] * both[1]).max()))
        return None if np.isinf(limits[0][0]) else (limits[0], limits[1], longest**0.5)

    def displacement_nodes(self) -> tuple[Floats, Floats]:
        """(dy, dx) at the pixel corners, each (ny + 1, nx + 1), px; meaningful only where tiles do not jump."""
        values = self.field.on_grid(*edge_nodes(self.shape))
        return values[..., 0], values[..., 1]

    def sigma_maps(self, step: int = 1) -> tuple[Floats, Floats] | None:
        """Standard uncertainty of (dy, dx) at the centres of every `step`-th pixel, px, or None."""
        if self.sigma is None:
            return None
        y, x = pixel_centres(self.shape)
        values = self.sigma.on_grid(y[::step], x[::step])
        return values[..., 0], values[..., 1]

    @property
    def is_tiled(self) -> bool:
        """Whether neighbouring pixels may share no edge."""
        return is_tiled(self.field)

    def pixel_corners(self, dtype: type = np.float32) -> AnyArray:
        """Corners (ny, nx, 4, 3) in metres, order (z, y, x), corners A(0,0) B(1,0) C(1,1) D(0,1): pyFAI's form."""
        return corners_of_nodes(corner_nodes(self.field, self.shape, self.pixel_size, dtype, depth=self.depth))

    def jacobian_sign(self, step: int = 8) -> Floats:
        """Determinant of d(corrected)/d(observed) on cells of `step` px, (rows, columns).

        It is not positive where the field folds over.
        """
        ny, nx = self.shape
        y = np.unique(np.append(np.arange(0, ny, step), ny - 1)).astype(float)
        x = np.unique(np.append(np.arange(0, nx, step), nx - 1)).astype(float)
        c = self.field.on_grid(y, x) + raster_places(y, x)
        down, right = (
            np.diff(c, axis=0)[:, :-1] / np.diff(y)[:, None, None],
            np.diff(c, axis=1)[:-1] / np.diff(x)[None, :, None],
        )
        return down[..., 0] * right[..., 1] - down[..., 1] * right[..., 0]

    # -- transforms
    def correct(self, yx: AnyArray) -> Floats:
        """Observed -> corrected, (N, 2) px."""
        yx = np.asarray(yx, float).reshape(-1, 2)
        return yx + self.field.at(yx)

    def distort(self, yx: AnyArray, *, tolerance: float = 1e-6, iterations: int = 60, inside: bool = False) -> Floats:
        """Corrected -> observed, (N, 2) px: the inverse of :meth:`correct`.

        Parameters
        ----------
        yx : corrected points (N, 2), px, index frame
        tolerance : largest misclosure accepted, px: ``correct`` of what comes back is that near to `yx`
        iterations : after which a point is given up, so that this always ends
        inside : only what the detector's pixels see; otherwise the field is taken as it goes on outside of the image

        Returns
        -------
        Observed points (N, 2), px. NaN where there is no inverse: in the gap between two tiles, where the field folds
        over (its determinant is not positive), or, with `inside`, outside of the detector. Where two tiles overlap,
        one of them answers.

        Notes
        -----
        Newton's method, the Jacobian by differences over half a pixel, steps limited to a twentieth of the image. What
        it does not reach, at the seams of tiles, is looked for tile by tile, or among the pixels around; see
        :mod:`~pyfai_gridcal.records.inverse`.
        """
        target = np.asarray(yx, float).reshape(-1, 2)
        out = observed_of(self.field, self.shape, target, tolerance=tolerance, iterations=iterations)
        if inside:
            first, last = index_from_edge(np.zeros(2)), index_from_edge(np.array(self.shape))
            with np.errstate(invalid="ignore"):
                outside = ((out < first) | (out > last)).any(axis=1)
            out[outside] = np.nan
        return out

    def masked(self, mask: AnyArray) -> Distortion:
        """The same with `mask` (ny, nx) as its mask."""
        return replace(self, mask=mask)


Gauge = str | Sequence[float]
