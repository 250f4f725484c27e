"""The same detector read out otherwise: mirrored images, binned pixels, a part of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...base.arrays import AnyArray, Floats
from ...base.errors import UsageError
from ...base.frames import CORNERS, edge_from_index, index_from_edge, raster_places
from ...base.units import Region
from ...records.distortion import Distortion
from ...records.field import CornerField, Field, corner_values
from ..nexus.contents import ORIENTATIONS


@dataclass(frozen=True, eq=False)
class _Mirrored:
    field: Field
    shape: tuple[int, int]
    flip: tuple[bool, bool]
    in_place: bool = False

    def _source(self, at: AnyArray, axis: int) -> Floats:
        at = np.asarray(at, float)
        return self.shape[axis] - 1 - at if self.flip[axis] else at

    def _sign(self) -> Floats:
        return np.where(self.flip, -1.0, 1.0)

    def at(self, yx: AnyArray) -> Floats:
        yx = np.asarray(yx, float).reshape(-1, 2)
        source = np.stack([self._source(yx[:, k], k) for k in (0, 1)], axis=-1)
        value = self.field.at(source)
        return value + source - yx if self.in_place else value * self._sign()

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        v, u = self._source(y, 0), self._source(x, 1)
        values = self.field.on_grid(np.sort(v), np.sort(u))[np.ix_(_rank(v), _rank(u))]
        return values + raster_places(v - y, u - x) if self.in_place else values * self._sign()


def _rank(values: Floats) -> AnyArray:
    return np.argsort(np.argsort(values, kind="stable"), kind="stable")


@dataclass(frozen=True, eq=False)
class _Binned:
    field: Field
    factor: tuple[int, int]

    def _source(self, at: AnyArray, axis: int) -> Floats:
        return index_from_edge(edge_from_index(np.asarray(at, float)) * self.factor[axis])

    def at(self, yx: AnyArray) -> Floats:
        yx = np.asarray(yx, float).reshape(-1, 2)
        return self.field.at(np.stack([self._source(yx[:, k], k) for k in (0, 1)], axis=-1)) / self.factor

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        return self.field.on_grid(self._source(y, 0), self._source(x, 1)) / self.factor


@dataclass(frozen=True, eq=False)
class FieldFrom:
    """A field whose positions are counted from another pixel, `first` (y, x), px, with values that are `more`."""

    field: Field
    first: tuple[float, float]
    more: tuple[float, float] = (0.0, 0.0)

    def at(self, yx: AnyArray) -> Floats:
        return self.field.at(np.asarray(yx, float).reshape(-1, 2) + self.first) + self.more

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        return (
            self.field.on_grid(np.asarray(y, float) + self.first[0], np.asarray(x, float) + self.first[1]) + self.more
        )


def part_of(distortion: Distortion, region: Region | None, orientation: int = 3) -> Distortion:
    """The distortion of images that show rows y0 to y1 - 1 and columns x0 to x1 - 1 only.

    Of images in another orientation, too, places count from the corner of the part that is the first in orientation 3.
    """
    if region is None:
        return distortion
    y0, y1, x0, x1 = region
    if y1 > distortion.shape[0] or x1 > distortion.shape[1]:
        raise UsageError(
            f"region {y0}:{y1},{x0}:{x1} of a detector of {distortion.shape} pixels", expected="a part of it"
        )
    cut = slice(y0, y1), slice(x0, x1)
    (ny, nx), (slow, fast) = distortion.shape, ORIENTATIONS[orientation]
    more = float(y0 + y1 - ny if slow else 0), float(x0 + x1 - nx if fast else 0)
    field: Field
    if distortion.is_tiled:
        field = CornerField(corner_values(distortion.field, distortion.shape)[cut] + more)
    else:
        field = FieldFrom(distortion.field, (y0, x0), more)
    mask, depth = (None if one is None else one[cut] for one in (distortion.mask, distortion.depth))
    sigma = None if distortion.sigma is None else FieldFrom(distortion.sigma, (y0, x0))
    traits = distortion.traits.seen(lambda array: array[cut])
    return replace(
        distortion, field=field, shape=(y1 - y0, x1 - x0), mask=mask, sigma=sigma, traits=traits, depth=depth
    )


def mirrored(distortion: Distortion, *, slow: bool, fast: bool, in_place: bool = False) -> Distortion:
    """The distortion of the images with the slow or the fast axis (or both) turned round.

    Corrected positions count from the first pixel of these images, or with `in_place` from where they did before: each
    pixel stays where it is on the detector plane.
    """
    if not (slow or fast):
        return distortion
    cut = slice(None, None, -1 if slow else 1), slice(None, None, -1 if fast else 1)
    field: Field
    if distortion.is_tiled:
        values = corner_values(distortion.field, distortion.shape)[cut]
        order = {
            (False, False): (0, 1, 2, 3),
            (True, False): (1, 0, 3, 2),
            (False, True): (3, 2, 1, 0),
            (True, True): (2, 3, 0, 1),
        }
        values = values[:, :, list(order[slow, fast])]
        pixels = np.moveaxis(np.indices(distortion.shape), 0, -1)[:, :, None] + np.array(CORNERS)
        turned = values + distortion.shape - 2 * pixels if in_place else -values
        field = CornerField(np.where((slow, fast), turned, values))
    else:
        field = _Mirrored(distortion.field, distortion.shape, (slow, fast), in_place)
    mask, depth = (None if one is None else one[cut] for one in (distortion.mask, distortion.depth))
    sigma = None if distortion.sigma is None else _Unsigned(_Mirrored(distortion.sigma, distortion.shape, (slow, fast)))
    traits = distortion.traits.seen(lambda array: array[cut])
    return replace(distortion, field=field, mask=mask, sigma=sigma, traits=traits, depth=depth)


@dataclass(frozen=True, eq=False)
class _Unsigned:
    field: Field

    def at(self, yx: AnyArray) -> Floats:
        return np.abs(self.field.at(yx))

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        return np.abs(self.field.on_grid(y, x))


def in_orientation(distortion: Distortion, orientation: int) -> Distortion:
    """The distortion of a detector for images in orientation 3, for images in another one: each pixel is where pyFAI
    puts it, so that all places on the detector plane, and the geometry of a PONI file, stay what they are.
    """
    slow, fast = ORIENTATIONS[orientation]
    return mirrored(distortion, slow=slow, fast=fast, in_place=True)


def with_traits_turned(distortion: Distortion, orientation: int) -> Distortion:
    """With flat and dark of images in that orientation as those of images in orientation 3, or the other way round."""
    axes = tuple(axis for axis, turned in enumerate(ORIENTATIONS[orientation]) if turned)
    traits = distortion.traits.seen(lambda array: np.flip(array, axes))
    return distortion if traits is distortion.traits else replace(distortion, traits=traits)


def to_orientation_3(distortion: Distortion, orientation: int) -> Distortion:
    """The distortion of a file that was made for images of a pyFAI orientation (1 to 4), for images of orientation 3.

    Orientation 3 is the one that pyFAI treats alike in all its methods.
    """
    if orientation not in ORIENTATIONS:
        raise UsageError(f"orientation {orientation}", expected="1, 2, 3 or 4")
    slow, fast = ORIENTATIONS[orientation]
    return mirrored(distortion, slow=slow, fast=fast)


def binned(distortion: Distortion, factor: tuple[int, int]) -> Distortion:
    """The distortion of images with `factor` (slow, fast) pixels read out as one; a pixel with a masked part is masked.

    Pixels that do not fill a whole one at the end of an axis are lost.
    """
    if factor == (1, 1):
        return distortion
    if min(factor) < 1 or any(n < f for n, f in zip(distortion.shape, factor, strict=True)):
        raise UsageError(
            f"binning {factor} of a detector of {distortion.shape} pixels", expected="whole numbers of pixels"
        )
    (ny, nx), (fy, fx) = distortion.shape, factor
    shape = ny // fy, nx // fx
    whole = slice(0, shape[0] * fy), slice(0, shape[1] * fx)
    field: Field
    if distortion.is_tiled:
        values = corner_values(distortion.field, distortion.shape)[whole]
        parts = [
            values[0::fy, 0::fx, 0],
            values[fy - 1 :: fy, 0::fx, 1],
            values[fy - 1 :: fy, fx - 1 :: fx, 2],
            values[0::fy, fx - 1 :: fx, 3],
        ]
        field = CornerField(np.stack(parts, axis=2) / np.array(factor))
    else:
        field = _Binned(distortion.field, factor)

    def apart(array: AnyArray) -> AnyArray:
        return array[whole].reshape(shape[0], fy, shape[1], fx)

    mask = None if distortion.mask is None else np.asarray(apart(distortion.mask).any(axis=(1, 3)))
    depth = None if distortion.depth is None else apart(distortion.depth).mean(axis=(1, 3))
    sigma = None if distortion.sigma is None else _Binned(distortion.sigma, factor)
    size = distortion.pixel_size[0] * fy, distortion.pixel_size[1] * fx
    # Counts of pixels that are read out as one are added, and so is what they have in the dark.
    traits = distortion.traits.seen(lambda a: apart(a).mean(axis=(1, 3)), lambda a: apart(a).sum(axis=(1, 3)))
    return replace(
        distortion, field=field, shape=shape, pixel_size=size, mask=mask, sigma=sigma, traits=traits, depth=depth
    )
