"""A scene: a plate of holes in front of a distorted detector, and the picture that comes out, of which everything is
known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from typing import cast

import numpy as np

from ..base.arrays import AnyArray, Bools, Floats, Ints
from ..base.frames import pixel_centres, raster_places
from ..records.distortion import Distortion
from ..records.field import TiledField
from ..records.fit import Pose
from ..records.plate import Plate
from .drawing import HoleImages, accumulate, draw, expand, fisher_sigma
from .fields import centre_of
from .parts import Camera, Faults, Light, TruthSpots, passed

__all__ = ["Scene", "SyntheticImage", "imperfect", "place"]

#: Smallest hole of a plate whose holes scatter in size, as a part of the nominal one: normal scatter may go below zero.
_SMALLEST = 0.05
#: Part of the light below which a shadow does not count: far below the noise of any pixel.
_FAINT = 1e-4


@dataclass(frozen=True, eq=False)
class SyntheticImage:
    """A picture with its truth.

    Attributes
    ----------
    image : (ny, nx) as the camera gives it
    mask : (ny, nx) True = known to be useless (gaps); None when the scene has none
    truth : spots that can be seen
    mean : (ny, nx) float32, the picture without any noise or fault of single pixels
    scene : where it comes from
    """

    image: AnyArray
    mask: Bools | None
    truth: TruthSpots
    mean: AnyArray = field(repr=False)
    scene: Scene

    @property
    def distortion(self) -> Distortion:
        """The true distortion."""
        return self.scene.distortion


def place(
    distortion: Distortion, plate: Plate, *, angle_deg: float = 2.3, offset: tuple[float, float] = (0.31, 0.57)
) -> Pose:
    """Pose of `plate` turned by `angle_deg` whose hole (0, 0) is `offset` (fractions of the pitch along i, j) off the
    middle of the detector."""
    angle = np.deg2rad(angle_deg)
    bare = Pose(float(angle), (0.0, 0.0))
    size = distortion.pixel_size
    moved = bare.corrected(np.asarray(offset)[None] @ plate.basis, size) - bare.corrected(np.zeros((1, 2)), size)
    middle = np.array(centre_of(distortion.shape)) - bare.corrected(np.zeros((1, 2)), size)
    shift = (moved + middle)[0] * size
    return Pose(float(angle), (float(shift[0]), float(shift[1])))


def imperfect(plate: Plate, rms_m: float, *, seed: int = 0, span: int = 100, block: tuple[int, int] = (1, 1)) -> Plate:
    """The plate with random errors (rms `rms_m` metres along y and x) of all holes from -span to span, besides those it
    has.

    The holes of a `block` (along i, along j), counted from -span, share their error: a plate made in steps; with
    (1, 1000), a drill that finds each row anew.
    """
    ij = np.argwhere(np.ones((2 * span + 1, 2 * span + 1))) - span
    drawn, which = np.unique((ij + span) // block, axis=0, return_inverse=True)
    error = np.random.default_rng(seed).normal(0, rms_m, (len(drawn), 2))[which.ravel()]
    error += plate.positions(ij) - ij @ plate.basis
    return replace(plate, error_ij=ij, error_yx=error, error_sigma_yx=None)


def _dice(ij: Ints, seed: int, what: int) -> Floats:
    """Random numbers in (0, 1) that depend on the hole, the seed and the question only (mixing of SplitMix64)."""
    with np.errstate(over="ignore"):
        z = ij[:, 0].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + ij[:, 1].astype(np.uint64)
        z = z * np.uint64(0xD1B54A32D192ED03) + np.uint64(seed & 0xFFFFFFFF) * np.uint64(64) + np.uint64(what)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (30, 0xBF58476D1CE4E5B9)):
            z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(float) / 2**53 + 2**-54


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that determines a picture, but the noise.

    Attributes
    ----------
    distortion : the truth; its mask (gaps) reads the pedestal and is handed out with the picture
    plate : with the diameter of its holes
    pose : placement of the plate
    light, camera, faults : as their names say
    """

    distortion: Distortion
    plate: Plate
    pose: Pose
    light: Light = field(default_factory=Light)
    camera: Camera = field(default_factory=Camera)
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        if self.plate.hole_m is None:
            raise ValueError("plate without diameter of its holes, expected hole_m in metres")

    @property
    def shape(self) -> tuple[int, int]:
        """(slow, fast) pixels."""
        return self.distortion.shape

    @property
    def hole_px(self) -> float:
        """Diameter of a hole, px of a corrected pixel."""
        assert self.plate.hole_m is not None
        return float(self.plate.hole_m / np.sqrt(np.prod(self.distortion.pixel_size)))

    def exposures(self, poses: Sequence[Pose]) -> tuple[Scene, ...]:
        """The same plate and detector with the plate placed otherwise."""
        return tuple(replace(self, pose=pose) for pose in poses)

    def holes(self) -> TruthSpots:
        """Images of all holes within the picture, blocked ones left out; `sigma_yx` is 0, and `whole` knows of
        merging only."""
        ij, yx, _ = self._images()
        seen = self._seen(yx)
        ij, yx = ij[seen], yx[seen]
        return TruthSpots(yx, ij, np.zeros_like(yx), ~self._merged(ij))

    def render(self, rng: np.random.Generator, *, bounds: bool = True) -> SyntheticImage:
        """Take a picture.

        Parameters
        ----------
        rng : noise and faults of single pixels
        bounds : also compute the Cramér-Rao bounds of the spots (otherwise they are 0)
        """
        # the pictures of all holes, added up; the lamp behind them; then what the camera makes of it
        ij, images = self._pictures()
        tiles = self._tiles
        shade = partial(self._shade, 0.0) if self.faults.opaque else None
        patches = draw(images, None if tiles is None else tiles.labels, shade)
        light = np.clip(accumulate(patches, self.shape), 0, 1)
        lamp = self._lamp()
        sign = 1 if self.light.polarity == "bright" else -1
        level = self.light.background + (0 if sign > 0 else self.light.peak)
        free = self._free()
        mean = lamp * np.maximum(free * self._around(level) + sign * self.light.peak * light, 0)
        mean = self.camera.stray(mean)
        image = self._expose(mean, rng)
        # of the holes those count that a perfect eye would see
        own = np.flatnonzero(images.label >= -1)[: len(ij)]
        visible = self._seen(images.yx[own])
        if tiles is not None:
            visible &= tiles.label_at(images.yx[own]) == images.label[own]
        sigma = np.zeros((len(images.yx), 2))
        if bounds:
            variance = self.camera.gain * mean + self.camera.readout**2
            variance[lamp <= 0] = np.inf
            variance[self.camera.spill(mean + self.camera.pedestal) >= self.camera.saturation] = np.inf
            # the picture of a hole moves, but not the rim before it: what is not wholly free tells nothing
            variance[free < 1 - _FAINT] = np.inf
            sigma = fisher_sigma(patches, len(images.yx), lamp * self.light.peak, variance)
            visible &= (sigma[own] < self.hole_px / 4).all(axis=1)
        own = own[visible]
        whole = self._whole(images.select(own), lamp) & ~self._merged(ij[visible])
        truth = TruthSpots(images.yx[own], ij[visible], sigma[own], whole)
        full = (mean + self.camera.pedestal).astype(np.float32)
        return SyntheticImage(image, self.distortion.mask, truth, full, self)

    @property
    def _tiles(self) -> TiledField | None:
        return self.distortion.field if isinstance(self.distortion.field, TiledField) else None

    # -- geometry
    def _images(self) -> tuple[Ints, Floats, Ints]:
        """Index, observed position and tile (-1 when there are no tiles) of each image of a hole in and around the
        picture."""
        tiles, parts = self._tiles, [(-1, self.distortion)]
        if tiles is not None:
            parts = [(k, replace(self.distortion, field=f, mask=None)) for k, f in enumerate(tiles.fields)]
        found = []
        for label, part in parts:
            ij = self._candidates(part)
            corrected = self.pose.corrected(self.plate.positions(ij), self.distortion.pixel_size)
            yx = part.distort(corrected)
            near = np.isfinite(yx).all(axis=1) & self._inside(yx, margin=2 * self.hole_px + 6 * self.camera.widest)
            if tiles is not None:
                near &= self._touches(tiles.labels == label, yx)
            found.append((ij[near], yx[near], np.full(near.sum(), label)))
        ij, yx, labels = (np.concatenate(column) for column in zip(*found, strict=True))
        keep = _dice(ij, self.faults.seed, 0) >= self.faults.missing
        return ij[keep], yx[keep], labels[keep]

    def _candidates(self, part: Distortion) -> Ints:
        """Indices of the holes that may be seen."""
        border = [np.linspace(-0.05 * n, 1.05 * n, 33) for n in self.shape]
        corrected = (part.field.on_grid(*border) + raster_places(*border)).reshape(-1, 2)
        node = self._node(corrected)
        low, high = np.floor(node.min(axis=0)).astype(int) - 1, np.ceil(node.max(axis=0)).astype(int) + 1
        if self.faults.extent is not None:
            low = np.maximum(low, self.faults.extent[0::2])
            high = np.minimum(high, self.faults.extent[1::2])
        rows, columns = (np.arange(a, b + 1) for a, b in zip(low, high, strict=True))
        return np.stack([v.ravel() for v in np.meshgrid(rows, columns, indexing="ij")], axis=1).astype(np.int64)

    def _node(self, corrected: Floats) -> Floats:
        """Fractional indices (..., 2) of places of the corrected plane (..., 2), those of the ideal plate."""
        zero, i, j = self.pose.corrected(
            np.concatenate([np.zeros((1, 2)), self.plate.basis]), self.distortion.pixel_size
        )
        return cast(Floats, (corrected - zero) @ np.linalg.inv(np.stack([i - zero, j - zero])))

    def _seen(self, yx: Floats) -> Bools:
        """Whether holes at `yx` are inside the picture and not wholly behind something."""
        seen = self._inside(yx)
        for thing in self.faults.opaque:
            seen &= thing.distance(yx) > -self.hole_px / 2
        return seen

    def _inside(self, yx: Floats, margin: float = 0.0) -> Bools:
        top = np.array(self.shape) - 1
        return cast(Bools, ((yx >= -margin) & (yx <= top + margin)).all(axis=1))

    def _touches(self, tile: AnyArray, yx: Floats) -> Bools:
        """Whether the picture of a hole at `yx` may reach the tile (a box around it)."""
        rows, columns = (np.flatnonzero(tile.any(axis=axis)) for axis in (1, 0))
        low, high = np.array([rows[0], columns[0]]), np.array([rows[-1], columns[-1]])
        return cast(Bools, ((yx > low - 2 * self.hole_px) & (yx < high + 2 * self.hole_px)).all(axis=1))

    def _merged(self, ij: Ints) -> Bools:
        """Holes that are one with the neighbour at j + 1 or j - 1."""
        merged: Bools = _dice(ij, self.faults.seed, 1) < self.faults.merged
        merged |= _dice(ij - (0, 1), self.faults.seed, 1) < self.faults.merged
        return merged

    def _pictures(self) -> tuple[Ints, HoleImages]:
        """All pictures to draw: the holes first (their indices are the first result), then slots between merged holes
        and dirt."""
        assert self.plate.hole_m is not None
        ij, yx, label = self._images()
        grown = np.maximum(1 + ij @ np.array(self.faults.size_trend), _SMALLEST)
        radius = self.plate.hole_m / 2 * grown
        if self.faults.size_spread:
            u, v = _dice(ij, self.faults.seed, 2), _dice(ij, self.faults.seed, 3)
            scatter = self.faults.size_spread * np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)
            radius *= np.maximum(1 + scatter, _SMALLEST)
        extra, extra_label = self._extra(ij, yx, label)
        yx, label = np.concatenate([yx, extra]), np.concatenate([label, extra_label])
        radius = np.concatenate([radius, np.full(len(extra), 0.4 * self.plate.hole_m)])
        size, reach = self.distortion.pixel_size, radius / np.sqrt(np.prod(self.distortion.pixel_size))
        if self._tiles is None:
            jacobian, hessian = expand(self.distortion.field, yx, size, 0.7 * reach)
        else:
            jacobian, hessian = np.empty((len(yx), 2, 2)), np.empty((len(yx), 2, 2, 2))
            for k, part in enumerate(self._tiles.fields):
                here = label == k
                jacobian[here], hessian[here] = expand(part, yx[here], size, 0.7 * reach[here])
        return ij, HoleImages(yx, jacobian, hessian, radius, self.camera.blur_at(yx, self.shape), label)

    def _extra(self, ij: Ints, yx: Floats, label: Ints) -> tuple[Floats, Ints]:
        """Places (N, 2) and tiles of openings that are no holes: a chain of small ones between merged holes, and
        dirt."""
        places, labels = [np.empty((0, 2))], [np.empty(0, np.int64)]
        if self.faults.merged:
            row = {(int(k), int(i), int(j)): n for n, ((i, j), k) in enumerate(zip(ij, label, strict=True))}
            for n in np.flatnonzero(_dice(ij, self.faults.seed, 1) < self.faults.merged):
                other = row.get((int(label[n]), int(ij[n, 0]), int(ij[n, 1]) + 1))
                if other is not None:
                    count = max(1, int(np.hypot(*(yx[other] - yx[n])) / (0.5 * self.hole_px)))
                    t = np.arange(1, count)[:, None] / count
                    places.append((1 - t) * yx[n] + t * yx[other])
                    labels.append(np.full(count - 1, label[n]))
        if self.faults.dirt:
            rng = np.random.default_rng([self.faults.seed, 1])
            where = rng.uniform(0, 1, (self.faults.dirt, 2)) * (np.array(self.shape) - 1)
            places.append(where)
            labels.append(np.full(len(where), -1) if self._tiles is None else self._tiles.label_at(where))
        return np.concatenate(places), np.concatenate(labels).astype(np.int64)

    def _whole(self, images: HoleImages, lamp: Floats) -> Bools:
        """Whether the hole with its blurred rim lies in lit pixels, inside the picture and in one tile."""
        reach = images.radius_m / np.linalg.svd(images.jacobian, compute_uv=False)[:, 1] + 2 * images.blur
        turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        ring = images.yx[:, None, :] + reach[:, None, None] * np.stack([np.sin(turn), np.cos(turn)], axis=-1)
        pixel = np.rint(ring).astype(np.int64)
        top = np.array(self.shape) - 1
        inside = ((pixel >= 0) & (pixel <= top)).all(axis=2)
        pixel = np.clip(pixel, 0, top)
        whole = inside & (lamp[pixel[..., 0], pixel[..., 1]] > 0)
        if self._tiles is not None:
            whole &= self._tiles.labels[pixel[..., 0], pixel[..., 1]] == images.label[:, None]
        free = [thing.distance(images.yx) > reach for thing in self.faults.opaque]
        return cast(Bools, whole.all(axis=1) & np.all(free, axis=0))

    # -- light and noise
    def _shade(self, blur: AnyArray | float, y: AnyArray, x: AnyArray, cell: float) -> Floats:
        """Part of the light that passes the opaque things; see :meth:`Opaque.cover`."""
        return reduce(np.multiply, [1 - thing.cover(y, x, blur, cell) for thing in self.faults.opaque])

    def _blurs(self) -> Floats:
        """Blur (ny, nx) at each pixel."""
        return self.camera.blur_at(np.moveaxis(np.indices(self.shape), 0, -1), self.shape)

    def _free(self) -> Floats:
        """Part of each pixel (ny, nx) that nothing opaque covers, blurred."""
        if not self.faults.opaque:
            return np.ones(self.shape)
        y, x = pixel_centres(self.shape)
        return self._shade(self._blurs(), y[:, None], x, 1.0)

    def _around(self, level: float) -> Floats | float:
        """Counts around the holes: `level` on the plate, others where it has ended (ny, nx)."""
        if self.light.outside is None or self.faults.extent is None:
            return level
        y, x = pixel_centres(self.shape)
        place = np.moveaxis(np.indices(self.shape), 0, -1)
        node = self._node(self.distortion.field.on_grid(y, x) + place)
        plate, blur = np.ones(self.shape), self._blurs()
        for k, (low, high) in enumerate((self.faults.extent[:2], self.faults.extent[2:])):
            slope = np.hypot(*np.gradient(node[..., k]))
            first, last = ((node[..., k] - rim) / slope for rim in (low - 1, high + 1))
            plate *= passed(first, blur, 1.0) - passed(last, blur, 1.0)
        return self.light.outside + plate * (level - self.light.outside)

    def _lamp(self) -> Floats:
        lamp = self.light.lamp(self.shape)
        if self.distortion.mask is not None:
            lamp = np.where(self.distortion.mask, 0, lamp)
        if self.faults.beam_stop is not None:
            y, x, radius = self.faults.beam_stop
            rows, columns = np.arange(self.shape[0])[:, None] - y, np.arange(self.shape[1])[None, :] - x
            shadow = rows**2 + columns**2 < radius**2
            shadow |= (np.abs(columns - 0.1 * rows) < 0.15 * radius) & (rows > 0)
            lamp = np.where(shadow, 0, lamp)
        return lamp

    def _expose(self, mean: Floats, rng: np.random.Generator) -> AnyArray:
        camera, faults = self.camera, self.faults
        out = mean if camera.gain <= 0 else (camera.gain * rng.poisson(mean / camera.gain)).astype(np.float64)
        out = out + camera.pedestal
        if camera.readout > 0:
            out += camera.readout * rng.standard_normal(self.shape, dtype=np.float32)
        if faults.zingers:
            hit = rng.integers(0, self.shape[0], faults.zingers), rng.integers(0, self.shape[1], faults.zingers)
            out[hit] += self.light.peak * 10 ** rng.uniform(-0.7, 0.7, faults.zingers)
        if faults.hot_columns:
            columns = rng.choice(self.shape[1], faults.hot_columns, replace=False)
            out[:, columns] += self.light.peak * rng.uniform(0.05, 0.5, faults.hot_columns)
        out = camera.spill(out)
        dtype = np.dtype(camera.dtype)
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            out = np.clip(np.rint(out), limits.min, limits.max)
        return out.astype(dtype)
