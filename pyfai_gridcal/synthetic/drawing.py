"""Drawing holes: each one exactly as blur and pixels make it, without over-sampling the whole image.

The open part of a hole is sampled on a fine raster (anti-aliased rim) around its own centre, where the distortion is
a second order Taylor series.
Blur and pixel area then come as one product with an exact matrix on either side: ``picture = K @ open @ K.T``, K
holding the integral of the
Gaussian over each pixel. The derivative of K gives that of the picture by the position of the hole, thus the
Cramér-Rao bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from ..base.arrays import AnyArray, Floats, Ints
from ..base.frames import index_from_edge
from ..records.field import Field

#: Fine samples held at a time: a few arrays of them fit into the cache.
_CHUNK = 1 << 18
#: Variance of the anti-aliased rim, fine samples squared: of a triangle from -1 to 1.
_RIM_VARIANCE = 1 / 6


@dataclass(frozen=True, eq=False)
class HoleImages:
    """N pictures of holes to draw; px, index frame, order (y, x).

    Attributes
    ----------
    yx : (N, 2) image of the centre
    jacobian : (N, 2, 2) d plate (m) / d observed (px), rows (y, x) of the plate
    hessian : (N, 2, 2, 2) its derivative, m / px^2
    radius_m : (N,) of the hole
    blur : (N,) sigma of the Gaussian point spread there, px of the image
    label : (N,) tile the picture is confined to, -1 for no confinement
    """

    yx: Floats
    jacobian: Floats
    hessian: Floats
    radius_m: Floats
    blur: Floats
    label: Ints

    def select(self, which: AnyArray) -> HoleImages:
        """A part of them."""
        return HoleImages(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class Patches:
    """Drawn pictures of equal size.

    Attributes
    ----------
    which : (n,) row of the hole
    corner : (n, 2) first pixel of each patch (y, x), may lie outside the image
    value, slope_y, slope_x : (n, m, m) open fraction of each pixel and its derivative by the position of the hole, 1/px
    """

    which: Ints
    corner: Ints
    value: AnyArray
    slope_y: AnyArray
    slope_x: AnyArray


def expand(field: Field, yx: Floats, pixel_size: tuple[float, float], reach: Floats) -> tuple[Floats, Floats]:
    """Jacobian (N, 2, 2) in m/px and Hessian (N, 2, 2, 2) in m/px^2 of the corrected plane at observed points, by
    differences over `reach` (px)."""
    h = np.maximum(reach, 1e-3)[:, None]
    shifted = {(a, b): field.at(yx + h * (a, b)) for a in (-1, 0, 1) for b in (-1, 0, 1)}
    jacobian, hessian = np.empty((len(yx), 2, 2)), np.empty((len(yx), 2, 2, 2))
    jacobian[:, :, 0] = (shifted[1, 0] - shifted[-1, 0]) / (2 * h) + (1, 0)
    jacobian[:, :, 1] = (shifted[0, 1] - shifted[0, -1]) / (2 * h) + (0, 1)
    hessian[:, :, 0, 0] = (shifted[1, 0] - 2 * shifted[0, 0] + shifted[-1, 0]) / h**2
    hessian[:, :, 1, 1] = (shifted[0, 1] - 2 * shifted[0, 0] + shifted[0, -1]) / h**2
    mixed = (shifted[1, 1] - shifted[1, -1] - shifted[-1, 1] + shifted[-1, -1]) / (4 * h**2)
    hessian[:, :, 0, 1] = hessian[:, :, 1, 0] = mixed
    size = np.asarray(pixel_size)
    return jacobian * size[:, None], hessian * size[:, None, None]


def ramp(t: AnyArray, sigma: AnyArray | float) -> Floats:
    """Integral of a unit step at 0 that a Gaussian of `sigma` has blurred, from minus infinity to `t`; `sigma` may be
    0."""
    t, sigma = np.broadcast_arrays(np.asarray(t, float), np.asarray(sigma, float))
    wide = np.where(sigma > 0, sigma, 1)
    soft = t * ndtr(t / wide) + wide * np.exp(-((t / wide) ** 2) / 2) / np.sqrt(2 * np.pi)
    return np.where(sigma > 0, soft, np.maximum(t, 0))


def _response(edges: Floats, pixels: int, blur: float) -> tuple[Floats, Floats]:
    """K (pixels, samples): part of the light of the interval between two `edges` that pixel p receives, and its
    derivative by a common shift.

    With Phi the normal distribution and R its integral, the light of [e0, e1] left of a border b is R(b - e0) - R(b -
    e1): exact, blur 0 included.
    """
    borders = index_from_edge(np.arange(pixels + 1)) - (pixels // 2)
    t = borders[:, None] - edges[None, :]
    step = ndtr(t / blur) if blur > 0 else np.where(t > 0, 1.0, np.where(t < 0, 0.0, np.mean([0, 1])))
    # light from an edge interval [e0, e1] that lands left of a border: sum(e0) - sum(e1)
    sums = ramp(t, blur)
    value = np.diff(sums[:, :-1] - sums[:, 1:], axis=0)
    slope = np.diff(step[:, 1:] - step[:, :-1], axis=0)
    return value, slope


def _open(images: HoleImages, offset: Floats, at: Floats, scale: Floats) -> AnyArray:
    """Open fraction (n, S, S) of the fine samples at `at` (S,) from the middle of the patch; holes sit at `offset`
    (n, 2).

    The rim is a parabolic S of two fine samples, which keeps the centre better than a straight ramp does. As such a
    rim adds its variance to the
    square of the radius, the radius (`scale` fine samples) is made smaller by as much.
    """
    unit = 1 / images.radius_m
    y, x = at[None, :] - offset[:, :1], at[None, :] - offset[:, 1:]
    square = None
    for k in (0, 1):
        j, h = images.jacobian[:, k] * unit[:, None], images.hessian[:, k] * unit[:, None, None]
        along_y = (j[:, :1] * y + h[:, 0, 0, None] * y**2 / 2).astype(np.float32)
        along_x = (j[:, 1:] * x + h[:, 1, 1, None] * x**2 / 2).astype(np.float32)
        q = (h[:, 0, 1, None] * y).astype(np.float32)[:, :, None] * x.astype(np.float32)[:, None, :]
        q += along_y[:, :, None]
        q += along_x[:, None, :]
        q *= q
        square = q if square is None else np.add(square, q, out=square)
    assert square is not None
    np.sqrt(square, out=square)
    square *= -scale[:, None, None].astype(np.float32)
    square += np.sqrt(scale**2 - _RIM_VARIANCE)[:, None, None].astype(np.float32)  # distance to the rim in fine samples
    np.clip(square, -1, 1, out=square)
    rim = np.abs(square)
    rim -= 2
    rim *= square
    rim -= 1
    rim *= np.float32(-1 / 2)
    return rim


#: Part of the light that passes at places y and x (they broadcast), the mean over cells of the given side; px.
Shade = Callable[[Floats, Floats, float], Floats]


def draw(images: HoleImages, labels: AnyArray | None = None, shade: Shade | None = None) -> list[Patches]:
    """Pictures of all holes, in groups of equal size and blur. `labels` (ny, nx) confines labelled pictures, `shade`
    is what stands before the holes, sharp."""
    if not len(images.yx):
        return []
    smallest = np.linalg.svd(images.jacobian, compute_uv=False)[:, 1]
    half = np.ceil(images.radius_m / smallest * 1.02 + 0.8).astype(np.int64)
    out: list[Patches] = []
    for size, blur in np.unique(np.stack([half, images.blur], axis=1), axis=0):
        sharp = 8 if blur <= 0 else min(8, int(np.ceil(1.2 / blur)))
        fine = max(sharp, int(np.clip(np.ceil(14 / size), 3, 5)))
        members = np.flatnonzero((half == size) & (images.blur == blur))
        chunk = max(1, _CHUNK // ((2 * int(size) + 1) * fine) ** 2)
        for start in range(0, len(members), chunk):
            which = members[start : start + chunk]
            out.append(_draw_group(images.select(which), which, int(size), fine, labels, shade))
    return out


def _draw_group(
    images: HoleImages, which: Ints, half: int, fine: int, labels: AnyArray | None, shade: Shade | None
) -> Patches:
    middle = np.rint(images.yx).astype(np.int64)
    edges = index_from_edge(np.arange((2 * half + 1) * fine + 1) / fine) - half
    at = (edges[1:] + edges[:-1]) / 2
    scale = images.radius_m * fine / np.sqrt(np.abs(np.linalg.det(images.jacobian)))
    # open fraction of the fine samples, confined to the tile, behind the shade; then blur and pixels in one product on
    # either side
    cover = _open(images, images.yx - middle, at, scale)
    if labels is not None:
        pixel = middle[:, None, :] + np.arange(-half, half + 1)[None, :, None]
        pixel = np.clip(pixel, 0, np.array(labels.shape) - 1)
        here = labels[pixel[:, :, None, 0], pixel[:, None, :, 1]]
        same = (here == images.label[:, None, None]) | (images.label < 0)[:, None, None]
        cover *= np.repeat(np.repeat(same, fine, axis=1), fine, axis=2)
    if shade is not None:
        y, x = (middle[:, k, None] + at for k in (0, 1))
        cover *= shade(y[:, :, None], x[:, None, :], 1 / fine).astype(np.float32)
    blur = float(images.blur[0])
    reach = half + int(np.ceil(5 * blur)) + 1
    rest = np.sqrt(max(0.0, blur**2 - _RIM_VARIANCE / fine**2))  # the rim has blurred a little already
    k, dk = (a.astype(np.float32) for a in _response(edges, 2 * reach + 1, rest))
    plain, bent = cover @ k.T, cover @ dk.T
    return Patches(which, middle - reach, k @ plain, dk @ plain, k @ bent)


def accumulate(patches: list[Patches], shape: tuple[int, int]) -> Floats:
    """Sum of all patches (ny, nx)."""
    out = np.zeros(shape[0] * shape[1])
    for p in patches:
        index, inside = _pixels(p, shape)
        np.add.at(out, index[inside], p.value[inside].astype(float))
    return out.reshape(shape)


def _pixels(p: Patches, shape: tuple[int, int]) -> tuple[Ints, AnyArray]:
    """Flat pixel index (n, m, m) of each value of the patches (clipped), and whether it lies inside the image."""
    steps = np.arange(p.value.shape[1])
    y, x = (p.corner[:, k, None] + steps for k in (0, 1))
    inside = ((y >= 0) & (y < shape[0]))[:, :, None] & ((x >= 0) & (x < shape[1]))[:, None, :]
    index = np.clip(y, 0, shape[0] - 1)[:, :, None] * shape[1] + np.clip(x, 0, shape[1] - 1)[:, None, :]
    return index, inside


def fisher_sigma(patches: list[Patches], count: int, level: AnyArray, variance: AnyArray) -> Floats:
    """Cramér-Rao bound (count, 2) of the position of each hole, px.

    Position, amplitude and local background are unknown together; the profile and the other holes are known. `level`
    (ny, nx) is what an open pixel
    adds to the mean, `variance` (ny, nx) the variance of a pixel, infinite where there is no information.
    """
    out = np.full((count, 2), np.inf)
    weight = np.where(np.isfinite(variance) & (variance > 0), 1 / np.where(variance > 0, variance, 1), 0.0).ravel()
    height = np.asarray(level, float).ravel()
    for p in patches:
        index, inside = _pixels(p, level.shape)
        w, a = weight[index] * inside, height[index]
        columns = np.stack([a * p.slope_y, a * p.slope_x, a * p.value, np.ones_like(a)], axis=-1)
        columns = columns.reshape(len(p.which), -1, 4)
        normal = np.matmul((columns * w.reshape(len(w), -1, 1)).transpose(0, 2, 1), columns)
        diagonal = np.diagonal(normal, axis1=1, axis2=2)
        known = np.asarray((diagonal > 0).all(axis=1))
        norm = np.sqrt(np.where(known[:, None], diagonal, 1))
        scaled = normal / norm[:, :, None] / norm[:, None, :]
        scaled[~known] = np.eye(4)
        inverse = np.linalg.inv(scaled + 1e-9 * np.eye(4))
        sigma = np.sqrt(np.maximum(np.diagonal(inverse, axis1=1, axis2=2), 0))[:, :2] / norm[:, :2]
        out[p.which[known]] = sigma[known]
    return out
