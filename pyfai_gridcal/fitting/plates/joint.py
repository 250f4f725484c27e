"""Several exposures of one plate in one least-squares problem: the field, the poses and the error of each hole.

For observation n of hole h in exposure e, in px of the corrected frame::

    field(x_n) - (turn and shift of e beyond the present pose) - Q_e error_h = node_n - x_n + noise

with Q_e the turn of the plate. The errors of the holes are eliminated (each observation sees exactly one of them),
under a weak prior of their own rms; the pose of the first exposure is held, since all poses may move together with the
field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from ...base.arrays import Bools, Floats, Ints
from ..spline.basis import Axis, band_of_stencil, roughness_stencil
from ..spline.rows import CellRows
from .beside import Beside


@dataclass(frozen=True, eq=False)
class Exposure:
    """What one exposure saw.

    Attributes
    ----------
    yx : (N, 2) observed, px
    node : (N, 2) where the present pose puts the ideal holes, px
    sigma : (N, 2) standard uncertainty of the observed places, px
    turn : (2, 2) what an error on the plate (y, x), in px, does to the node
    centre : (2,) px that the exposure turns about
    hole : (N,) row of the hole in the list of all holes
    used : (N,) False for outliers
    bends : (N, 2, 2) change of the node by a tilt (y, x), px per rad; None where tilts are not solved for
    """

    yx: Floats
    node: Floats
    sigma: Floats
    turn: Floats
    centre: Floats
    hole: Ints
    used: Bools
    bends: Floats | None = None

    @property
    def wanted(self) -> Floats:
        """(2 N,) displacement that would bring what was observed to the nodes, px: all y, then all x."""
        return np.asarray((self.node - self.yx).T.ravel())

    def pose_columns(self) -> Floats:
        """(N, 2, 3) change of the node by (turn, shift y, shift x)."""
        off = self.node - self.centre
        out = np.zeros((len(off), 2, 3))
        out[:, 0, 0], out[:, 1, 0] = off[:, 1], -off[:, 0]
        out[:, 0, 1] = out[:, 1, 2] = 1.0
        return out


@dataclass(frozen=True, eq=False)
class JointSolution:
    """Solution for one smoothness, one rms of the holes and one set of weights.

    Attributes
    ----------
    coefficients : (size_y, size_x, 2) of the field, px
    moves : (E, 3) further turn (rad) and shift (px) of each exposure
    errors : (H, 2) error of each hole on the plate, px
    residuals : for each exposure (N, 2) node as corrected by moves and errors, minus field - observed: corrected - node
    covariance : (U, U) of coefficients (component, row, column) and moves
    error_sigma : (H, 2) px
    smoothness, hole_rms : that were used
    next_smoothness, next_hole_rms : that the solution asks for
    freedom : effective number of parameters, holes included
    field_freedom : of one component of the field alone
    inner : (H, 2, 2) covariance of the errors were the field known, px²
    solved : (2 H, U) how the errors follow the field and the moves
    tilts : (E, 2) further tilt of each exposure, rad; zero where they are not solved for
    further : (F,) further unknowns of the detector, which witnesses beside the plate speak of, and their own
    """

    coefficients: Floats
    moves: Floats
    errors: Floats
    residuals: tuple[Floats, ...]
    covariance: Floats
    error_sigma: Floats
    smoothness: float
    hole_rms: float
    next_smoothness: float
    next_hole_rms: float
    freedom: float
    field_freedom: float
    inner: Floats
    solved: sparse.csr_matrix
    tilts: Floats
    further: Floats


@dataclass(eq=False)
class JointProblem:
    """Exposures, holes and knots, ready to be solved.

    Parameters
    ----------
    y, x : axes of the knots
    exposures : at least one, or none beside other witnesses
    holes : number of holes
    order : of the roughness
    extra : variance of the observations beyond their sigma, px²
    prior : on the shifts of all exposures: normal matrix (2 E, 2 E), 1/px², and right side (2 E,), 1/px
    lean : tilts of all exposures so far (E, 2), and how far they are from zero, rad
    beside : other witnesses of the field
    """

    y: Axis
    x: Axis
    exposures: Sequence[Exposure]
    holes: int
    order: int
    extra: float = 0.0
    prior: tuple[Floats, Floats] | None = None
    lean: tuple[Floats, float] | None = None
    beside: Beside | None = None

    def __post_init__(self) -> None:
        self.size = self.y.size * self.x.size
        self.posing = 3 * max(len(self.exposures) - 1, 0)
        self.moving = self.posing + (0 if self.lean is None else 2 * len(self.exposures))
        #: Of all unknowns, the tilts.
        self.tilting = slice(2 * self.size + self.posing, 2 * self.size + self.moving)
        self.further, self.own = (0, 0) if self.beside is None else (self.beside.count, self.beside.own)
        self.rough = band_of_stencil(roughness_stencil(self.y, self.x, self.order)).dense()
        self.weights = [self._weight(e) for e in self.exposures]
        self._assemble()
        if self.prior is not None:
            # turn and shift of each exposure but the first, which is held
            at = np.array([2 * self.size + 3 * (k - 1) + c for k in range(1, len(self.exposures)) for c in (1, 2)], int)
            self.normal[np.ix_(at, at)] += self.prior[0][2:, 2:]
            self.right[at] += self.prior[1][2:]
        if self.lean is not None:
            tilts, sigma = self.lean
            self.normal[self.tilting, self.tilting] += np.eye(tilts.size) / sigma**2
            self.right[self.tilting] -= tilts.ravel() / sigma**2
        if self.beside is not None:
            at = np.delete(np.arange(len(self.right)), slice(2 * self.size, 2 * self.size + self.moving))
            self.normal[np.ix_(at, at)] += self.beside.normal
            self.right[at] += self.beside.right

    def _weight(self, e: Exposure) -> Floats:
        return np.where(e.used, 1 / ((e.sigma**2).mean(axis=1) + self.extra), 0.0)

    def _rows(self, k: int) -> sparse.csr_matrix:
        """(2 N, U) rows of an exposure: first all y, then all x."""
        e = self.exposures[k]
        field = CellRows.of_points(self.y, self.x, e.yx).sparse
        moves = [sparse.lil_matrix((len(e.yx), self.moving)) for _ in range(2)]
        if k:
            for c, move in enumerate(moves):
                move[:, 3 * (k - 1) : 3 * k] = -e.pose_columns()[:, c]
        if e.bends is not None:
            for c, move in enumerate(moves):
                move[:, self.posing + 2 * k : self.posing + 2 * k + 2] = -e.bends[:, c]
        rows = sparse.csr_matrix(sparse.bmat([[field, None, moves[0]], [None, field, moves[1]]]))
        if self.beside is None:
            return rows
        own = sparse.csr_matrix((rows.shape[0], self.own))
        return sparse.hstack([rows, self.beside.columns(e.yx), own], format="csr")

    def _assemble(self) -> None:
        unknowns = 2 * self.size + self.moving + self.further + self.own
        self.rows = [self._rows(k) for k in range(len(self.exposures))]
        self.normal = np.zeros((unknowns, unknowns))
        self.right = np.zeros(unknowns)
        self.seen = np.zeros((self.holes, 2, 2))
        self.coupling = sparse.csr_matrix((2 * self.holes, unknowns))
        self.given = np.zeros((self.holes, 2))
        for e, w, rows in zip(self.exposures, self.weights, self.rows, strict=True):
            # field and poses among themselves ...
            weighed = (sparse.diags(np.tile(w, 2)) @ rows).tocsr()
            self.normal += (rows.T @ weighed).toarray()
            self.right += rows.T @ (np.tile(w, 2) * e.wanted)
            # ... with the holes (rows of -Q error: eliminate with the transposed coupling), and the holes by themselves
            spread = self._spread(e)
            self.coupling = (self.coupling + spread.T @ weighed).tocsr()
            np.add.at(self.seen, e.hole, w[:, None, None] * (e.turn.T @ e.turn))
            self.given += (spread.T @ (np.tile(w, 2) * e.wanted)).reshape(2, self.holes).T

    def _spread(self, e: Exposure) -> sparse.csr_matrix:
        """(2 N, 2 H) from errors (all y, then all x) to nodes: Q of each observation's hole."""
        n = len(e.yx)
        hole_of = sparse.csr_matrix((np.ones(n), (np.arange(n), e.hole)), shape=(n, self.holes))
        return sparse.kron(e.turn, hole_of, format="csr")

    def solve(self, smoothness: float, hole_rms: float) -> JointSolution:
        """Eliminate the holes, solve for field and poses, and go back to the holes."""
        # misfit m = A u - d - S e with the prior e ~ N(0, rms²): minimise over e first
        inner: Floats = np.asarray(np.linalg.inv(self.seen + np.eye(2) / hole_rms**2), dtype=np.float64)
        root: Floats = np.asarray(np.linalg.cholesky(inner), dtype=np.float64)
        coupling = self.coupling
        half = _apply(root.transpose(0, 2, 1), coupling, self.holes)
        matrix = self.normal.copy()
        matrix -= _gram(half)
        components = slice(0, self.size), slice(self.size, 2 * self.size)
        for part in components:
            matrix[part, part] += smoothness * self.rough
        # what is left are the field, with its roughness, and the poses: few enough for the whole covariance
        seen_d = np.einsum("hij,hj->hi", inner, self.given).T.ravel()
        right = self.right - coupling.T @ seen_d
        covariance = _inverse(matrix)
        u = covariance @ right
        # back to the holes, and to what each observation is off by
        errors = np.einsum("hij,hj->hi", inner, (coupling @ u).reshape(2, -1).T - self.given)
        coefficients = u[: 2 * self.size].reshape(2, self.y.size, self.x.size).transpose(1, 2, 0)
        moves = np.zeros((len(self.exposures), 3))
        moves[1:] = u[2 * self.size : 2 * self.size + self.posing].reshape(-1, 3)
        residuals = tuple(
            (rows @ u - e.wanted - self._spread(e) @ errors.T.ravel()).reshape(2, -1).T
            for e, rows in zip(self.exposures, self.rows, strict=True)
        )
        solved = _apply(inner, coupling, self.holes)
        error_variance = self._error_variance(inner, solved, covariance)
        # what the solution says of smoothness and holes: degrees of freedom over energy, and mean square error
        roughness = sum(float(u[part] @ self.rough @ u[part]) for part in components)
        traces = sum(float(np.vdot(covariance[part, part], self.rough)) for part in components)
        null = self.order * (self.order + 1)
        free = max(2 * self.size - null - smoothness * traces, 1e-3)
        square = float((errors**2).sum() + error_variance.sum()) / max(errors.size, 1)
        freedom = free + null + self.moving + self.further + errors.size - float(error_variance.sum()) / hole_rms**2
        return JointSolution(
            coefficients,
            moves,
            errors,
            residuals,
            covariance,
            np.sqrt(error_variance),
            smoothness,
            hole_rms,
            free / max(roughness, 1e-300),
            float(np.sqrt(square)),
            freedom,
            (free + null) / 2,
            inner,
            solved,
            np.zeros((len(self.exposures), 2)) if self.lean is None else u[self.tilting].reshape(-1, 2),
            u[2 * self.size + self.moving :],
        )

    def leverage(self, k: int, solution: JointSolution) -> Floats:
        """(N, 2) share that each observation of exposure k has in its own prediction, 0..1."""
        e, w = self.exposures[k], self.weights[k]
        spread = self._spread(e)
        reach = (self.rows[k] - spread @ solution.solved).tocsr()
        variance = np.empty(reach.shape[0])
        for start in range(0, len(variance), 2000):
            part = reach[start : start + 2000]
            variance[start : start + 2000] = np.asarray(part.multiply(part @ solution.covariance).sum(axis=1)).ravel()
        own = np.einsum("ci,nij,cj->cn", e.turn, solution.inner[e.hole], e.turn)
        return np.clip((variance.reshape(2, -1) + own).T * w[:, None], 0.0, 1 - 1e-9)

    def mode_sigma(self, solution: JointSolution, mode: Floats) -> float:
        """Standard uncertainty, px, of the part of the errors along a mode (H, 2) of unit norm."""
        m = mode.T.ravel()
        through = solution.solved.T @ m
        own = float(np.einsum("hi,hij,hj->", mode, solution.inner, mode))
        return float(np.sqrt(own + through @ solution.covariance @ through))

    def _error_variance(self, inner: Floats, solved: sparse.csr_matrix, covariance: Floats) -> Floats:
        """(H, 2) variance of the errors of the holes."""
        out = np.stack([inner[:, 0, 0], inner[:, 1, 1]], axis=1).T.ravel().copy()
        for k in range(0, solved.shape[0], 2000):
            part = solved[k : k + 2000]
            out[k : k + 2000] += np.asarray(part.multiply(part @ covariance).sum(axis=1)).ravel()
        return out.reshape(2, -1).T


