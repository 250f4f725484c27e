"""A Fit2D spline for any smooth distortion: least squares with the fewest knots that stay within a wanted deviation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...base.arrays import Bools, Floats, Ints
from ...base.errors import FittingError
from ...base.frames import edge_from_index, edge_nodes
from ...base.progress import Progress
from ...base.threads import one_blas_thread
from ...fitting.spline.basis import band_of_stencil, product_stencil
from ...records.distortion import Distortion
from ...records.field import Field
from .fit2d import Fit2DSpline, TensorSpline
from .maps import SAMPLES, shared_nodes

__all__ = ["SplineFit", "design", "fit_spline", "least_squares", "orthonormal"]


#: At most so many along one axis of the inverse, which takes iterations for each; there the deviation is taken at them.
INVERSE_SAMPLES = 1025

#: Inner knots at equal distances along the longer axis that are tried.
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


def fit_spline(
    distortion: Distortion,
    *,
    tolerance: float = 0.01,
    inverse: bool = False,
    force: bool = False,
    grid_um: float = 1000.0,
    progress: Progress | None = None,
) -> SplineFit:
    """Fit a Fit2D spline to a distortion.

    Parameters
    ----------
    distortion : what is to be described
    tolerance : largest deviation wanted at the corners of the pixels that are not masked, px
    inverse : make the other kind, from ideal to distorted
    force : accept a field with jumps (modules), and a deviation above `tolerance`
    grid_um : the pitch that the header tells, µm; readers do not use it
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
        fits = [_fit_component(y, x, nodes[..., k], known, share, _half(progress, k)) for k in (0, 1)]
    functions = [TensorSpline(tx, ty, c) for tx, ty, c in fits]
    deviation = np.stack([f.on_grid(x, y) - nodes[..., k] for k, f in enumerate(functions)], axis=-1)[known]
    size = np.hypot(*deviation.T)
    largest, rms = float(size.max(initial=0)), float(np.sqrt(np.mean(size**2))) if len(size) else 0.0
    if largest > tolerance and not force:
        raise FittingError(
            f"the best spline is off by up to {largest:.3g} px (rms {rms:.2g})",
            expected=f"at most {tolerance:g} px",
            hint=(
                "tiles are no smooth field: keep the NeXus detector, write maps, or --force"
                if distortion.is_tiled
                else "allow a larger deviation (--tolerance), or --force"
            ),
        )
    py, px = distortion.pixel_size
    ny, nx = distortion.shape
    spline = Fit2DSpline(
        functions[1], functions[0], (0.0, 0.0, float(nx), float(ny)), (px * 1e6, py * 1e6), grid_um, inverse
    )
    return SplineFit(spline, largest, rms, tolerance)


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
    from ...records.field import SampledField
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
    return (axes[0], axes[1]), np.nan_to_num(back), matters


# -- one component
#: Inner knots along (y, x).
Inner = tuple[tuple[float, ...], tuple[float, ...]]


def _fit_component(
    y: Floats, x: Floats, values: Floats, known: Bools, tolerance: float, progress: Progress
) -> tuple[Floats, Floats, Floats]:
    """(knots of x, knots of y, coefficients (x slowest)) of one component sampled on the raster."""
    best: tuple[float, Floats, Floats, Floats] | None = None
    for samples in (SAMPLES, 4 * SAMPLES) if max(len(y), len(x)) > SAMPLES else (SAMPLES,):
        rows, columns = _subset(len(y), samples), _subset(len(x), samples)
        search = _Search(y[rows], x[columns], values[np.ix_(rows, columns)], known[np.ix_(rows, columns)])
        goal = 0.97 * tolerance
        for _ in range(3):  # what fits the samples nearly always fits between them as well; else with a stricter goal
            progress(0.1, "looking for knots")
            inner = search.even(goal)
            reached = search.error(inner) <= goal
            inner = search.slim(inner, goal, progress) if reached else inner
            progress(0.9, "fitting the spline")
            knots_y, knots_x = _full_knots(y, inner[0]), _full_knots(x, inner[1])
            coefficients = least_squares(y, x, knots_y, knots_x, values, known)
            largest = _largest(design(knots_y, y) @ coefficients @ design(knots_x, x).T, values, known)
            if best is None or largest < best[0]:
                best = (largest, knots_x, knots_y, coefficients.T)
            if largest <= tolerance:
                return best[1:]
            if not reached:
                break  # no number of knots will do
            goal *= 0.97 * tolerance / largest
    assert best is not None
    return best[1:]


