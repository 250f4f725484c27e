"""Where a point was seen that belongs at a given place: ``corrected = observed + displacement(observed)`` inverted.

:func:`newton` inverts any smooth field; :func:`observed_of` knows tiles and pixels, among which fields jump, as well.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..base.arrays import Bools, Floats
from ..base.errors import FittingError
from ..base.frames import CORNERS, index_from_edge, pixel_centres, raster_places
from .field import CornerField, Field, TiledField

_HALF_STEP = 0.25  # px: slopes are taken over half a pixel, far below what a field changes over
_STEEP = 1e-6  # determinant below which a step of Newton's leads anywhere
_CHANGES = 0.5  # determinant below which the one of the step before does not tell the one at the point itself
_REACH = 0.05  # of the longer side of the image: the longest step
_START = 24  # nodes along each axis among which a start is looked for, and how far beyond the image they reach
_MARGIN = 0.05
_NEIGHBOURS = 3  # pixels around the nearest one that are tried, in each direction


def observed_of(field: Field, shape: tuple[int, int], target: Floats, *, tolerance: float, iterations: int) -> Floats:
    """Observed points (N, 2) of corrected ones, px, index frame; NaN where there is none.

    Parameters
    ----------
    field : displacement as a function of the observed position, px
    shape : (slow, fast) pixels
    target : corrected points (N, 2)
    tolerance : largest misclosure accepted, px
    iterations : after which a point is given up
    """
    # As if the field were smooth: that is all for most points, of tiled fields too.
    out = _from_afar(field, shape, target, tolerance, iterations)
    lost = np.flatnonzero(~_finite(out) & _finite(target))
    # What is not reached lies beside a seam, where Newton's steps jump to and fro: one side at a time.
    if not len(lost):
        return out
    if isinstance(field, CornerField):
        out[lost] = _among_pixels(field, shape, target[lost], tolerance)
    elif isinstance(field, TiledField):
        out[lost] = _among_tiles(field, shape, target[lost], tolerance, iterations)
    return out


def newton(
    field: Field, target: Floats, start: Floats, *, tolerance: float, iterations: int, longest: float = np.inf
) -> Floats:
    """Observed points of corrected ones by Newton's method; NaN where it does not arrive, or the field folds over.

    Parameters
    ----------
    field : displacement, px; its slopes are taken by differences over half a pixel
    target : corrected points (N, 2), px, index frame
    start : guesses of the observed ones, (N, 2)
    tolerance : largest misclosure accepted, px
    iterations : after which a point is given up
    longest : limit of one step, px
    """
    guess, out = start.copy(), np.full_like(target, np.nan)
    todo = np.flatnonzero(_finite(start) & _finite(target))
    determinant = np.zeros(len(target))
    for _ in range(iterations):
        if not len(todo):
            break
        here = guess[todo]
        miss = target[todo] - (here + field.at(here))
        done = np.hypot(*miss.T) < tolerance
        # Where the last step came from a place that is not clearly on the right side of a fold, look here.
        unsure = done & (determinant[todo] < _CHANGES)
        if unsure.any():
            determinant[todo[unsure]] = _slopes(field, here[unsure])[2]
        good = done & (determinant[todo] > 0)
        out[todo[good]] = here[good]
        left = ~done & _finite(miss)
        todo, here, miss = todo[left], here[left], miss[left]
        if not len(todo):
            break
        dy, dx, det = _slopes(field, here)
        determinant[todo] = det
        steep = det > _STEEP
        step = np.stack(
            [dx[:, 1] * miss[:, 0] - dx[:, 0] * miss[:, 1], dy[:, 0] * miss[:, 1] - dy[:, 1] * miss[:, 0]], axis=1
        )
        step = np.where(steep[:, None], step / np.where(steep, det, 1.0)[:, None], miss)
        length = np.hypot(*step.T)[:, None]
        guess[todo] = here + step * np.minimum(1.0, longest / np.maximum(length, 1e-12))
    return out


def _finite(points: Floats) -> Bools:
    return np.asarray(np.isfinite(points).all(axis=1))


def _slopes(field: Field, here: Floats) -> tuple[Floats, Floats, Floats]:
    """d(corrected)/dy, d(corrected)/dx, each (N, 2), and their determinant."""
    h = _HALF_STEP
    down, up, right, left = (here + np.array(by) for by in ((h, 0), (-h, 0), (0, h), (0, -h)))
    dy = (down + field.at(down) - (up + field.at(up))) / (2 * h)
    dx = (right + field.at(right) - (left + field.at(left))) / (2 * h)
    return dy, dx, dy[:, 0] * dx[:, 1] - dy[:, 1] * dx[:, 0]


def _from_afar(field: Field, shape: tuple[int, int], target: Floats, tolerance: float, iterations: int) -> Floats:
    """Newton's method from the nearest corrected node of a coarse raster around the detector."""
    from scipy.spatial import cKDTree

    y, x = (np.linspace(-_MARGIN * n, (1 + _MARGIN) * n, _START) for n in shape)
    grid = raster_places(y, x).reshape(-1, 2)
    corrected = grid + field.at(grid)
    good = _finite(corrected)
    if not good.any():
        raise FittingError("the distortion is nowhere finite")
    _, k = cKDTree(corrected[good]).query(np.clip(np.nan_to_num(target), -1e9, 1e9))
    start = grid[good][k] + (target - corrected[good][k])
    longest = _REACH * max(shape)
    return newton(field, target, start, tolerance=tolerance, iterations=iterations, longest=longest)


