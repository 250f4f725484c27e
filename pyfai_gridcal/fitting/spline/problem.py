"""Smooth fields: a tensor-product spline whose roughness is weighed by what the points themselves say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...base.arrays import AnyArray, Floats, freeze, in_a_line
from ...base.threads import one_blas_thread
from .basis import (
    Axis,
    band_of_stencil,
    rough_part,
    roughness_stencil,
    stencil_energy,
    stencil_of_band,
    transposed_stencil,
)
from .blockband import BlockCholesky
from .rows import CellRows

_COLUMNS = 256  # of a raster at a time: few enough that few splines are alive there, enough for a product of matrices


@dataclass(frozen=True, eq=False)
class SplineField:
    """Displacement as a tensor-product B-spline; a straight line beyond the knots.

    Attributes
    ----------
    y, x : knots and degree along the two axes, px, index frame
    coefficients : (y.size, x.size, 2) px
    """

    y: Axis
    x: Axis
    coefficients: Floats

    __repr__ = in_a_line

    def __post_init__(self) -> None:
        freeze(self, 3, "coefficients")

    def at(self, yx: AnyArray) -> Floats:
        yx = np.asarray(yx, float).reshape(-1, 2)
        return CellRows.of_points(self.y, self.x, yx).values(self.coefficients)

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        left, (cell, weights) = self.y.matrix(np.asarray(y, float)), self.x.extended_weights(np.asarray(x, float))
        splines = np.arange(len(weights))[:, None]
        # Each component in one piece of memory: products go straight there, and maps are read one by one.
        out = np.empty((2, len(left), len(cell)))
        with one_blas_thread():
            rows = [left @ self.coefficients[..., k] for k in range(2)]
            for start in range(0, len(cell), _COLUMNS):
                part = slice(start, start + _COLUMNS)
                first = cell[part].min()
                right = np.zeros((cell[part].max() - first + len(weights), len(cell[part])))  # of those alive there
                right[cell[part] - first + splines, np.arange(right.shape[1])] = weights[:, part]
                for k in range(2):
                    np.matmul(rows[k][:, first : first + len(right)], right, out=out[k, :, part])
        return np.moveaxis(out, 0, -1)

    def gradient(self, yx: AnyArray) -> Floats:
        """(N, 2, 2) derivatives: [n, c, a] is that of component c along axis a (y, x)."""
        yx = np.asarray(yx, float).reshape(-1, 2)
        along = [CellRows.of_points(self.y, self.x, yx, axis).values(self.coefficients) for axis in ((1, 0), (0, 1))]
        return np.stack(along, axis=-1)

    def moved(self, matrix: Floats, shift: Floats) -> SplineField:
        """Field of the same observed points when corrected places p become ``matrix @ p + shift``."""
        gy, gx = np.meshgrid(self.y.abscissae, self.x.abscissae, indexing="ij")
        place = np.stack([gy, gx], axis=-1)
        coefficients = (place + self.coefficients) @ np.asarray(matrix).T + shift - place
        return replace(self, coefficients=coefficients)


class SplineProblem:
    """Points, knots and roughness, ready to be solved for any weights and any smoothness.

    Minimised is, for each of the two components, ``Σ w (d - f)² + smoothness ∫∫ Σ_k C(order, k) (∂_y^{order-k} ∂_x^k
    f)²``: the mean of a Gaussian process whose prior is flat for polynomials below `order` and isotropic above.

    Parameters
    ----------
    y, x : axes of the knots
    yx, d : (N, 2) observed points and their displacement, px
    order : of the derivatives whose squared integral is the roughness, at most the degree of the splines
    """

    def __init__(self, y: Axis, x: Axis, yx: Floats, d: Floats, order: int):
        self.y, self.x, self.yx, self.d, self.order = y, x, yx, d, order
        self.rows = CellRows.of_points(y, x, yx)
        self.rough = roughness_stencil(y, x, order)
        self.weights: Floats = np.zeros_like(d)
        self._normal: list[tuple[slice, Floats, Floats]] = []

    def weigh(self, weights: Floats) -> None:
        """Take weights (N, 2): 1 / variance of each coordinate, 0 for points that do not count."""
        same = np.array_equal(weights[:, 0], weights[:, 1])
        right = self.rows.right_side(self.d * weights)
        self.weights = weights
        columns = [slice(0, 2)] if same else [slice(0, 1), slice(1, 2)]
        self._normal = [(c, self.rows.normal_stencil(weights[:, c.start]), right[..., c]) for c in columns]

    def solve(self, smoothness: float) -> SplineSolution:
        """Field and its covariance for one smoothness (px^(2 order - 2)) and the weights taken before."""
        ny, nx = self.y.size, self.x.size
        coefficients = np.empty((ny, nx, 2))
        inverses: list[Floats] = []
        # both components share a matrix where their weights are the same
        factors: list[_Factor] = []
        for columns, normal, right in self._normal:
            factor = _Factor.of(normal + smoothness * self.rough)
            factors.append(factor)
            coefficients[..., columns] = factor.solve(right)
            inverses.append(factor.inverse())
        return SplineSolution(
            self, self.weights, smoothness, coefficients, (inverses[0], inverses[-1]), (factors[0], factors[-1])
        )


@dataclass(frozen=True, eq=False)
class _Factor:
    """A factored normal matrix; the shorter axis makes the blocks, whose size counts with its third power."""

    factor: BlockCholesky
    swapped: bool

    @classmethod
    def of(cls, stencil: Floats) -> _Factor:
        """Factor the matrix of a stencil (p + 1, 2 p + 1, y.size, x.size)."""
        swapped = stencil.shape[3] > stencil.shape[2]
        return cls(band_of_stencil(transposed_stencil(stencil) if swapped else stencil).cholesky(), swapped)

    def solve(self, right: Floats) -> Floats:
        """(y.size, x.size, columns) for a right side of that shape."""
        right = right.swapaxes(0, 1) if self.swapped else right
        out = self.factor.solve(right.reshape(-1, right.shape[2])).reshape(right.shape)
        return out.swapaxes(0, 1) if self.swapped else out

    def inverse(self) -> Floats:
        """Those entries of the inverse that the stencil holds."""
        out = stencil_of_band(self.factor.inverse())
        return transposed_stencil(out) if self.swapped else out


@dataclass(frozen=True, eq=False)
class SplineSolution:
    """What :meth:`SplineProblem.solve` found.

    Attributes
    ----------
    problem, weights : that were solved
    smoothness : px^(2 order - 2)
    coefficients : (y.size, x.size, 2) px
    inverses : stencils of the covariance of the coefficients, one for each component
    factors : of the normal matrices, one for each component
    """

    problem: SplineProblem
    weights: Floats
    smoothness: float
    coefficients: Floats
    inverses: tuple[Floats, Floats]
    factors: tuple[_Factor, _Factor]

    @cached_property
    def residual(self) -> Floats:
        """(N, 2) given minus fitted displacement, px."""
        return self.problem.d - self.problem.rows.values(self.coefficients)

    @cached_property
    def leverage(self) -> Floats:
        """(N, 2) share that each point has in its own prediction, 0..1."""
        return np.clip(self.variance_of(self.problem.rows) * self.weights, 0.0, 1 - 1e-9)

    def variance(self, yx: Floats) -> Floats:
        """(N, 2) variance of the field at points, px²."""
        return self.variance_of(CellRows.of_points(self.problem.y, self.problem.x, yx))

    def variance_of(self, rows: CellRows) -> Floats:
        """(N, 2) the same at the points of rows."""
        first, second = self.inverses
        form = rows.quadratic_form(first)
        return np.stack([form, form if second is first else rows.quadratic_form(second)], axis=1)

    def modulo_rigid(self) -> ModuloRigid:
        """The same uncertainty without the common shift and turn of all points that count."""
        used, rows = np.asarray((self.weights > 0).all(axis=1)), self.problem.rows
        centre = self.problem.yx[used].mean(axis=0)
        at = (self.problem.yx - centre) * used[:, None]
        norms = np.sqrt([used.sum(), (at**2).sum()])
        # shift and turn as they act on each component, of unit length over all points and both components
        modes = [np.stack([used, turn], axis=1) / norms for turn in (at[:, 1], -at[:, 0])]
        # how the field follows these modes, and what they have in common
        follow = np.stack(
            [factor.solve(rows.right_side(mode)) for factor, mode in zip(self.factors, modes, strict=True)], axis=-1
        )
        shared = [mode.T @ rows.values(follow[..., c]) for c, mode in enumerate(modes)]
        return ModuloRigid(self, centre, norms, follow, (shared[0], shared[1]))

    @property
    def roughness(self) -> float:
        """Roughness of both components, px^(2 - 2 (order - 1))."""
        return self._roughness(self.problem.rough, self.problem.order)

    def _roughness(self, rough: Floats, order: int) -> float:
        return sum(stencil_energy(rough, rough_part(self.coefficients[..., c], order)) for c in range(2))

    def next_smoothness(self) -> float:
        """One step of the generalised Fellner-Schall rule towards the restricted maximum likelihood.

        References
        ----------
        .. [1] S. N. Wood, M. Fasiolo, Biometrics 73 (2017) 1071, doi:10.1111/biom.12666
        """
        null = self.problem.order * (self.problem.order + 1)
        return max(float(self.leverage.sum()) - null, 1e-3) / max(self.roughness, 1e-300)

    def smoothness_for(self, order: int) -> float:
        """Where to start the search for the smoothness with a roughness of another order."""
        rough = roughness_stencil(self.problem.y, self.problem.x, order)
        energy = self._roughness(rough, order)
        return max(float(self.leverage.sum()) - order * (order + 1), 1.0) / max(energy, 1e-300)

    @property
    def field(self) -> SplineField:
        return SplineField(self.problem.y, self.problem.x, self.coefficients)


@dataclass(frozen=True, eq=False)
class ModuloRigid:
    """Uncertainty of a field when only its shape counts: where the whole lies, and how it is turned, is no error.

    The best rigid motion of the error at the points is taken away from it::

        var(e(x) - Σ r_m(x) <r_m, e>) = var e(x) - 2 Σ r_m(x) g_m(x) + Σ r_m(x) Q_mn r_n(x)

    Attributes
    ----------
    solution : the field
    centre : (2,) px, of the points
    norms : (2,) of shift and turn over the points
    follow : (y.size, x.size, 2, 2) coefficients of g, the covariance of the field with [shift or turn, component]
    shared : for each component, its part of the covariance Q of the shift along it and the turn
    """

    solution: SplineSolution
    centre: Floats
    norms: Floats
    follow: Floats
    shared: tuple[Floats, Floats]

    def variance(self, yx: Floats, rows: CellRows, whole: Floats) -> Floats:
        """(N, 2) px², from the variance `whole` of the field itself at points with these rows."""
        out, at = whole.copy(), yx - self.centre
        turning = self.shared[0][1, 1] + self.shared[1][1, 1]
        for c, turn in enumerate((at[:, 1], -at[:, 0])):
            mode = np.stack([np.ones(len(at)), turn], axis=1) / self.norms
            motion = self.shared[c].copy()
            motion[1, 1] = turning
            change = np.einsum("nm,mk,nk->n", mode, motion, mode) - 2 * (mode * rows.values(self.follow[..., c])).sum(1)
            out[:, c] = np.maximum(out[:, c] + change, 0.01 * out[:, c])
        return out
