"""Distortion: the one internal truth about a detector, and going to and fro with it.

``corrected = observed + displacement(observed)``, all in px, index frame, order (y, x). The corrected frame is a
perfect raster whose pixels measure `pixel_size`; a corrected **edge** coordinate times `pixel_size` is the position on
the detector plane in metres (p1, p2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ._typing import AnyArray, Bools, Floats, frozen_array
from .errors import FittingError
from .field import Field, corner_values
from .frames import CORNERS, edge_nodes, pixel_centres

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
    gauge : in words, what fixes the rigid motion and the scale of the corrected frame
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

    def distort(self, yx: AnyArray, *, tolerance: float = 1e-6, iterations: int = 60) -> Floats:
        """Corrected -> observed, (N, 2) px: the inverse of :meth:`correct`.

        By damped Newton steps with a secant Jacobian. Points that have no inverse (outside what the detector sees, or
        where the field folds over) come back as NaN. `tolerance` is the largest misclosure accepted, px.
        """
        target = np.asarray(yx, float).reshape(-1, 2)
        guess = self._first_guess(target)
        out = np.full_like(target, np.nan)
        todo = np.flatnonzero(np.isfinite(guess).all(axis=1))
        h = 0.25
        for _ in range(iterations):
            if not len(todo):
                break
            here = guess[todo]
            miss = target[todo] - self.correct(here)
            done = np.hypot(*miss.T) < tolerance
            out[todo[done]] = here[done]
            todo, here, miss = todo[~done], here[~done], miss[~done]
            if not len(todo):
                break
            dy = (self.correct(here + [h, 0]) - self.correct(here - [h, 0])) / (2 * h)
            dx = (self.correct(here + [0, h]) - self.correct(here - [0, h])) / (2 * h)
            det = dy[:, 0] * dx[:, 1] - dy[:, 1] * dx[:, 0]
            bad = ~(det > 1e-6)
            det = np.where(bad, 1.0, det)
            step = np.stack(
                [
                    (dx[:, 1] * miss[:, 0] - dx[:, 0] * miss[:, 1]) / det,
                    (dy[:, 0] * miss[:, 1] - dy[:, 1] * miss[:, 0]) / det,
                ],
                axis=1,
            )
            step[bad] = miss[bad]
            length = np.hypot(*step.T)[:, None]
            guess[todo] = here + step * np.minimum(1.0, 0.05 * max(self.shape) / np.maximum(length, 1e-12))
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
        _, k = cKDTree(corrected[good]).query(np.nan_to_num(target))
        guess: Floats = grid[good][k] + (target - corrected[good][k])
        return guess

    def masked(self, mask: AnyArray) -> Distortion:
        """The same with `mask` (ny, nx) as its mask."""
        return replace(self, mask=mask)
