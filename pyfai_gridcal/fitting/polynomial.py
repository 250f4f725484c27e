"""Fields that are one polynomial: the classical way, and the reference for fields without a shape of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from ..base.arrays import AnyArray, Bools, Floats, freeze, in_a_line
from ..base.threads import one_blas_thread
from ..indexing.nodes import isolated_outliers
from .recipe import FieldFit, Sample, Uncertainty

__all__ = ["Polynomial", "PolynomialField"]

#: A polynomial that is so many times larger between the holes than at them (rms) is not determined by them. One of
#: degree n on n + 1 rows, which just determine it, is 2 times as large for n = 5 and 3.3 times for n = 7; on n rows,
#: where it may vanish at every hole, 5 times for n = 3 if they are bent, and hundreds of times if they are straight.
_BETWEEN = 4.0

#: Places between holes that are enough to tell.
_PLACES = 2000


@dataclass(frozen=True, eq=False)
class PolynomialField:
    """``sum over a + b <= order of c[a, b] P_a(v) P_b(u)``, Legendre polynomials of the place scaled to -1..1.

    Attributes
    ----------
    centre, scale : (2,) (y, x) px: v = (y - centre) / scale
    coefficients : (order + 1, order + 1, 2) px
    """

    centre: Floats
    scale: Floats
    coefficients: Floats

    __repr__ = in_a_line

    def __post_init__(self) -> None:
        freeze(self, 1, "centre", "scale")
        freeze(self, 3, "coefficients")

    @property
    def order(self) -> int:
        """Largest sum of the two degrees."""
        return len(self.coefficients) - 1

    def at(self, yx: AnyArray) -> Floats:
        yx = np.asarray(yx, float).reshape(-1, 2)
        y, x = (self._basis(yx[:, k], k) for k in range(2))
        return self._sums(y, x)

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        left, right = self._basis(np.asarray(y, float), 0), self._basis(np.asarray(x, float), 1)
        with one_blas_thread():
            return np.stack([(left @ self.coefficients[..., k]) @ right.T for k in range(2)], axis=-1)

    def gradient(self, yx: AnyArray) -> Floats:
        """(N, 2, 2) derivatives: [n, c, a] is that of component c along axis a (y, x)."""
        yx = np.asarray(yx, float).reshape(-1, 2)
        y, x = (self._basis(yx[:, k], k) for k in range(2))
        slopes = np.zeros((self.order + 1, self.order + 1))  # of the Legendre polynomials in terms of themselves
        if self.order:
            slopes[: self.order] = np.polynomial.legendre.legder(np.eye(self.order + 1))
        dy, dx = y @ slopes / self.scale[0], x @ slopes / self.scale[1]
        return np.stack([self._sums(dy, x), self._sums(y, dx)], axis=-1)

    def _sums(self, y: Floats, x: Floats) -> Floats:
        """(N, 2) of the values (N, order + 1) of the polynomials along both axes."""
        return np.stack([np.einsum("nb,nb->n", y @ c, x) for c in np.moveaxis(self.coefficients, 2, 0)], axis=1)

    def _basis(self, at: Floats, axis: int) -> Floats:
        return np.polynomial.legendre.legvander((at - self.centre[axis]) / self.scale[axis], self.order)

    def moved(self, matrix: Floats, shift: Floats) -> PolynomialField:
        """Field of the same observed points when corrected places p become ``matrix @ p + shift``."""
        matrix = np.asarray(matrix, dtype=float)
        more = matrix - np.eye(2)
        c = self.coefficients @ matrix.T
        c[0, 0] += more @ self.centre + shift
        if self.order:
            c[1, 0] += more[:, 0] * self.scale[0]
            c[0, 1] += more[:, 1] * self.scale[1]
        return replace(self, coefficients=c)


@dataclass(frozen=True, eq=False)
class _Covariance:
    """Variance of a polynomial: rows times a root of the covariance of the coefficients, for each component."""

    field: PolynomialField
    terms: tuple[AnyArray, AnyArray]
    roots: tuple[Floats, Floats]

    def variance(self, yx: Floats) -> Floats:
        """(N, 2) px²."""
        rows = _rows(self.field, self.terms, yx)
        return np.stack([((rows @ r) ** 2).sum(axis=1) for r in self.roots], axis=1)


@dataclass(frozen=True, eq=False)
class _Mean:
    """Mean of two variances."""

    one: Uncertainty
    other: Uncertainty

    def variance(self, yx: Floats) -> Floats:
        """(N, 2) px²."""
        return (self.one.variance(yx) + self.other.variance(yx)) / 2


def _rows(field: PolynomialField, terms: tuple[AnyArray, AnyArray], yx: Floats) -> Floats:
    y, x = (
        np.polynomial.legendre.legvander((yx[:, k] - field.centre[k]) / field.scale[k], field.order) for k in range(2)
    )
    return np.asarray(y[:, terms[0]] * x[:, terms[1]])


@dataclass(frozen=True)
class Polynomial:
    """Least squares of a polynomial of two variables, robust against outliers.

    Attributes
    ----------
    order : largest sum of the two degrees; None takes the one of the smallest held-out error up to `most`
    """

    order: int | None = None
    most: int = 9
    limit: float = 5.0
    name: str = "polynomial"

    def fit(self, sample: Sample) -> FieldFit:
        """Fit the order asked for, or the best one.

        Terms of the next order, left out because they predict nothing, may be there all the same: the variance is the
        mean of that with them and that without.
        """
        between = _between(sample.yx[sample.used])
        if self.order is not None:
            return self._fit(sample, self.order, between)
        count, tried = int(sample.used.sum()), [self._fit(sample, 1, between)]
        best = 0
        # one order after the other, until three in a row have predicted no better
        for order in range(2, self.most + 1):
            if (order + 1) * (order + 2) / 2 > 0.7 * count or len(tried) == best + 3:
                break
            tried.append(self._fit(sample, order, between))
            if tried[-1].held_out_px < 0.995 * tried[best].held_out_px:
                best = len(tried) - 1
        own, beyond = (tried[k].uncertainty for k in (best, min(best + 1, len(tried) - 1)))
        assert own is not None
        assert beyond is not None
        return replace(tried[best], uncertainty=_Mean(own, beyond))

    def plain(self, sample: Sample, order: int) -> PolynomialField:
        """Least squares of one order, all points alike and none rejected."""
        shell, terms = _shell(sample, order)
        full = np.zeros_like(shell.coefficients)
        full[terms] = np.linalg.lstsq(_rows(shell, terms, sample.yx[sample.used]), sample.d[sample.used], rcond=None)[0]
        return replace(shell, coefficients=full)

    def _fit(self, sample: Sample, order: int, between: Floats) -> FieldFit:
        shell, terms = _shell(sample, order)
        rows = _rows(shell, terms, sample.yx)
        known = _determined(rows[sample.used], _rows(shell, terms, between))
        rows = rows @ known
        used, nugget = sample.used.copy(), 0.0
        # fit, judge the outliers, learn the scatter, until all three stay
        for _ in range(6):
            variance = sample.sigma**2 + nugget**2
            c, residual, leverage, roots = _solve(rows, sample.d, variance, used)
            free = np.where(used[:, None], 1 - leverage, 1.0)
            z = residual / np.sqrt(variance * free)
            size = np.sqrt((z**2).mean(axis=1))
            before, old = used, nugget
            used = sample.used & ~isolated_outliers(sample.tree, size, self.limit)
            nugget = _nugget(residual[used], sample.sigma[used], free[used], variance[used])
            if np.array_equal(used, before) and abs(nugget - old) < 0.02 * (old + 1e-3):
                break
        full = np.zeros((order + 1, order + 1, 2))
        full[terms] = known @ c
        field = replace(shell, coefficients=full)
        return FieldFit(
            name=self.name,
            field=field,
            residual=-residual,
            held_out=-residual / free,
            used=before,
            z=-z,
            leverage=np.clip(leverage, 0, 1 - 1e-9),
            uncertainty=_Covariance(field, terms, (known @ roots[0], known @ roots[1])),
            nugget=old,
            freedom=float(known.shape[1]),
            note=f"order {order}",
            sigma=sample.sigma,
        )


def _shell(sample: Sample, order: int) -> tuple[PolynomialField, tuple[AnyArray, AnyArray]]:
    """A polynomial over the sample's pixels, still zero, and which coefficients it may have."""
    half = np.asarray(sample.shape, float) / 2
    a, b = (v.ravel() for v in np.mgrid[0 : order + 1, 0 : order + 1])
    field = PolynomialField(np.asarray(sample.origin) + half - 0.5, half, np.zeros((order + 1, order + 1, 2)))
    return field, (a[a + b <= order], b[a + b <= order])


