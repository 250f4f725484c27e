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
from ..base.errors import FittingError
from ..base.frames import CORNERS, edge_nodes, index_from_edge, pixel_centres
from .field import CornerField, Field, TiledField, by_rows, corner_values

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
    """

    field: Field
    shape: tuple[int, int]
    pixel_size: tuple[float, float]
    mask: Bools | None = None
    sigma: Field | None = None
    gauge: str = "as given"

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", (int(self.shape[0]), int(self.shape[1])))
        object.__setattr__(self, "pixel_size", (float(self.pixel_size[0]), float(self.pixel_size[1])))
        if self.mask is not None:
            if np.shape(self.mask) != self.shape:
                raise ValueError(f"mask of shape {np.shape(self.mask)} for a detector of shape {self.shape}")
            object.__setattr__(self, "mask", frozen_array(self.mask, np.bool_, 2))

    # -- evaluation
    def displacement(self, yx: AnyArray) -> Floats:
        """(dy, dx) at observed points (N, 2), px; (N, 2)."""
        return self.field.at(np.asarray(yx, float).reshape(-1, 2))

    def displacement_maps(self) -> tuple[Floats, Floats]:
        """(dy, dx) at the pixel centres, each (ny, nx), px."""
        values = self.field.on_grid(*pixel_centres(self.shape))
        return values[..., 0], values[..., 1]

    @cached_property
    def extent(self) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """(lowest, highest) of dy and of dx over the pixels that are not masked, px; None when all are."""
        limits = [(np.inf, -np.inf)] * 2
        for rows, values in by_rows(self.field, *pixel_centres(self.shape)):
            known = None if self.mask is None or not self.mask[rows].any() else ~self.mask[rows]
            if known is not None and not known.any():
                continue
            for axis, (low, high) in enumerate(limits):
                one = values[..., axis] if known is None else values[..., axis][known]
                limits[axis] = min(low, float(one.min())), max(high, float(one.max()))
        return None if np.isinf(limits[0][0]) else (limits[0], limits[1])

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
        return hasattr(self.field, "corners")

    def pixel_corners(self, dtype: type = np.float32) -> AnyArray:
        """Corners (ny, nx, 4, 3) in metres, order (z, y, x), corners A(0,0) B(1,0) C(1,1) D(0,1): pyFAI's form."""
        ny, nx = self.shape
        out: AnyArray = np.zeros((ny, nx, 4, 3), dtype)
        if self.is_tiled:
            values = corner_values(self.field, self.shape)
            rows, columns = np.arange(ny)[:, None, None], np.arange(nx)[None, :, None]
            offset = np.array(CORNERS)
            out[..., 1] = (values[..., 0] + rows + offset[:, 0]) * self.pixel_size[0]
            out[..., 2] = (values[..., 1] + columns + offset[:, 1]) * self.pixel_size[1]
            return out
        nodes = self.field.on_grid(*edge_nodes(self.shape))
        nodes[..., 0] += np.arange(ny + 1)[:, None]
        nodes[..., 1] += np.arange(nx + 1)[None, :]
        nodes = (nodes * self.pixel_size).astype(dtype)
        for corner, (a, b) in enumerate(CORNERS):
            out[:, :, corner, 1:] = nodes[a : ny + a, b : nx + b]
        return out

    def jacobian_sign(self, step: int = 8) -> Floats:
        """Determinant of d(corrected)/d(observed) on cells of `step` px, (rows, columns).

        It is not positive where the field folds over.
        """
        ny, nx = self.shape
        y = np.unique(np.append(np.arange(0, ny, step), ny - 1)).astype(float)
        x = np.unique(np.append(np.arange(0, nx, step), nx - 1)).astype(float)
        c = self.field.on_grid(y, x) + np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
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
        it does not reach, at the seams of tiles, is looked for tile by tile, or among the pixels around.
        """
        target = np.asarray(yx, float).reshape(-1, 2)
        out = self._newton(target, tolerance, iterations)
        lost = np.flatnonzero(~np.isfinite(out).all(axis=1) & np.isfinite(target).all(axis=1))
        if len(lost) and self.is_tiled:
            out[lost] = self._among_tiles(target[lost], tolerance, iterations)
        if inside:
            first, last = index_from_edge(np.zeros(2)), index_from_edge(np.array(self.shape))
            with np.errstate(invalid="ignore"):
                outside = ((out < first) | (out > last)).any(axis=1)
            out[outside] = np.nan
        return out

    def _newton(self, target: Floats, tolerance: float, iterations: int) -> Floats:
        guess = self._first_guess(target)
        out = np.full_like(target, np.nan)
        todo = np.flatnonzero(np.isfinite(guess).all(axis=1) & np.isfinite(target).all(axis=1))
        limit = 0.05 * max(self.shape)
        for _ in range(iterations):
            if not len(todo):
                break
            here = guess[todo]
            miss = target[todo] - self.correct(here)
            dy, dx, det = self._slopes(here)
            done = np.hypot(*miss.T) < tolerance
            good = done & (det > 0)
            out[todo[good]] = here[good]
            left = ~done & np.isfinite(miss).all(axis=1)
            todo, here, miss, dy, dx, det = todo[left], here[left], miss[left], dy[left], dx[left], det[left]
            steep = det > 1e-6
            safe = np.where(steep, det, 1.0)
            step = np.stack(
                [dx[:, 1] * miss[:, 0] - dx[:, 0] * miss[:, 1], dy[:, 0] * miss[:, 1] - dy[:, 1] * miss[:, 0]], axis=1
            )
            step = np.where(steep[:, None], step / safe[:, None], miss)
            length = np.hypot(*step.T)[:, None]
            guess[todo] = here + step * np.minimum(1.0, limit / np.maximum(length, 1e-12))
        return out

    def _slopes(self, here: Floats) -> tuple[Floats, Floats, Floats]:
        """d(corrected)/dy, d(corrected)/dx, each (N, 2), and their determinant."""
        h = 0.25
        dy = (self.correct(here + [h, 0]) - self.correct(here - [h, 0])) / (2 * h)
        dx = (self.correct(here + [0, h]) - self.correct(here - [0, h])) / (2 * h)
        return dy, dx, dy[:, 0] * dx[:, 1] - dy[:, 1] * dx[:, 0]

    def _among_tiles(self, target: Floats, tolerance: float, iterations: int) -> Floats:
        """Inverse of points that lie near the seams of a field with jumps."""
        if isinstance(self.field, CornerField):
            return self._among_pixels(target, tolerance)
        out = np.full_like(target, np.nan)
        if not isinstance(self.field, TiledField):
            return out
        for k in np.unique(self.field.labels):
            left = np.flatnonzero(~np.isfinite(out).all(axis=1))
            if not len(left):
                break
            alone = replace(self, field=self.field.fields[k], mask=None, sigma=None)
            found = alone._newton(target[left], tolerance, iterations)
            finite = np.flatnonzero(np.isfinite(found).all(axis=1))
            mine = finite[self.field.label_at(found[finite]) == k]
            out[left[mine]] = found[mine]
        return out

    def _among_pixels(self, target: Floats, tolerance: float, *, reach: int = 3) -> Floats:
        """Inverse of points by trying the quadrilaterals of all pixels around the one whose centre comes nearest."""
        from scipy.spatial import cKDTree

        out = np.full_like(target, np.nan)
        y, x = np.meshgrid(*pixel_centres(self.shape), indexing="ij")
        centres = np.stack([y.ravel(), x.ravel()], axis=1)
        corrected = self.correct(centres)
        good = np.isfinite(corrected).all(axis=1)
        _, near = cKDTree(corrected[good]).query(target)
        near_yx = centres[good][near]
        offsets = sorted(
            ((a, b) for a in range(-reach, reach + 1) for b in range(-reach, reach + 1)), key=lambda o: max(map(abs, o))
        )
        top = np.array(self.shape) - 1
        for offset in offsets:
            left = np.flatnonzero(~np.isfinite(out).all(axis=1))
            if not len(left):
                break
            pixel = near_yx[left] + offset
            usable = ((pixel >= 0) & (pixel <= top)).all(axis=1)
            left, pixel = left[usable], pixel[usable]
            inside = _inverse_in_pixel(self, pixel, target[left], tolerance)
            out[left] = inside
        return out

    def _first_guess(self, target: Floats) -> Floats:
        """Nearest corrected node of a coarse raster around the detector, as a start for the inverse."""
        from scipy.spatial import cKDTree

        n = 24
        y, x = (np.linspace(-0.05 * s, 1.05 * s, n) for s in self.shape)
        grid = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
        corrected = self.correct(grid)
        good = np.isfinite(corrected).all(axis=1)
        if not good.any():
            raise FittingError("the distortion is nowhere finite")
        _, k = cKDTree(corrected[good]).query(np.clip(np.nan_to_num(target), -1e9, 1e9))
        guess: Floats = grid[good][k] + (target - corrected[good][k])
        return guess

    def masked(self, mask: AnyArray) -> Distortion:
        """The same with `mask` (ny, nx) as its mask."""
        return replace(self, mask=mask)


def _inverse_in_pixel(distortion: Distortion, pixel: Floats, target: Floats, tolerance: float) -> Floats:
    """Points within given pixels (N, 2) that are corrected to `target`, NaN where there is none; bilinear corners."""
    field = distortion.field
    assert isinstance(field, CornerField)
    k = pixel.astype(np.int64)
    corners = field.values[k[:, 0], k[:, 1]] + index_from_edge(pixel[:, None, :] + np.array(CORNERS))
    a, b, c, d = (corners[:, n] for n in range(4))
    u = np.full_like(target, 0.5)
    for _ in range(12):
        miss = target - _blend(a, b, c, d, u)
        down = (b - a) * (1 - u[:, 1:]) + (c - d) * u[:, 1:]
        right = (d - a) * (1 - u[:, :1]) + (c - b) * u[:, :1]
        det = down[:, 0] * right[:, 1] - down[:, 1] * right[:, 0]
        det = np.where(np.abs(det) > 1e-9, det, np.nan)
        u = (
            u
            + np.stack(
                [
                    miss[:, 0] * right[:, 1] - miss[:, 1] * right[:, 0],
                    down[:, 0] * miss[:, 1] - down[:, 1] * miss[:, 0],
                ],
                axis=1,
            )
            / det[:, None]
        )
        u = np.clip(u, -1.0, 2.0)
    miss = np.hypot(*(target - _blend(a, b, c, d, u)).T)
    with np.errstate(invalid="ignore"):
        found = (miss < tolerance) & ((u > -1e-9) & (u < 1 + 1e-9)).all(axis=1) & (det > 0)
    return np.where(found[:, None], index_from_edge(pixel + np.clip(u, 0, 1)), np.nan)


def _blend(a: Floats, b: Floats, c: Floats, d: Floats, u: Floats) -> Floats:
    p, q = u[:, :1], u[:, 1:]
    return a * (1 - p) * (1 - q) + b * p * (1 - q) + c * p * q + d * (1 - p) * q


Gauge = str | Sequence[float]
