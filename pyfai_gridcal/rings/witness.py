"""Rings as witness: what their points say of a field, of modules and of geometries, in the equations of the plate.

A point n on a ring of image k is off it by r, px along the radius. In unknowns that change little::

    r_n + u_n . (d(x_n) - d_0(x_n)) + g_n . (geometry_k - geometry_0k) + z_n . (depth of its module) = noise

with d the displacement (a smooth field, motions of modules, or both), u the direction of the radius. The geometries and
the depths are nobody else's: they follow the unknowns that the plate sees, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.ndimage import center_of_mass

from ..base.arrays import AnyArray, Floats, Ints
from ..base.robust import rms, spread
from ..fitting.plates.beside import Beside, shared_rows
from ..fitting.spline.basis import Axis
from ..fitting.spline.problem import SplineField
from ..records.field import Field, TiledField, label_at
from .bends import bends
from .geometry import slopes, two_theta
from .points import RingPoints

#: What is believed before any point: of the geometry beside the present one (the distance in parts of it, metres,
#: radians), of motions of modules (px, turns in radians) and of their depth (metres) and tilts. So weak that it counts
#: only for what no point tells, which is told of then.
GEOMETRY_PRIOR = np.array([0.1, 0.1, 0.1, 0.3, 0.3])
SHIFT_PRIOR, TURN_PRIOR = 10.0, 0.03
DEPTH_PRIOR = np.array([1e-3, 0.03, 0.03])
#: Of the coefficients of a field, px.
FIELD_PRIOR = 30.0
#: Of a field that is not wanted beside modules, px.
_NONE = 1e-7
#: Beyond this many standard deviations a point counts less and less, beyond the second not at all.
_SOFT, _HARD = 3.0, 8.0


@dataclass(frozen=True, eq=False)
class RingWitness:
    """Rings of some images, with what is thought at present of everything that they depend on.

    Attributes
    ----------
    images : points of each
    geometry : (K, 5) present geometries, see :data:`~pyfai_gridcal.rings.geometry.NAMES`
    pixel_size : (slow, fast) metres
    present : the present displacement
    labels : (ny, nx) module of each pixel, -1 for none; or None for one smooth field
    motions : (M, 3) shift (y, x), px, and turn, rad, of each module about its centre
    depth : (M, 3) depth, m, and its slopes along slow and fast (tilts, rad) of each module; (0, 3): all in the plane
    smooth : whether there is a smooth field
    extra : (K,) variance beyond the sigma of the points, px²
    distances : (K,) m, and what is known of them, (K, K) 1/m²; None for nothing
    scaled : whether that is their steps, by a motor, and with them the size of the pixels
    flat : how little a smooth field is bent on the whole: weight of the squares of its
        :func:`~pyfai_gridcal.rings.bends.bends`; 0: by any amount
    """

    images: tuple[RingPoints, ...]
    geometry: Floats
    pixel_size: tuple[float, float]
    present: Field
    labels: Ints | None
    motions: Floats
    depth: Floats
    smooth: bool
    extra: Floats
    distances: tuple[Floats, Floats] | None = None
    scaled: bool = False
    flat: float = 0.0

    @property
    def aspect(self) -> float:
        """Slow over fast pixel size."""
        return self.pixel_size[0] / self.pixel_size[1]

    @cached_property
    def centres(self) -> Floats:
        """(M, 2) middles of the modules, px."""
        if self.labels is None:
            return np.zeros((0, 2))
        return np.array(center_of_mass(self.labels >= 0, self.labels, np.arange(len(self.motions))))

    def _by_module(self, of: Ints, *values: Floats | float) -> sparse.csr_matrix:
        """(N, 3 M) three values for each point, in the columns of its module (N,)."""
        table = np.stack([np.broadcast_to(v, len(of)) for v in values], axis=1)
        rows, columns = np.repeat(np.arange(len(of)), 3), (3 * of[:, None] + np.arange(3)).ravel()
        return sparse.csr_matrix((table.ravel(), (rows, columns)), shape=(len(of), self.motions.size))

    def _module(self, yx: Floats) -> tuple[Ints, Floats]:
        """Module (N,) of points, and where they are in it (N, 2), px from its centre."""
        assert self.labels is not None
        of = np.maximum(label_at(self.labels, yx), 0)
        return of, yx - self.centres[of]

    def columns(self, yx: Floats) -> sparse.csr_matrix:
        """(2 N, 3 M) displacement by shift and turn of the modules, px, all y, then all x."""
        if self.labels is None:
            return sparse.csr_matrix((2 * len(yx), 0))
        of, off = self._module(yx)
        slow = self._by_module(of, 1.0, 0.0, off[:, 1] / self.aspect)
        fast = self._by_module(of, 0.0, 1.0, -off[:, 0] * self.aspect)
        return sparse.csr_matrix(sparse.vstack([slow, fast]))

    def depths(self, yx: Floats) -> sparse.csr_matrix:
        """(N, 3 M) metres of depth at points, by depth and tilts of the modules; no columns without."""
        if not len(self.depth):
            return sparse.csr_matrix((len(yx), 0))
        of, off = self._module(yx)
        return self._by_module(of, 1.0, *(off * self.pixel_size).T)

    def depth_map(self) -> AnyArray | None:
        """(ny, nx) metres, of pixels of modules that are out of the plane and tilted; None without."""
        if self.labels is None or not len(self.depth):
            return None
        of = np.maximum(self.labels, 0)
        out = self.depth[of, 0]
        for k, n in enumerate(of.shape):
            along = np.expand_dims(np.arange(n), 1 - k)
            out += self.depth[of, 1 + k] * (along - self.centres[of, k]) * self.pixel_size[k]
        return np.where(self.labels < 0, 0.0, out)

    def places(self, yx: Floats) -> Floats:
        """(N, 3) metres, of observed points at present."""
        flat = (yx + self.present.at(yx) + 0.5) * self.pixel_size
        return np.column_stack([flat, self.depths(yx) @ self.depth.ravel()])

    @cached_property
    def seen(self) -> tuple[_Seen, ...]:
        """The points of all images as things are at present."""
        return tuple(self._see(k) for k in range(len(self.images)))

    def _see(self, k: int) -> _Seen:
        points = self.images[k]
        places = self.places(points.yx)
        place, geometry = slopes(places, self.geometry[k])
        toward = place[:, :2] * self.pixel_size
        size = np.linalg.norm(toward, axis=1)
        off = (two_theta(places, self.geometry[k]) - points.two_theta) / size
        variance = np.maximum(np.nan_to_num(points.sigma) ** 2 + self.extra[k], 1e-8)
        depth = sparse.diags(place[:, 2] / size) @ self.depths(points.yx)
        return _Seen(toward / size[:, None], off, size, geometry / size[:, None], depth, variance)

    def rows(self, k: int, y: Axis, x: Axis) -> sparse.csr_matrix:
        """(N, V) what all unknowns do along the radius: coefficients, motions, depths, geometries."""
        seen, n = self.seen[k], len(self.images[k])
        moves = shared_rows(y, x, self.columns, self.images[k].yx)
        along = sum(sparse.diags(seen.unit[:, c]) @ moves[c * n : (c + 1) * n] for c in range(2))
        geometry = np.zeros((n, self.geometry.size))
        geometry[:, 5 * k : 5 * k + 5] = seen.geometry
        return sparse.hstack([along, seen.depth, sparse.csr_matrix(geometry)]).tocsr()

    def priors(self, size: int) -> Floats:
        """Standard deviation of every unknown before any point."""
        field = np.full(2 * size, FIELD_PRIOR if self.smooth else _NONE)
        motion = np.tile([SHIFT_PRIOR, SHIFT_PRIOR, TURN_PRIOR], len(self.motions))
        geometry = np.tile(GEOMETRY_PRIOR, (len(self.images), 1))
        geometry[:, 0] *= self.geometry[:, 0]
        return np.concatenate([field, motion, np.tile(DEPTH_PRIOR, len(self.depth)), geometry.ravel()])

    # -- as the joint solution wants it
    def beside(self, y: Axis, x: Axis) -> Beside:
        """Normal equations of all unknowns."""
        field, shared = 2 * y.size * x.size, 2 * y.size * x.size + self.motions.size
        normal = np.diag(self.priors(y.size * x.size) ** -2.0)
        right = np.zeros(len(normal))
        for k, (points, seen) in enumerate(zip(self.images, self.seen, strict=True)):
            rows = self.rows(k, y, x)
            wanted = (seen.unit * self.present.at(points.yx)).sum(axis=1) + seen.depth @ self.depth.ravel() - seen.off
            weighed = sparse.diags(seen.weight) @ rows
            normal += (rows.T @ weighed).toarray()
            right += weighed.T @ wanted
        if self.flat:
            bent = bends(y, x, self.aspect)
            normal[:field, :field] += self.flat * bent.T @ bent
        if self.distances is not None:
            at, (told, known) = shared + self.depth.size + 5 * np.arange(len(self.images)), self.distances
            normal[np.ix_(at, at)] += known
            right[at] -= known @ (self.geometry[:, 0] - told)
        return Beside(normal, right, self.motions.size, self.columns, len(normal) - shared)

    def after(self, y: Axis, x: Axis, coefficients: Floats, further: Floats) -> RingWitness:
        """The same, about what was found."""
        motions, depth, moves = np.split(further, np.cumsum([self.motions.size, self.depth.size]))
        geometry = self.geometry + moves.reshape(-1, 5)
        new = replace(self, motions=motions.reshape(-1, 3), depth=depth.reshape(-1, 3), geometry=geometry)
        new = replace(new, present=new.field(SplineField(y, x, coefficients)))
        return replace(new, extra=new.scatter())

    def field(self, spline: SplineField) -> Field:
        """The spline, or for each module the spline and its motion, which is a spline again."""
        if self.labels is None:
            return spline
        gy, gx = np.meshgrid(spline.y.abscissae, spline.x.abscissae, indexing="ij")
        tiles = []
        for (dy, dx, turn), (cy, cx) in zip(self.motions, self.centres, strict=True):
            motion = np.stack([dy + turn * (gx - cx) / self.aspect, dx - turn * (gy - cy) * self.aspect], axis=-1)
            tiles.append(replace(spline, coefficients=spline.coefficients + motion))
        return TiledField(self.labels, tuple(tiles))

    def remarks(self) -> list[str]:
        """What the rings say now, in words."""
        out = []
        for points, seen in zip(self.images, self.seen, strict=True):
            used = seen.weight > 0
            off, sigma = rms(seen.off[used]), float(np.sqrt(np.median(seen.variance)))
            out.append(
                f"rings of {points.name}: {off:.3g} px rms off, {used.sum()} of {len(points)} points,"
                f" which count with {sigma:.3g} px"
            )
        return out

    def scatter(self) -> Floats:
        """(K,) variance that the points of each image show beyond their sigma, px²."""
        out = []
        for points, seen in zip(self.images, self.seen, strict=True):
            off = seen.off[seen.weight > 0] if (seen.weight > 0).any() else seen.off
            good = off[np.abs(off) <= 4 * spread(off, about=0.0)]
            square = (good**2).sum() / max(len(good) - 5, 1)
            out.append(max(square - np.median(np.nan_to_num(points.sigma) ** 2), 0.0))
        return np.array(out)


@dataclass(frozen=True, eq=False)
class _Seen:
    """Points of one image: direction of the radius (N, 2), how far off (N,) px, rad that a pixel stands for (N,), what
    geometry (N, 5) and depths (N, 3 M) do, variance (N,) px²."""

    unit: Floats
    off: Floats
    size: Floats
    geometry: Floats
    depth: sparse.csr_matrix
    variance: Floats

    @cached_property
    def weight(self) -> Floats:
        """(N,) 1/px²: less for those far off, nothing for those very far."""
        far = np.abs(self.off) / np.sqrt(self.variance)
        far = far / max(1.0, spread(far, about=0.0))
        soft = np.where(far < _HARD, np.minimum(1.0, _SOFT / np.maximum(far, 1e-9)), 0.0)
        return np.asarray(soft / self.variance)