def _largest(model: Floats, values: Floats, known: Bools) -> float:
    """Largest deviation over the known samples."""
    return float(np.abs(model - values)[known].max(initial=0))


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


DEGREE = 3

#: What the roughness of the spline counts beside the known samples, as a share of them. It decides where nothing is
#: known, and nowhere else.
STIFFNESS = 1e-6


def design(knots: Floats, at: Floats, derivative: int = 0) -> Floats:
    """(samples, functions) values of the cubic B-splines on full `knots`, or a derivative of them."""
    from scipy.interpolate import BSpline

    if not derivative:
        return BSpline.design_matrix(at, knots, DEGREE).toarray()
    basis = BSpline(knots, np.eye(len(knots) - DEGREE - 1), DEGREE).derivative(derivative)
    return np.asarray(basis(at), np.float64)


def orthonormal(knots: Floats, at: Floats) -> Floats:
    """(samples, functions) orthonormal basis of the same splines on the samples."""
    return np.asarray(np.linalg.qr(design(knots, at))[0])


def least_squares(y: Floats, x: Floats, knots_y: Floats, knots_x: Floats, values: Floats, known: Bools) -> Floats:
    """Coefficients (y slowest) of the spline nearest to the known samples.

    Parameters
    ----------
    y, x : axes of the samples, px
    knots_y, knots_x : full knot vectors, px; each inner one between samples that are
    values : (len(y), len(x)); those that are unknown are not looked at
    known : (len(y), len(x))

    Notes
    -----
    With all samples known these are two projections, one along each axis. Otherwise the normal matrix is block-banded,
    and the integral of the squared second derivatives joins it with a weight so small that it only decides where no
    sample does: there the spline goes on as flat as it can.
    """
    by, bx = design(knots_y, y), design(knots_x, x)
    if known.all():
        (qy, ry), (qx, rx) = np.linalg.qr(by), np.linalg.qr(bx)
        amplitudes = qy.T @ values @ qx
        return np.asarray(np.linalg.solve(ry, np.linalg.solve(rx, amplitudes.T).T))
    weight = known.astype(np.float64)
    normal = _normal(by, bx, weight)
    gy, gx = ([_gram(knots, k) for k in range(3)] for knots in (knots_y, knots_x))
    rough = product_stencil(gy[2], gx[0]) + 2 * product_stencil(gy[1], gx[1]) + product_stencil(gy[0], gx[2])
    normal += STIFFNESS * normal[0, DEGREE].sum() / rough[0, DEGREE].sum() * rough
    right = by.T @ np.where(known, values, 0.0) @ bx
    return band_of_stencil(normal).cholesky().solve(right.ravel()).reshape(right.shape)


def _normal(by: Floats, bx: Floats, weight: Floats) -> Floats:
    """Stencil of the normal matrix: each entry is a weighted sum of products of two functions along each axis."""
    across = weight @ _products(bx, range(-DEGREE, DEGREE + 1))
    both = _products(by, range(DEGREE + 1)).T @ across
    shape = DEGREE + 1, by.shape[1], 2 * DEGREE + 1, bx.shape[1]
    return np.ascontiguousarray(both.reshape(shape).swapaxes(1, 2))


def _products(basis: Floats, shifts: range) -> Floats:
    """(samples, shifts x functions) each function times the one so many further on, zero where there is none."""
    out = np.zeros((basis.shape[0], len(shifts), basis.shape[1]))
    for k, shift in enumerate(shifts):
        first, last = max(0, -shift), basis.shape[1] - max(0, shift)
        if first < last:
            out[:, k, first:last] = basis[:, first:last] * basis[:, first + shift : last + shift]
    return out.reshape(len(basis), -1)


def _gram(knots: Floats, derivative: int) -> Floats:
    """(2 degree + 1, functions) bands of the integrals of products of two functions' derivatives."""
    u, w = np.polynomial.legendre.leggauss(DEGREE + 1)
    edges = np.unique(knots)
    half = np.diff(edges) / 2
    at = (edges[:-1] + half)[:, None] + half[:, None] * u
    basis = design(knots, at.ravel(), derivative) * np.sqrt((half[:, None] * w).ravel())[:, None]
    shifts = range(-DEGREE, DEGREE + 1)
    return np.asarray(_products(basis, shifts).sum(axis=0).reshape(len(shifts), -1))
