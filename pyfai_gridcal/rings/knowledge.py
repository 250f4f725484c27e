"""What a solution by rings knows, and what it does not: uncertainty of places, of modules, of the scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..base.arrays import Floats
from ..base.frames import raster_places
from ..fitting.plates.beside import WholeUncertainty
from ..fitting.spline.basis import Axis, band_of_stencil, roughness_stencil
from ..records.field import Field, SampledField, TiledField
from .record import ModuleMotion
from .witness import RingWitness

#: Of the roughness of smooth fields.
ORDER = 3
#: What keeps more than this part of the uncertainty that it had before any point is not determined by the points.
_UNDETERMINED = 0.3
#: Nodes of the map of the uncertainty, along the longer axis.
_NODES = 40


@dataclass(frozen=True, eq=False)
class Knowledge:
    """A solution, to be asked what it knows.

    Attributes
    ----------
    witness : the rings, with everything found
    y, x : axes of the field
    shape : (slow, fast) pixels
    smoothness : of the field
    covariance : (U, U) of the coefficients and the motions of modules
    """

    witness: RingWitness
    y: Axis
    x: Axis
    shape: tuple[int, int]
    smoothness: float
    covariance: Floats

    @cached_property
    def _raster(self) -> list[Floats]:
        """Axes of the nodes of maps."""
        step = max(self.shape) / _NODES
        return [np.linspace(0, n - 1, max(2, int(np.ceil(n / step)) + 1)) for n in self.shape]

    @cached_property
    def _nodes(self) -> Floats:
        """Those nodes that are in a module, (N, 2)."""
        at = raster_places(*self._raster).reshape(-1, 2)
        if self.witness.labels is None:
            return at
        near = np.rint(at).astype(int)
        return at[self.witness.labels[near[:, 0], near[:, 1]] >= 0]

    @cached_property
    def whole(self) -> WholeUncertainty:
        """Uncertainty without shift and turn."""
        seen = self.witness
        aspect = seen.pixel_size[0] / seen.pixel_size[1]
        return WholeUncertainty(self.y, self.x, seen.columns, self.covariance, self._nodes, aspect, 3, seen.present)

    @cached_property
    def _linear(self) -> Floats:
        """(6, U) how the linear part of the displacement follows the unknowns."""
        return self.whole.linear(6)

    @cached_property
    def _prior(self) -> Floats:
        """(U, U) covariance before any point."""
        size = self.y.size * self.x.size
        precision = self.witness.precision(self.y, self.x)[: len(self.covariance), : len(self.covariance)]
        rough = self.smoothness * band_of_stencil(roughness_stencil(self.y, self.x, ORDER)).dense()
        for part in (slice(0, size), slice(size, 2 * size)):
            precision[part, part] += rough
        return np.asarray(np.linalg.inv(precision), dtype=np.float64)

    def _known(self, k: int) -> tuple[float, float] | None:
        """Value of a linear part and its uncertainty; None where the points do not tell, or pixels are as given."""
        if not self.witness.smooth:
            return None
        row = self._linear[k]
        sigma, before = (float(np.sqrt(row @ c @ row)) for c in (self.covariance, self._prior))
        if sigma > _UNDETERMINED * before:
            return None
        values = self.witness.present.at(self._nodes).T.ravel()
        return float((np.linalg.pinv(self.whole.linear_part(self._nodes, 6)) @ values)[k]), sigma

    @cached_property
    def scale(self) -> tuple[float, float] | None:
        """By how much, relatively, pixels are larger than they are said to be, and its uncertainty; None: unknown."""
        return self._known(3) if self.witness.scaled else None

    @cached_property
    def aspect(self) -> tuple[float, float] | None:
        """The same of slow against fast."""
        return self._known(4)

    def variance(self, yx: Floats) -> Floats:
        """(N, 2) px², without what no point tells of the whole: shift, turn, and the scale if it is unknown."""
        scaled = self.witness.smooth and self.scale is None
        return (replace(self.whole, free=4) if scaled else self.whole).variance(yx)

    def sigma(self) -> Field:
        """Standard uncertainty of the displacement over the detector, px."""
        if self.witness.labels is None:
            return self._map(*self._raster)
        tiles = []
        for k in range(self.witness.modules):
            inside = self.witness.labels == k
            axes = [np.flatnonzero(inside.any(axis=1 - c)).astype(float) for c in range(2)]
            tiles.append(self._map(*(np.linspace(a[0], a[-1] + 1e-6 * (len(a) < 2), 9) for a in axes)))
        return TiledField(self.witness.labels, tuple(tiles))

    def _map(self, y: Floats, x: Floats) -> SampledField:
        values = np.sqrt(self.variance(raster_places(y, x).reshape(-1, 2)))
        return SampledField(y, x, values.reshape(len(y), len(x), 2), clamp=True)

    @cached_property
    def deep(self) -> tuple[Floats, Floats, Floats]:
        """Depths (M, 3) of the modules with their tilts, less the plane through all of them, which goes with the
        geometries; their uncertainty, and that before any point."""
        count, arm, plane = len(self.witness.depth), self.witness.arms, self.witness.plane
        free = (np.eye(count) - plane @ np.linalg.pinv(plane)) * arm / arm[:, None]
        whole = self.witness.equations(self.y, self.x).own_covariance(self.covariance)[:count, :count]
        before = np.diag(self.witness.priors(self.y.size * self.x.size)[len(self.covariance) :][:count] ** 2)
        sigma, prior = (np.sqrt(np.diagonal(free @ c @ free.T)) for c in (whole, before))
        return (free @ self.witness.depth).reshape(-1, 3), sigma.reshape(-1, 3), prior.reshape(-1, 3)

    def motions(self) -> tuple[ModuleMotion, ...]:
        """Shift, turn and depth of each module; the motions without what they have in common."""
        out = []
        depths = self.deep[:2] if len(self.witness.depth) else np.zeros((2, self.witness.modules, 3))
        first, common = 2 * self.y.size * self.x.size, self.whole.linear(3)[2]
        moved = self.witness.present.at(self._nodes).T.ravel()
        rigid = np.linalg.pinv(self.whole.linear_part(self._nodes, 3)) @ moved
        for k in range(self.witness.modules):
            at = self.witness.centres[k][None]
            shift = self.witness.present.at(at)[0] - self.whole.linear_part(at, 3) @ rigid
            sigma = np.sqrt(self.variance(at))[0]
            own_turn = -common
            own_turn[first + 3 * k + 2] += 1
            turn = float(np.sqrt(own_turn @ self.covariance @ own_turn))
            numbers = (shift, sigma, (self.witness.further[3 * k + 2] - rigid[2], turn), *(d[k] for d in depths))
            out.append(ModuleMotion(*(tuple(map(float, one)) for one in numbers)))  # type: ignore[arg-type]
        return tuple(out)

    def undetermined(self) -> tuple[str, ...]:
        """What the points do not tell, in words."""
        out = ["shift and turn of the whole: the geometries go with them, and the least displacement is taken"]
        if not self.witness.smooth:
            out.append("the size of the pixels: the modules have that which they were given")
        elif self.scale is None:
            out.append("the size of the pixels: it goes with the distances, of which a motor would tell the steps")
            out.append("the distances of single images, but for what sigma says of what goes with them")
        for k, name in ((4, "the ratio of the sides of the pixels"), (5, "a shear of the detector")):
            if self.witness.smooth and self._known(k) is None:
                out.append(name)
        if len(self.witness.depth):
            out.append("depth and tilt of the plane through all modules: they go with the geometries")
            _, sigma, prior = self.deep
            for c, name in enumerate(("depth", "tilt along slow", "tilt along fast")):
                open_ = np.flatnonzero(sigma[:, c] > _UNDETERMINED * prior[:, c])
                if len(open_):
                    out.append(f"{name} of module {', '.join(map(str, open_))}")
        return tuple(out)