def _apply(blocks: Floats, matrix: sparse.csr_matrix, holes: int) -> sparse.csr_matrix:
    """Multiply the (2 H, U) rows, first all y then all x, by (H, 2, 2) blocks."""
    y, x = matrix[:holes], matrix[holes:]
    parts = [sparse.diags(blocks[:, c, 0]) @ y + sparse.diags(blocks[:, c, 1]) @ x for c in range(2)]
    return sparse.vstack(parts, format="csr")


def _gram(matrix: sparse.csr_matrix, chunk: int = 2000) -> Floats:
    """Mᵀ M of a sparse matrix, dense, by dense products of some rows at a time."""
    out = np.zeros((matrix.shape[1],) * 2)
    for k in range(0, matrix.shape[0], chunk):
        part = matrix[k : k + chunk].toarray()
        out += part.T @ part
    return out


def _inverse(matrix: Floats) -> Floats:
    """Inverse of a symmetric positive definite matrix."""
    factor, info = lapack.dpotrf(matrix, lower=1)
    if info:
        raise np.linalg.LinAlgError(f"the joint problem is not positive definite (row {info})")
    inverse, info = lapack.dpotri(factor, lower=1)
    low = np.tril(inverse)
    return np.asarray(low + np.tril(inverse, -1).T)
