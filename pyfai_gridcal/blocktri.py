"""Symmetric block-tridiagonal matrices: factor, solve, determinant and the part of the inverse that has the same shape.

A penalised spline of two variables has such a normal matrix when its coefficients are taken row by row and `degree`
rows make one block. With n blocks of size m everything here costs O(n m³) time and O(n m²) memory, in dense BLAS calls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack, solve_triangular

from ._typing import Floats

__all__ = ["BlockCholesky", "BlockTridiagonal"]


@dataclass(frozen=True, eq=False)
class BlockTridiagonal:
    """A symmetric matrix of n x n blocks of size m, zero but for the diagonal blocks and their neighbours.

    Attributes
    ----------
    diagonal : (n, m, m) symmetric blocks (k, k)
    lower : (n - 1, m, m) blocks (k + 1, k)
    """

    diagonal: Floats
    lower: Floats

    def dense(self) -> Floats:
        """The whole matrix, for small sizes and tests."""
        n, m = self.diagonal.shape[:2]
        out = np.zeros((n, m, n, m))
        for k in range(n):
            out[k, :, k] = self.diagonal[k]
        for k in range(n - 1):
            out[k + 1, :, k] = self.lower[k]
            out[k, :, k + 1] = self.lower[k].T
        return out.reshape(n * m, n * m)

    def cholesky(self) -> BlockCholesky:
        """Factor a positive definite matrix.

        Raises
        ------
        numpy.linalg.LinAlgError
            The matrix is not positive definite.
        """
        n = len(self.diagonal)
        factor = np.empty_like(self.diagonal)
        coupling = np.empty_like(self.lower)
        for k in range(n):
            block = self.diagonal[k]
            if k:
                block = block - coupling[k - 1] @ coupling[k - 1].T
            triangle, info = lapack.dpotrf(block.T, lower=0, clean=1)
            if info:
                raise np.linalg.LinAlgError(f"block {k} of {n} is not positive definite (row {info})")
            # an upper triangle in Fortran order is the transpose of a lower one in C order
            factor[k] = triangle.T
            if k + 1 < n:
                coupling[k] = solve_triangular(triangle, self.lower[k].T, trans=1, lower=False, check_finite=False).T
        return BlockCholesky(factor, coupling)


@dataclass(frozen=True, eq=False)
class BlockCholesky:
    """``A = L Lᵀ`` of a :class:`BlockTridiagonal`, with L block-bidiagonal.

    Attributes
    ----------
    factor : (n, m, m) lower triangles L_kk
    coupling : (n - 1, m, m) blocks L_k+1,k
    """

    factor: Floats
    coupling: Floats

    def logdet(self) -> float:
        """Natural logarithm of the determinant of A."""
        return float(2 * np.log(np.diagonal(self.factor, axis1=1, axis2=2)).sum())

    def solve(self, right: Floats) -> Floats:
        """Solve ``A x = right`` for `right` of shape (n m,) or (n m, columns)."""
        n, m = self.factor.shape[:2]
        x = np.array(right, dtype=np.float64).reshape(n, m, -1)
        for k in range(n):
            if k:
                x[k] -= self.coupling[k - 1] @ x[k - 1]
            x[k] = solve_triangular(self.factor[k], x[k], lower=True, check_finite=False)
        for k in range(n - 1, -1, -1):
            if k + 1 < n:
                x[k] -= self.coupling[k].T @ x[k + 1]
            x[k] = solve_triangular(self.factor[k], x[k], lower=True, trans=1, check_finite=False)
        return x.reshape(np.shape(right))

    def half_solve(self, right: Floats) -> Floats:
        """``L⁻¹ right``: the squared norm of each column is ``bᵀ A⁻¹ b``."""
        n, m = self.factor.shape[:2]
        x = np.array(right, dtype=np.float64).reshape(n, m, -1)
        for k in range(n):
            if k:
                x[k] -= self.coupling[k - 1] @ x[k - 1]
            x[k] = solve_triangular(self.factor[k], x[k], lower=True, check_finite=False)
        return x.reshape(np.shape(right))

    def inverse(self) -> BlockTridiagonal:
        """Those blocks of A⁻¹ where A has its own, by the recurrence of Takahashi from the last block upwards.

        References
        ----------
        .. [1] K. Takahashi, J. Fagan, M. Chen, Proc. 8th PICA Conference (1973) 63: sparse inverse from the triangular
        factors.
        """
        n, _m = self.factor.shape[:2]
        diagonal, lower = np.empty_like(self.factor), np.empty_like(self.coupling)
        for k in range(n - 1, -1, -1):
            triangle, info = lapack.dtrtri(self.factor[k].T, lower=0)
            if info:
                raise np.linalg.LinAlgError(f"block {k} of {n} is singular")
            # `triangle` is L_kk^-T
            diagonal[k] = triangle @ triangle.T
            if k + 1 < n:
                step = self.coupling[k] @ triangle.T
                lower[k] = -diagonal[k + 1] @ step
                diagonal[k] -= step.T @ lower[k]
        return BlockTridiagonal(diagonal, lower)
