"""What a solution by rings knows, and what it does not: uncertainty of places, of modules, of the scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..base.arrays import Floats
from ..base.frames import raster_places
from ..fitting.plates.beside import WholeUncertainty
from ..fitting.spline.basis import Axis
from ..records.field import Field, SampledField, TiledField, label_at
from .record import ModuleMotion
from .witness import DEPTH_PRIOR, FIELD_PRIOR, RingWitness

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
    covariance : (V, V) of the coefficients, the motions of modules, their depths and the geometries
    """

    witness: RingWitness
    y: Axis
    x: Axis
    shape: tuple[int, int]
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
        labels = self.witness.labels
        return at if labels is None else at[label_at(labels, at) >= 0]

    @cached_property
    def whole(self) -> WholeUncertainty:
        """Uncertainty without shift and turn."""
        seen, n = self.witness, 2 * self.y.size * self.x.size + self.witness.motions.size
        shared = self.covariance[:n, :n]
        return WholeUncertainty(self.y, self.x, seen.columns, shared, self._nodes, seen.aspect, 3, seen.present)

    def _known(self, k: int) -> tuple[float, float] | None:
        """Value of a linear part and its uncertainty; None where the points do not tell, or pixels are as given."""
        if not self.witness.smooth:
            return None
        row = self.whole.linear(6)[k]
        sigma = float(np.sqrt(row @ self.whole.covariance @ row))
        part = self.whole.linear_part(raster_places(self.y.abscissae, self.x.abscissae).reshape(-1, 2), 6)[:, k]
        if sigma > _UNDETERMINED * FIELD_PRIOR / np.linalg.norm(part):
            return None
        return float(self._moved(6)[k]), sigma

    def _moved(self, count: int) -> Floats:
        """(count,) linear parts of the displacement."""
        values = self.witness.present.at(self._nodes).T.ravel()
        return np.asarray(np.linalg.pinv(self.whole.linear_part(self._nodes, count)) @ values)

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
        for k in range(len(self.witness.motions)):
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
        seen, first, count = self.witness, len(self.whole.covariance), self.witness.depth.size
        if not count:
            nothing = np.zeros_like(seen.motions)
            return nothing, nothing, nothing
        assert seen.labels is not None
        # what makes depths and tilts comparable: half a module or so from its centre, metres
        reach = 0.5 * float(np.sqrt(seen.labels.size / len(seen.depth))) * min(seen.pixel_size)
        arm = np.tile([1.0, reach, reach], len(seen.depth))
        plane = np.tile(np.eye(3), (len(seen.depth), 1))
        plane[0::3, 1:] = (seen.centres - seen.centres.mean(axis=0)) * seen.pixel_size
        plane *= arm[:, None]
        free = (np.eye(count) - plane @ np.linalg.pinv(plane)) * arm / arm[:, None]
        own = self.covariance[first : first + count, first : first + count]
        before = np.diag(np.tile(DEPTH_PRIOR, len(seen.depth)) ** 2)
        sigma, prior = (np.sqrt(np.diagonal(free @ c @ free.T)).reshape(-1, 3) for c in (own, before))
        return (free @ seen.depth.ravel()).reshape(-1, 3), sigma, prior

    def motions(self) -> tuple[ModuleMotion, ...]:
        """Shift, turn and depth of each module; the motions without what they have in common."""
        out = []
        first, common, rigid = 2 * self.y.size * self.x.size, self.whole.linear(3)[2], self._moved(3)
        for k, centre in enumerate(self.witness.centres):
            at = centre[None]
            shift = self.witness.present.at(at)[0] - self.whole.linear_part(at, 3) @ rigid
            own_turn = -common
            own_turn[first + 3 * k + 2] += 1
            turn = float(np.sqrt(own_turn @ self.whole.covariance @ own_turn))
            numbers = (shift, np.sqrt(self.variance(at))[0], (self.witness.motions[k, 2] - rigid[2], turn))
            depth, sigma, _ = (d[k] for d in self.deep)
            out.append(ModuleMotion(*(tuple(map(float, one)) for one in (*numbers, depth, sigma))))  # type: ignore[arg-type]
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