def _between(yx: Floats) -> Floats:
    """Places (M, 2) in the middle between neighbouring points, px."""
    near = np.asarray(cKDTree(yx).query(yx, k=min(9, len(yx)))[1])
    places = (0.5 * (yx[:, None] + yx[near[:, 1:]])).reshape(-1, 2)
    return places[np.random.default_rng(0).permutation(len(places))[:_PLACES]]


def _determined(at: Floats, between: Floats) -> Floats:
    """Basis (terms, K) of the polynomials that are not much larger between the holes than at them.

    Polynomials of too high an order vanish at all holes: no residual tells of them, nor that of a hole left out.

    Parameters
    ----------
    at, between : (N, terms), (M, terms) values of the terms at the holes, and between them
    """
    _, size, axes = np.linalg.svd(between / np.sqrt(len(between)), full_matrices=False)
    some = size > 3e-7 * size[0]
    unit = axes[some].T / size[some]
    values, vectors = np.linalg.eigh((at @ unit).T @ (at @ unit) / len(at))
    return np.asarray(unit @ vectors[:, values > _BETWEEN**-2])


def _solve(
    rows: Floats, d: Floats, variance: Floats, used: Bools
) -> tuple[Floats, Floats, Floats, tuple[Floats, Floats]]:
    """Coefficients, residuals (given - fitted), leverages and roots of the covariances."""
    c, leverage = np.empty((rows.shape[1], 2)), np.zeros_like(d)
    roots: list[Floats] = []
    for k in range(2):
        if k and np.array_equal(variance[:, 0], variance[:, 1]):
            root = roots[0]
            leverage[:, 1] = leverage[:, 0]
        else:
            weight = np.where(used, 1 / variance[:, k], 0.0)
            values, vectors = np.linalg.eigh(rows.T @ (rows * weight[:, None]))
            known = values > 1e-13 * values[-1]
            root = vectors[:, known] / np.sqrt(values[known])
            leverage[:, k] = ((rows @ root) ** 2).sum(axis=1) * weight
        roots.append(root)
        c[:, k] = root @ (root.T @ (rows.T @ (weight * d[:, k])))
    return c, d - rows @ c, np.clip(leverage, 0.0, 1 - 1e-9), (roots[0], roots[1])


def _nugget(residual: Floats, sigma: Floats, free: Floats, variance: Floats) -> float:
    """Scatter beyond sigma that the residuals ask for, px."""
    square = ((residual**2 - free * sigma**2) / variance**2).sum() / (free / variance**2).sum()
    return float(np.sqrt(max(square, 0.0)))