def _among_tiles(
    field: TiledField, shape: tuple[int, int], target: Floats, tolerance: float, iterations: int
) -> Floats:
    """Inverse of points near the seams of tiles: of each tile's own field, where it leads into that tile."""
    out = np.full_like(target, np.nan)
    for k in np.unique(field.labels):
        left = np.flatnonzero(~_finite(out))
        if not len(left):
            break
        found = _from_afar(field.fields[k], shape, target[left], tolerance, iterations)
        finite = np.flatnonzero(_finite(found))
        mine = finite[field.label_at(found[finite]) == k]
        out[left[mine]] = found[mine]
    return out


def _among_pixels(field: CornerField, shape: tuple[int, int], target: Floats, tolerance: float) -> Floats:
    """Inverse of points by trying the quadrilaterals of all pixels around the one whose centre comes nearest."""
    from scipy.spatial import cKDTree

    out = np.full_like(target, np.nan)
    centres = raster_places(*pixel_centres(shape)).reshape(-1, 2)
    corrected = centres + field.at(centres)
    good = _finite(corrected)
    _, near = cKDTree(corrected[good]).query(target)
    near_yx, top = centres[good][near], np.array(shape) - 1
    for offset in _outwards(_NEIGHBOURS):
        left = np.flatnonzero(~_finite(out))
        if not len(left):
            break
        pixel = near_yx[left] + offset
        usable = ((pixel >= 0) & (pixel <= top)).all(axis=1)
        left, pixel = left[usable], pixel[usable]
        out[left] = _within_pixel(field, pixel, target[left], tolerance)
    return out


def _outwards(reach: int) -> Iterator[tuple[int, int]]:
    """Offsets (y, x) up to `reach`, the near ones first."""
    side = range(-reach, reach + 1)
    yield from sorted(((a, b) for a in side for b in side), key=lambda offset: max(map(abs, offset)))


def _within_pixel(field: CornerField, pixel: Floats, target: Floats, tolerance: float) -> Floats:
    """Points within given pixels (N, 2) that are corrected to `target`, NaN where there is none; bilinear corners."""
    k = pixel.astype(np.int64)
    corners = field.of_pixels(k[:, :1], k[:, 1:], np.arange(4)) + index_from_edge(pixel[:, None, :] + np.array(CORNERS))
    a, b, c, d = (corners[:, n] for n in range(4))
    u = np.full_like(target, 0.5)
    for _ in range(12):
        miss = target - _blend(a, b, c, d, u)
        down = (b - a) * (1 - u[:, 1:]) + (c - d) * u[:, 1:]
        right = (d - a) * (1 - u[:, :1]) + (c - b) * u[:, :1]
        det = down[:, 0] * right[:, 1] - down[:, 1] * right[:, 0]
        det = np.where(np.abs(det) > 1e-9, det, np.nan)
        step = np.stack(
            [miss[:, 0] * right[:, 1] - miss[:, 1] * right[:, 0], down[:, 0] * miss[:, 1] - down[:, 1] * miss[:, 0]],
            axis=1,
        )
        u = np.clip(u + step / det[:, None], -1.0, 2.0)
    miss = np.hypot(*(target - _blend(a, b, c, d, u)).T)
    with np.errstate(invalid="ignore"):
        found = (miss < tolerance) & ((u > -1e-9) & (u < 1 + 1e-9)).all(axis=1) & (det > 0)
    return np.where(found[:, None], index_from_edge(pixel + np.clip(u, 0, 1)), np.nan)


def _blend(a: Floats, b: Floats, c: Floats, d: Floats, u: Floats) -> Floats:
    p, q = u[:, :1], u[:, 1:]
    return a * (1 - p) * (1 - q) + b * p * (1 - q) + c * p * q + d * (1 - p) * q
