"""A Fit2D spline for any smooth distortion: least squares with the fewest knots that stay within a wanted deviation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...base.arrays import Bools, Floats, Ints, in_a_line
from ...base.errors import FittingError
from ...base.frames import edge_from_index, edge_nodes, raster_places
from ...base.progress import Progress
from ...base.robust import rms
from ...base.threads import one_blas_thread
from ...records.distortion import Distortion
from ...records.field import Field, SampledField
from .fit2d import Fit2DSpline
from .inverse import inverted
from .maps import SAMPLES, shared_nodes
from .tensor import TensorSpline, design, least_squares, orthonormal

#: At most so many along one axis of the inverse, which takes iterations for each; there the deviation is taken at them.
INVERSE_SAMPLES = 1025

#: Inner knots at equal distances along the longer axis that are tried, each some 25 % more than the one before.
_EVEN = (0, 1, 2, 3, 4, 6, 8, 10, 12, 15, 19, 24, 30, 38, 48, 60, 75, 95, 120)

#: Turns, at most, in which knots are moved and those that are not needed any more taken out; less with many knots,
#: where a turn takes long and gains little: so many knots are looked at in all.
_TURNS, _LOOKS = 8, 240


@dataclass(frozen=True)
class SplineFit:
    """A spline and what it cost.

    Attributes
    ----------
    spline : ready to be written
    largest, rms : deviation from the distortion it stands for, px, at the known pixel corners
    tolerance : the deviation that was wanted, px
    """

    spline: Fit2DSpline
    largest: float
    rms: float
    tolerance: float

    __repr__ = in_a_line


def fit_spline(
    distortion: Distortion,
    *,
    tolerance: float = 0.01,
    inverse: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> SplineFit:
    """Fit a Fit2D spline to a distortion.

    Parameters
    ----------
    distortion : what is to be described
    tolerance : largest deviation wanted at the corners of the pixels that are not masked, px
    inverse : make the other kind, from ideal to distorted
    force : accept a field with jumps (modules), and a deviation above `tolerance`
    progress : called with (fraction, text) now and then

    Raises
    ------
    FittingError
        The field jumps between neighbouring pixels, or no reasonable number of knots reaches `tolerance`; not with
        `force`.

    Notes
    -----
    Knots at equal distances come closer and closer until the deviation is reached; then they are moved to where they
    serve best, and all that are not needed are taken out, least useful first. As the samples form a raster, each trial
    costs two small dense products.
    """
    if tolerance <= 0:
        raise FittingError(f"a deviation of {tolerance:g} px cannot be reached", expected="a positive number of px")
    # What is to be described: samples at the corners that pixels share, and which of them are known.
    nodes, known, jump = shared_nodes(distortion)
    if jump > max(0.02, 2 * tolerance) and not force:
        raise FittingError(
            f"neighbouring pixels are up to {jump:.3g} px apart, which no smooth spline can follow",
            hint="keep the NeXus detector, write maps or a module table, or use --force to smear the jumps",
        )
    axes = edge_nodes(distortion.shape)
    if inverse:
        axes, nodes, known = _inverse_samples(distortion, nodes, known)
    # Two functions, each with knots of its own; together they may be off by the tolerance.
    y, x = (edge_from_index(axis) for axis in axes)
    with one_blas_thread():
        dy, dx = (
            _fit_component(y, x, nodes[..., k], known, tolerance / np.sqrt(2), _half(progress, k)) for k in (0, 1)
        )
    # What the spline is off by at the samples that are known, in both coordinates at once.
    size = np.hypot(dy.on_grid(x, y) - nodes[..., 0], dx.on_grid(x, y) - nodes[..., 1])[known]
    largest = float(size.max(initial=0))
    if largest > tolerance and not force:
        raise _out_of_reach(distortion, largest, rms(size), tolerance)
    (ny, nx), (py, px) = distortion.shape, distortion.pixel_size
    spline = Fit2DSpline(dx, dy, (0.0, 0.0, float(nx), float(ny)), (px * 1e6, py * 1e6), inverse=inverse)
    return SplineFit(spline, largest, rms(size) if len(size) else 0.0, tolerance)


def _out_of_reach(distortion: Distortion, largest: float, usual: float, tolerance: float) -> FittingError:
    smooth = "allow a larger deviation (--tolerance), or --force"
    tiled = "tiles are no smooth field: keep the NeXus detector, write maps, or --force"
    return FittingError(
        f"the best spline is off by up to {largest:.3g} px (rms {usual:.2g})",
        expected=f"at most {tolerance:g} px",
        hint=tiled if distortion.is_tiled else smooth,
    )


def _half(progress: Progress | None, k: int) -> Progress:
    """The progress of one of two equal parts."""

    def report(fraction: float, text: str) -> None:
        if progress is not None:
            progress(0.5 * (k + fraction), text)

    return report


def _inverse_samples(
    distortion: Distortion, nodes: Floats, known: Bools
) -> tuple[tuple[Floats, Floats], Floats, Bools]:
    """Axes, displacement back and whether it matters, on a raster that holds all corrected pixel corners."""
    at = edge_nodes(distortion.shape)
    forward: Field = distortion.field
    if distortion.is_tiled or not known.all():
        forward = SampledField(*at, nodes)
    reach = [nodes[..., k] + (at[k][:, None] if k == 0 else at[k][None, :]) for k in (0, 1)]
    axes = []
    for k in (0, 1):
        low = np.floor(min(float(reach[k][known].min(initial=0)) - at[k][0], 0.0))
        high = np.ceil(max(float(reach[k][known].max(initial=0)) - at[k][-1], 0.0))
        last = distortion.shape[k] + high
        axes.append(at[k][0] + np.linspace(low, last, min(int(last - low) + 1, INVERSE_SAMPLES)))
    back = inverted(forward, distortion.shape).on_grid(*axes)
    source = back + raster_places(*axes)
    place = np.nan_to_num(source) - (at[0][0], at[1][0])
    near = ((place > -1.5) & (place < np.array(distortion.shape) + 1.5)).all(axis=-1)
    matters: Bools = np.asarray(np.isfinite(back).all(axis=-1) & near)
    # Known is what lies between known corners; beyond the border of the image, its nearest corners count.
    last = np.array(known.shape) - 1
    low, high = (np.clip(edge(place).astype(np.int64), 0, last) for edge in (np.floor, np.ceil))
    for rows in (low, high):
        for columns in (low, high):
            matters &= known[rows[..., 0], columns[..., 1]]
    return (axes[0], axes[1]), np.nan_to_num(back), matters


# -- one component
#: Inner knots along (y, x).
Inner = tuple[tuple[float, ...], tuple[float, ...]]


def _fit_component(
    y: Floats, x: Floats, values: Floats, known: Bools, tolerance: float, progress: Progress
) -> TensorSpline:
    """The spline of one component sampled on the raster; the best found where none stays within `tolerance`."""
    best: tuple[float, TensorSpline] | None = None
    # Knots are looked for on a part of the samples; on four times as many where that misses something between them.
    for samples in (SAMPLES, 4 * SAMPLES) if max(len(y), len(x)) > SAMPLES else (SAMPLES,):
        rows, columns = _subset(len(y), samples), _subset(len(x), samples)
        search = _Search(y[rows], x[columns], values[np.ix_(rows, columns)], known[np.ix_(rows, columns)])
        goal = 0.97 * tolerance
        for _ in range(3):  # what fits the samples nearly always fits between them as well; else with a stricter goal
            progress(0.1, "looking for knots")
            inner = search.even(goal)
            reached = search.error(inner) <= goal
            inner = search.slim(inner, goal, progress) if reached else inner
            # The coefficients are those of all samples, and so is the deviation that counts.
            progress(0.9, "fitting the spline")
            knots_y, knots_x = _full_knots(y, inner[0]), _full_knots(x, inner[1])
            coefficients = least_squares(y, x, knots_y, knots_x, values, known)
            spline = TensorSpline(knots_x, knots_y, coefficients.T)
            largest = float(np.abs(spline.on_grid(x, y) - values)[known].max(initial=0))
            if best is None or largest < best[0]:
                best = largest, spline
            if largest <= tolerance:
                return spline
            if not reached:
                break  # no number of knots will do
            goal *= 0.97 * tolerance / largest
    assert best is not None
    return best[1]


def _subset(n: int, samples: int) -> Ints:
    return np.unique(np.rint(np.linspace(0, n - 1, min(n, samples))).astype(np.int64))


def _spread(axis: Floats, count: int) -> tuple[float, ...]:
    """Inner knots at equal distances, not more than the samples can bear."""
    return tuple(np.linspace(axis[0], axis[-1], min(count, len(axis) // 3) + 2)[1:-1].tolist())


def _full_knots(axis: Floats, inner: tuple[float, ...]) -> Floats:
    return np.concatenate([np.repeat(axis[0], 4), np.sort(inner), np.repeat(axis[-1], 4)])


class _Search:
    """Looks for inner knots on a raster of samples. Unknown samples are replaced by the best fit so far, as the search
    goes on.
    """

    def __init__(self, y: Floats, x: Floats, values: Floats, known: Bools):
        self.axes = (y, x)
        self.values = values.copy()
        self.known = known
        self.complete = bool(known.all())
        self._bases: dict[tuple[int, tuple[float, ...]], Floats] = {}

    def _basis(self, axis: int, inner: tuple[float, ...]) -> Floats:
        """Orthonormal basis (samples, functions) of the splines with these knots along one axis."""
        key = (axis, inner)
        if key not in self._bases:
            if len(self._bases) > 400:
                self._bases.clear()
            at = self.axes[axis]
            self._bases[key] = orthonormal(_full_knots(at, inner), at)
        return self._bases[key]

    def misfit(self, inner: Inner) -> Floats:
        """Model - value at the samples, zero where unknown."""
        qy, qx = self._basis(0, inner[0]), self._basis(1, inner[1])
        out = qy @ ((qy.T @ self.values) @ qx) @ qx.T
        out -= self.values
        if not self.complete:
            out[~self.known] = 0
        return out

    def error(self, inner: Inner) -> float:
        out = self.misfit(inner)
        return float(max(out.max(), -out.min()))

    def settle(self, inner: Inner) -> None:
        """Give the unknown samples the values of the fit to the known ones."""
        if not self.complete:
            (y, x), (ky, kx) = self.axes, map(_full_knots, self.axes, inner)
            model = design(ky, y) @ least_squares(y, x, ky, kx, self.values, self.known) @ design(kx, x).T
            self.values[~self.known] = model[~self.known]

    def even(self, goal: float) -> Inner:
        """The fewest knots at equal distances, as far apart along both axes, that reach `goal`; the best that were
        tried where none does."""
        length = max(np.ptp(at) for at in self.axes)
        best: tuple[float, Inner] | None = None
        for count in _EVEN:
            y, x = (_spread(at, round(count * np.ptp(at) / length)) for at in self.axes)
            inner = y, x
            self.settle(inner)
            error = self.error(inner)
            if best is None or error < best[0]:
                best = error, inner
            if best[0] <= goal:
                break
        assert best is not None
        return best[1]

    def slim(self, inner: Inner, goal: float, progress: Progress) -> Inner:
        """Without the knots that `goal` can be reached without, the others moved to where they serve best."""
        best = inner = self.pruned(inner, goal)
        turns = min(_TURNS, 1 + _LOOKS // max(1, _count(inner)))
        for turn in range(turns):
            progress(0.3 + 0.6 * turn / turns, f"thinning out {_count(inner)} knots")
            inner = self.slid(inner)
            self.settle(inner)
            inner = self.pruned(inner, goal)
            if _count(inner) >= _count(best) or self.error(inner) > goal:
                break
            best = inner
        return best

    def slid(self, inner: Inner) -> Inner:
        """Each knot a little towards one of its neighbours where that lessens the misfit."""

        def score(trial: Inner) -> float:
            power = np.square(np.square(self.misfit(trial)))
            return float(np.vdot(power, power))

        now = score(inner)
        for share in (0.35, 0.15):
            for axis in (0, 1):
                at = self.axes[axis]
                for k in range(len(inner[axis])):
                    edges = (float(at[0]), *inner[axis], float(at[-1]))
                    for other in (edges[k], edges[k + 2]):
                        moved = edges[k + 1] + share * (other - edges[k + 1])
                        knots = tuple(sorted((*inner[axis][:k], moved, *inner[axis][k + 1 :])))
                        trial = (knots, inner[1]) if axis == 0 else (inner[0], knots)
                        if abs(other - moved) > 4 * (at[1] - at[0]) and (value := score(trial)) < now:
                            inner, now = trial, value
                            break
        return inner

    def pruned(self, inner: Inner, goal: float) -> Inner:
        """Without the knots that `goal` can be reached without, least useful first."""
        while True:
            trials = [(self.error(_without(inner, axis, t)), axis, t) for axis in (0, 1) for t in inner[axis]]
            before = inner
            for error, axis, t in sorted(trials):
                if error > 3 * goal:
                    break
                less = _without(inner, axis, t)
                if self.error(less) <= goal:
                    inner = less
            if inner == before:
                return inner


def _count(inner: Inner) -> int:
    return len(inner[0]) + len(inner[1])


def _without(inner: Inner, axis: int, knot: float) -> Inner:
    less = tuple(t for t in inner[axis] if t != knot)
    return (less, inner[1]) if axis == 0 else (inner[0], less)
