"""A Fit2D spline for any smooth distortion: least squares with the fewest knots that stay within a wanted deviation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import Bools, Floats, Ints
from ..blas import one_blas_thread
from ..distortion import Distortion
from ..errors import FittingError
from ..field import Field
from ..frames import edge_from_index, edge_nodes
from .fit2d import Fit2DSpline, TensorSpline
from .nodes import SAMPLES, continued, shared_nodes

__all__ = ["SplineFit", "fit_spline"]

#: At most so many along one axis of the inverse, which takes iterations for each; there the deviation is taken at them.
INVERSE_SAMPLES = 1025
#: What a sample counts where nothing is known.
UNKNOWN_WEIGHT = 1e-4
#: More inner knots than that along one axis are never tried.
MOST_KNOTS = 120
#: Inner knots at equal distances that are tried.
_EVEN = (20, 30, 45, 65, 90, MOST_KNOTS)


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


def fit_spline(
    distortion: Distortion,
    *,
    tolerance: float = 0.01,
    inverse: bool = False,
    force: bool = False,
    grid_um: float = 1000.0,
) -> SplineFit:
    """Fit a Fit2D spline to a distortion.

    Parameters
    ----------
    distortion : what is to be described
    tolerance : largest deviation wanted at the corners of the pixels that are not masked, px
    inverse : make the other kind, from ideal to distorted
    force : accept a field with jumps (modules), and a deviation above `tolerance`
    grid_um : the pitch that the header tells, µm; readers do not use it

    Raises
    ------
    FittingError
        The field jumps between neighbouring pixels, or no reasonable number of knots reaches `tolerance`; not with
        `force`.

    Notes
    -----
    Along each axis a knot is put into the middle of the interval with the largest misfit until the deviation is
    reached; then knots are moved to where they serve best and all that are not needed are taken out again, least
    useful first. As the samples form a raster, each trial costs two small dense products.
    """
    if tolerance <= 0:
        raise FittingError(f"a deviation of {tolerance:g} px cannot be reached", expected="a positive number of px")
    nodes, known, jump = shared_nodes(distortion)
    if jump > max(0.02, 2 * tolerance) and not force:
        raise FittingError(
            f"neighbouring pixels are up to {jump:.3g} px apart, which no smooth spline can follow",
            hint="keep the NeXus detector, write maps or a module table, or use --force to smear the jumps",
        )
    axes = edge_nodes(distortion.shape)
    if inverse:
        axes, nodes, known = _inverse_samples(distortion, nodes, known)
    y, x = (edge_from_index(axis) for axis in axes)
    share = tolerance / np.sqrt(2)
    with one_blas_thread():
        fits = [_fit_component(y, x, nodes[..., k], known, share) for k in (0, 1)]
    functions = [TensorSpline(tx, ty, c) for tx, ty, c in fits]
    deviation = np.stack([f.on_grid(x, y) - nodes[..., k] for k, f in enumerate(functions)], axis=-1)[known]
    size = np.hypot(*deviation.T)
    largest, rms = float(size.max(initial=0)), float(np.sqrt(np.mean(size**2))) if len(size) else 0.0
    if largest > tolerance and not force:
        raise FittingError(
            f"the best spline is off by up to {largest:.3g} px (rms {rms:.2g})",
            expected=f"at most {tolerance:g} px",
            hint="allow a larger deviation, or --force",
        )
    py, px = distortion.pixel_size
    ny, nx = distortion.shape
    spline = Fit2DSpline(
        functions[1], functions[0], (0.0, 0.0, float(nx), float(ny)), (px * 1e6, py * 1e6), grid_um, inverse
    )
    return SplineFit(spline, largest, rms, tolerance)


def _inverse_samples(
    distortion: Distortion, nodes: Floats, known: Bools
) -> tuple[tuple[Floats, Floats], Floats, Bools]:
    """Axes, displacement back and whether it matters, on a raster that holds all corrected pixel corners."""
    from ..field import SampledField
    from .inverse import inverted

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
    source = back + np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    place = np.nan_to_num(source) - (at[0][0], at[1][0])
    near = ((place > -1.5) & (place < np.array(distortion.shape) + 1.5)).all(axis=-1)
    matters: Bools = np.asarray(np.isfinite(back).all(axis=-1) & near)
    # Known is what lies between known corners; beyond the border of the image, its nearest corners count.
    last = np.array(known.shape) - 1
    low, high = (np.clip(edge(place).astype(np.int64), 0, last) for edge in (np.floor, np.ceil))
    for rows in (low, high):
        for columns in (low, high):
            matters &= known[rows[..., 0], columns[..., 1]]
    return (axes[0], axes[1]), continued(np.nan_to_num(back), matters), matters


# -- one component
#: Inner knots along (y, x).
Inner = tuple[tuple[float, ...], tuple[float, ...]]


def _fit_component(
    y: Floats, x: Floats, values: Floats, known: Bools, tolerance: float
) -> tuple[Floats, Floats, Floats]:
    """(knots of x, knots of y, coefficients (x slowest)) of one component sampled on the raster."""
    best: tuple[float, Floats, Floats, Floats] | None = None
    for samples in (SAMPLES, 4 * SAMPLES) if max(len(y), len(x)) > SAMPLES else (SAMPLES,):
        rows, columns = _subset(len(y), samples), _subset(len(x), samples)
        search = _Search(y[rows], x[columns], values[np.ix_(rows, columns)], known[np.ix_(rows, columns)])
        goal = 0.97 * tolerance
        inner: Inner = ((), ())
        for _ in range(3):  # what fits the samples nearly always fits between them as well; else with a stricter goal
            inner = search.grown(inner, goal)
            reached = search.error(inner) <= goal
            inner = search.slim(inner, goal) if reached else inner
            knots_y, knots_x = _full_knots(y, inner[0]), _full_knots(x, inner[1])
            coefficients, largest = _solve(y, x, knots_y, knots_x, values, known)
            if best is None or largest < best[0]:
                best = (largest, knots_x, knots_y, coefficients.T)
            if largest <= tolerance:
                return best[1:]
            if not reached:
                break  # no number of knots will do
            goal *= 0.97 * tolerance / largest
        if search.hopeless:
            break  # finer samples will not help
    assert best is not None
    return min(best, _even(y, x, values, known, tolerance), key=lambda fit: fit[0])[1:]


def _even(y: Floats, x: Floats, values: Floats, known: Bools, tolerance: float) -> tuple[float, Floats, Floats, Floats]:
    """The same from knots at equal distances, in front the largest deviation.

    They are more than those that a search finds, but the border of what is known cannot lead them astray: the best that
    a search there does is to crowd them where the deviation is largest.
    """
    rows, columns = _subset(len(y), 4 * SAMPLES), _subset(len(x), 4 * SAMPLES)
    some, sure = values[np.ix_(rows, columns)], known[np.ix_(rows, columns)]
    length = max(np.ptp(y), np.ptp(x))
    best: tuple[float, Floats, Floats, Floats] | None = None
    for count in _EVEN:
        ky, kx = (_full_knots(at, _inner(at, int(np.ceil(count * np.ptp(at) / length)))) for at in (y, x))
        coefficients, _ = _solve(y[rows], x[columns], ky, kx, some, sure)
        largest = _largest(_design(ky, y) @ coefficients @ _design(kx, x).T, values, known)
        if best is not None and largest > best[0]:
            break
        best = largest, kx, ky, coefficients.T
        if largest <= tolerance:
            break
    assert best is not None
    return best


def _largest(model: Floats, values: Floats, known: Bools) -> float:
    """Largest deviation over the known samples."""
    return float(np.abs(model - values)[known].max(initial=0))


def _inner(axis: Floats, count: int) -> tuple[float, ...]:
    """Inner knots at equal distances, not more than the samples can bear."""
    return tuple(np.linspace(axis[0], axis[-1], min(count, len(axis) // 3) + 2)[1:-1].tolist())


def _subset(n: int, samples: int) -> Ints:
    return np.unique(np.rint(np.linspace(0, n - 1, min(n, samples))).astype(np.int64))


def _full_knots(axis: Floats, inner: tuple[float, ...]) -> Floats:
    return np.concatenate([np.repeat(axis[0], 4), np.sort(inner), np.repeat(axis[-1], 4)])


def _design(knots: Floats, at: Floats) -> Floats:
    from scipy.interpolate import BSpline

    return BSpline.design_matrix(at, knots, 3).toarray()


def _solve(
    y: Floats, x: Floats, knots_y: Floats, knots_x: Floats, values: Floats, known: Bools
) -> tuple[Floats, float]:
    """Least-squares coefficients (y slowest) over the known samples, and the largest deviation there."""
    by, bx = _design(knots_y, y), _design(knots_x, x)
    (qy, ry), (qx, rx) = np.linalg.qr(by), np.linalg.qr(bx)
    amplitudes = _projected(qy, qx, values, known, values)
    c = np.linalg.solve(ry, np.linalg.solve(rx, amplitudes.T).T)
    return c, _largest(by @ c @ bx.T, values, known)


def _projected(qy: Floats, qx: Floats, values: Floats, known: Bools, start: Floats, *, steps: int = 100) -> Floats:
    """Amplitudes, in the orthonormal bases, of the least-squares fit.

    With all samples known that is a projection. Otherwise unknown ones count a little, with whatever value they have
    (the field goes on there in some way), so that nothing runs away where they alone decide, and conjugate gradients
    solve for the rest, from the projection of `start`.
    """
    if known.all():
        return qy.T @ values @ qx
    weight = np.where(known, 1.0, UNKNOWN_WEIGHT)
    right = qy.T @ (weight * values) @ qx

    def applied(c: Floats) -> Floats:
        return qy.T @ (weight * (qy @ c @ qx.T)) @ qx

    c = qy.T @ start @ qx
    left = right - applied(c)
    direction, size = left.copy(), float(np.vdot(left, left))
    goal = 1e-16 * float(np.vdot(right, right))
    for _ in range(steps):
        if size <= goal:
            break
        image = applied(direction)
        step = size / float(np.vdot(direction, image))
        c += step * direction
        left -= step * image
        size, before = float(np.vdot(left, left)), size
        direction = left + (size / before) * direction
    return c


class _Search:
    """Looks for inner knots on a raster of samples. Unknown samples are replaced by the best fit so far, as the search
    goes on.
    """

    def __init__(self, y: Floats, x: Floats, values: Floats, known: Bools):
        self.axes = (y, x)
        self.given = values
        self.values = values.copy()
        self.known = known
        self.complete = bool(known.all())
        self.hopeless = False
        self._bases: dict[tuple[int, tuple[float, ...]], Floats] = {}

    def _basis(self, axis: int, inner: tuple[float, ...]) -> Floats:
        """Orthonormal basis (samples, functions) of the splines with these knots along one axis."""
        key = (axis, inner)
        if key not in self._bases:
            if len(self._bases) > 400:
                self._bases.clear()
            at = self.axes[axis]
            self._bases[key] = np.linalg.qr(_design(_full_knots(at, inner), at))[0]
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

    def _settle(self, inner: Inner) -> None:
        if not self.complete:
            qy, qx = self._basis(0, inner[0]), self._basis(1, inner[1])
            model = qy @ _projected(qy, qx, self.given, self.known, self.values, steps=60) @ qx.T
            self.values[~self.known] = model[~self.known]

    def grown(self, inner: Inner, goal: float) -> Inner:
        """With more knots, each put where the misfit is, until `goal` is reached."""
        self._settle(inner)
        history: dict[int, float] = {}
        while (error := self.error(inner)) > goal and not self._full(inner):
            history[_count(inner)] = error
            half = history.get(_count(inner) // 2)
            if _count(inner) >= 40 and half is not None and error > 0.85 * half:
                self.hopeless = True  # a smooth field would have gained much more by twice the knots
                break
            power = np.square(np.square(self.misfit(inner)))
            trials = [t for t in (self._one_more(inner, axis, power) for axis in (0, 1)) if t is not None]
            if not trials:
                break
            inner = min(trials, key=lambda t: float(np.square(np.square(self.misfit(t))).sum()))
            self._settle(inner)
        return inner

    def _full(self, inner: Inner) -> bool:
        """Whether there are as many knots as the samples can bear."""
        return any(len(t) >= min(MOST_KNOTS, len(at) // 3) for t, at in zip(inner, self.axes, strict=True))

    def _one_more(self, inner: Inner, axis: int, power: Floats) -> Inner | None:
        at = self.axes[axis]
        edges = np.concatenate([[at[0]], np.sort(inner[axis]), [at[-1]]])
        along = np.concatenate([[0.0], np.cumsum(power.sum(axis=1 - axis))])
        cut = np.searchsorted(at, edges)
        loads = along[np.minimum(cut[1:] + 1, len(at))] - along[cut[:-1]]
        loads[np.diff(cut) < 4] = -1
        k = int(np.argmax(loads))
        if loads[k] <= 0:
            return None
        more = tuple(sorted((*inner[axis], 0.5 * (edges[k] + edges[k + 1]))))
        return (more, inner[1]) if axis == 0 else (inner[0], more)

    def slim(self, inner: Inner, goal: float) -> Inner:
        """Without the knots that `goal` can be reached without, the others moved to where they serve best."""
        best = inner = self.pruned(inner, goal)
        for _ in range(8):
            inner = self.slid(inner)
            self._settle(inner)
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
