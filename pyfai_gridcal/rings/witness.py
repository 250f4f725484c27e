"""Rings as witness: what their points say of a field, of modules and of geometries, in the equations of the plate.

A point n on a ring of image k is off it by r, px along the radius. In unknowns that change little::

    r_n + u_n . (d(x_n) - d_0(x_n)) + g_n . (geometry_k - geometry_0k) + z_n . (depth of its module) = noise

with d the displacement (a smooth field, motions of modules, or both), u the direction of the radius. The geometries and
the depths are nobody else's: they are eliminated before the equations meet those of the plate, and come back after.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.linalg import block_diag
from scipy.ndimage import center_of_mass

from ..base.arrays import AnyArray, Bools, Floats, Ints
from ..base.robust import NORMAL, rms
from ..fitting.plates.beside import Beside, shared_rows
from ..fitting.spline.basis import Axis, band_of_stencil, roughness_stencil
from ..fitting.spline.problem import SplineField
from ..records.field import Field, TiledField, label_at
from .geometry import slopes, two_theta
from .points import RingPoints

#: What is believed before any point: of the geometry beside the present one (the distance in parts of it, metres,
#: radians), of motions of modules (px, turns in radians) and of their depth (metres) and tilts. So weak that it counts
#: only for what no point tells, which is told of then.
GEOMETRY_PRIOR = np.array([0.1, 0.1, 0.1, 0.3, 0.3])
SHIFT_PRIOR, TURN_PRIOR = 10.0, 0.03
DEPTH_PRIOR, TILT_PRIOR = 1e-3, 0.03
#: Of the coefficients of a field, px.
FIELD_PRIOR = 30.0
#: Of a field that is not wanted beside modules, px.
_NONE = 1e-7
#: Of the plane through modules, in parts of their depth.
_STILL = 1e-4
#: Beyond this many standard deviations a point counts less and less, beyond the second not at all.
_SOFT, _HARD = 3.0, 8.0


def centres_of(labels: Ints | None) -> Floats:
    """(M, 2) middles of modules, px, by the number of the module of each pixel."""
    if labels is None:
        return np.zeros((0, 2))
    return np.array(center_of_mass(labels >= 0, labels, np.arange(labels.max() + 1)))


def mean_bend(y: Axis, x: Axis) -> Floats:
    """(2 size, 2 size) form of the squares of the mean second derivatives of both components, over the detector."""
    gy, gx = (g.ravel() for g in np.meshgrid(y.abscissae, x.abscissae, indexing="ij"))
    parabolas = np.stack([gy**2, gy * gx, gx**2], axis=1)
    seen = band_of_stencil(roughness_stencil(y, x, 2)).dense() @ parabolas
    one = seen @ np.linalg.solve(parabolas.T @ seen, seen.T)
    return np.asarray(block_diag(one, one))


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
    centres : (M, 2) of the modules, px
    further : (3 M,) shift (y, x), px, and turn, rad, of each module about its centre
    depth : (3 M,) depth, m, and its slopes along slow and fast (tilts, rad) of each module, or nothing
    smooth : whether there is a smooth field
    extra : (K,) variance beyond the sigma of the points, px²
    distances : (K,) m, and what is known of them, (K, K) 1/m²; None for nothing
    scaled : whether that is their steps, by a motor, and with them the size of the pixels
    left_out : (K,) None, or points that do not count
    flat : how little a smooth field is bent on the whole: weight of :func:`mean_bend`; 0: by any amount
    """

    images: tuple[RingPoints, ...]
    geometry: Floats
    pixel_size: tuple[float, float]
    present: Field
    labels: Ints | None
    centres: Floats
    further: Floats
    depth: Floats
    smooth: bool
    extra: Floats
    distances: tuple[Floats, Floats] | None = None
    scaled: bool = False
    left_out: tuple[Bools, ...] | None = None
    flat: float = 0.0

    @property
    def modules(self) -> int:
        """How many there are."""
        return len(self.further) // 3

    def _module(self, yx: Floats) -> tuple[Ints, Floats]:
        """Module (N,) of points, and where they are in it (N, 2), px from its centre."""
        assert self.labels is not None
        of = np.maximum(label_at(self.labels, yx), 0)
        return of, yx - self.centres[of]

    def columns(self, yx: Floats) -> sparse.csr_matrix:
        """(2 N, 3 M) displacement by shift and turn of the modules, px, all y, then all x."""
        if not len(self.further):
            return sparse.csr_matrix((2 * len(yx), 0))
        of, off = self._module(yx)
        aspect = self.pixel_size[0] / self.pixel_size[1]
        n, one, zero = len(yx), np.ones(len(yx)), np.zeros(len(yx))
        values = np.concatenate([[one, zero, off[:, 1] / aspect], [zero, one, -off[:, 0] * aspect]], axis=1).T
        at = np.tile(3 * of, 2)[:, None] + np.arange(3)
        rows = np.repeat(np.arange(2 * n), 3)
        return sparse.csr_matrix((values.ravel(), (rows, at.ravel())), shape=(2 * n, len(self.further)))

    def depths(self, yx: Floats) -> Floats:
        """(N, 3 M) metres of depth at points, by depth and tilts of the modules; no columns without."""
        out = np.zeros((len(yx), len(self.depth)))
        if len(self.depth):
            of, off = self._module(yx)
            at = np.arange(len(yx))
            for k, value in enumerate((np.ones(len(yx)), *(off * self.pixel_size).T)):
                out[at, 3 * of + k] = value
        return out

    def depth_map(self) -> AnyArray | None:
        """(ny, nx) metres, of pixels of modules that are out of the plane and tilted; None without."""
        if self.labels is None or not len(self.depth):
            return None
        depth, (cy, cx) = self.depth.reshape(-1, 3), self.centres.T
        (ny, nx), of = self.labels.shape, np.maximum(self.labels, 0)
        down, right = (
            (np.arange(ny)[:, None] - cy[of]) * self.pixel_size[0],
            (np.arange(nx) - cx[of]) * self.pixel_size[1],
        )
        return np.where(self.labels < 0, 0.0, depth[of, 0] + depth[of, 1] * down + depth[of, 2] * right)

    def places(self, yx: Floats) -> Floats:
        """(N, 3) metres, of observed points at present."""
        flat = (yx + self.present.at(yx) + 0.5) * self.pixel_size
        return np.column_stack([flat, self.depths(yx) @ self.depth])

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
        variance = np.nan_to_num(points.sigma) ** 2 + self.extra[k]
        return _Seen(
            toward / size[:, None],
            off,
            size,
            geometry / size[:, None],
            self.depths(points.yx) * (place[:, 2] / size)[:, None],
            np.maximum(variance, 1e-8),
            None if self.left_out is None else self.left_out[k],
        )

    def rows(self, k: int, y: Axis, x: Axis) -> sparse.csr_matrix:
        """(N, V) what all unknowns do along the radius: coefficients, motions, depths, geometries."""
        seen, n = self.seen[k], len(self.images[k])
        moves = shared_rows(y, x, self.columns, self.images[k].yx)
        along = sum(sparse.diags(seen.unit[:, c]) @ moves[c * n : (c + 1) * n] for c in range(2))
        geometry = np.zeros((n, 5 * len(self.images)))
        geometry[:, 5 * k : 5 * k + 5] = seen.geometry
        return sparse.hstack([along, *map(sparse.csr_matrix, (seen.depth, geometry))]).tocsr()

    @cached_property
    def _made(self) -> dict[tuple[Axis, Axis], Equations]:
        """Equations by their axes: what is solved is asked for its own unknowns afterwards."""
        return {}

    def equations(self, y: Axis, x: Axis) -> Equations:
        """Normal equations of the displacement (2 size + 3 M) and of what is the rings' own: depths, geometries."""
        if (y, x) not in self._made:
            self._made[y, x] = self._equations(y, x)
        return self._made[y, x]

    def _equations(self, y: Axis, x: Axis) -> Equations:
        size, depths = 2 * y.size * x.size + len(self.further), len(self.depth)
        count = size + depths + 5 * len(self.images)
        normal, right = np.zeros((count, count)), np.zeros(count)
        for k, (points, seen) in enumerate(zip(self.images, self.seen, strict=True)):
            rows = self.rows(k, y, x)
            wanted = (seen.unit * self.present.at(points.yx)).sum(axis=1) + seen.depth @ self.depth - seen.off
            weighed = sparse.diags(seen.weight) @ rows
            normal += (rows.T @ weighed).toarray()
            right += weighed.T @ wanted
        normal += self.precision(y, x)
        if depths:
            # the plane through all modules goes with the geometries: it stays where it is
            on_plane = np.linalg.qr(self.plane)[0] * self.arms[:, None]
            inner = slice(size, size + depths)
            normal[inner, inner] += on_plane @ on_plane.T / (_STILL * DEPTH_PRIOR) ** 2
        if self.distances is not None:
            at, (told, known) = size + depths + 5 * np.arange(len(self.images)), self.distances
            normal[np.ix_(at, at)] += known
            right[at] -= known @ (self.geometry[:, 0] - told)
        return Equations(normal, right, size)

    @property
    def arms(self) -> Floats:
        """(3 M,) what makes depths and tilts comparable, metres: half a module or so from its centre."""
        assert self.labels is not None
        reach = 0.5 * float(np.sqrt(self.labels.size / self.modules)) * min(self.pixel_size)
        return np.tile([1.0, reach, reach], self.modules)

    @property
    def plane(self) -> Floats:
        """(3 M, 3) depths and tilts, times their arms, of all modules on one plane, by its depth and tilts."""
        out = np.zeros((3 * self.modules, 3))
        out[0::3, 0] = out[1::3, 1] = out[2::3, 2] = 1.0
        out[0::3, 1:] = (self.centres - self.centres.mean(axis=0)) * self.pixel_size
        return out * self.arms[:, None]

    def priors(self, size: int) -> Floats:
        """Standard deviation of every unknown before any point."""
        field = np.full(2 * size, FIELD_PRIOR if self.smooth else _NONE)
        motion = np.tile([SHIFT_PRIOR, SHIFT_PRIOR, TURN_PRIOR], self.modules)
        depth = np.tile([DEPTH_PRIOR, TILT_PRIOR, TILT_PRIOR], len(self.depth) // 3)
        geometry = np.tile(GEOMETRY_PRIOR, (len(self.images), 1))
        geometry[:, 0] *= self.geometry[:, 0]
        return np.concatenate([field, motion, depth, geometry.ravel()])

    def precision(self, y: Axis, x: Axis) -> Floats:
        """(V, V) inverse covariance of all unknowns before any point, but for the smoothness of the field."""
        size = y.size * x.size
        out = np.diag(self.priors(size) ** -2.0)
        out[: 2 * size, : 2 * size] += self.flat * mean_bend(y, x)
        return out

    # -- as the joint solution wants it
    def beside(self, y: Axis, x: Axis) -> Beside:
        """Equations for the displacement alone."""
        normal, right = self.equations(y, x).without_own()
        return Beside(normal, right, len(self.further), self.columns)

    def after(self, y: Axis, x: Axis, coefficients: Floats, further: Floats) -> RingWitness:
        """The same, about the displacement that was found, with the geometries that go with it."""
        u = np.concatenate([coefficients.transpose(2, 0, 1).ravel(), further])
        own = self.equations(y, x).own_of(u)
        depth, moves = own[: len(self.depth)], own[len(self.depth) :].reshape(-1, 5)
        new = replace(self, further=further, depth=depth, geometry=self.geometry + moves)
        new = replace(new, present=new.field(SplineField(y, x, coefficients)))
        return replace(new, extra=new.scatter())

    def field(self, spline: SplineField) -> Field:
        """The spline, or for each module the spline and its motion, which is a spline again."""
        if not len(self.further):
            return spline
        assert self.labels is not None
        gy, gx = np.meshgrid(spline.y.abscissae, spline.x.abscissae, indexing="ij")
        aspect = self.pixel_size[0] / self.pixel_size[1]
        tiles = []
        for (dy, dx, turn), (cy, cx) in zip(self.further.reshape(-1, 3), self.centres, strict=True):
            motion = np.stack([dy + turn * (gx - cx) / aspect, dx - turn * (gy - cy) * aspect], axis=-1)
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
            square = (NORMAL * float(np.median(np.abs(off)))) ** 2
            if len(off) > 50:  # of good points the mean square tells more than the median
                good = np.abs(off) < 4 * np.sqrt(square)
                square = float((off[good] ** 2).sum() / max(good.sum() - 5, 1))
            out.append(max(square - float(np.median(np.nan_to_num(points.sigma) ** 2)), 0.0))
        return np.array(out)


@dataclass(frozen=True, eq=False)
class _Seen:
    """Points of one image: direction of the radius (N, 2), how far off (N,) px, rad that a pixel stands for (N,), what
    geometry (N, 5) and depths do, variance (N,) px²."""

    unit: Floats
    off: Floats
    size: Floats
    geometry: Floats
    depth: Floats
    variance: Floats
    left_out: Bools | None

    @cached_property
    def weight(self) -> Floats:
        """(N,) 1/px²: less for those far off, nothing for those very far, or left out."""
        far = np.abs(self.off) / np.sqrt(self.variance)
        far = far / max(1.0, NORMAL * float(np.median(far)))
        soft = np.where(far < _HARD, np.minimum(1.0, _SOFT / np.maximum(far, 1e-9)), 0.0)
        return np.where(False if self.left_out is None else self.left_out, 0.0, soft / self.variance)


@dataclass(frozen=True, eq=False)
class Equations:
    """Normal equations of `size` shared unknowns, and then of some that are the rings' own."""

    normal: Floats
    right: Floats
    size: int

    @cached_property
    def _back(self) -> tuple[Floats, Floats]:
        """How the own unknowns follow the shared ones, and what they are where those are nothing."""
        n = self.size
        scale = 1 / np.sqrt(np.diagonal(self.normal)[n:])
        own = self.normal[n:, n:] * scale * scale[:, None]
        solved = np.linalg.solve(own, np.column_stack([self.normal[n:, :n], self.right[n:]]) * scale[:, None])
        return -solved[:, :-1] * scale[:, None], solved[:, -1] * scale

    def without_own(self) -> tuple[Floats, Floats]:
        """Normal matrix and right side of the shared unknowns, the own ones eliminated."""
        n, (follow, start) = self.size, self._back
        cross = self.normal[:n, n:]
        matrix = self.normal[:n, :n] + cross @ follow
        return (matrix + matrix.T) / 2, self.right[:n] - cross @ start

    def own_of(self, shared: Floats) -> Floats:
        """The own unknowns that go with the shared ones."""
        follow, start = self._back
        return follow @ shared + start

    def own_covariance(self, shared: Floats) -> Floats:
        """Of the own unknowns, by that of the shared ones."""
        follow, _ = self._back
        return np.asarray(np.linalg.inv(self.normal[self.size :, self.size :]) + follow @ shared @ follow.T)
