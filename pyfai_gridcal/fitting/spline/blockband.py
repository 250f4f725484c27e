"""Symmetric block-banded matrices: factor, solve, determinant and the part of the inverse that has the same shape.

A penalised spline of two variables has such a normal matrix when its coefficients are taken row by row: each row is a
block, and it meets the next `degree` rows. With n blocks of size m and p of them below the diagonal everything here
costs O(n p² m³) time and O(n p m²) memory, in products of dense blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from ...base.arrays import Floats

# LAPACK counts columns first. A block in C order is its transpose there, so a lower triangle L of ours is the upper
# triangle Lᵀ of LAPACK's, and nothing has to be copied. Of triangles only the inverse is kept: a product with it takes
# a third of the time of solving for as many columns.


@dataclass(frozen=True, eq=False)
class BlockBanded:
    """A symmetric matrix of n x n blocks of size m, zero beyond p blocks from the diagonal.

    Attributes
    ----------
    columns : (n, p + 1, m, m) block (k + d, k) at [k, d]; what would lie below the last row is not looked at
    """

    columns: Floats

    def dense(self) -> Floats:
        """The whole matrix, for small sizes and tests."""
        n, reach, m = self.columns.shape[:3]
        out = np.zeros((n, m, n, m))
        for k in range(n):
            for d in range(min(reach, n - k)):
                out[k + d, :, k] = self.columns[k, d]
                out[k, :, k + d] = self.columns[k, d].T
        return out.reshape(n * m, n * m)

    def cholesky(self) -> BlockCholesky:
        """Factor a positive definite matrix.

        Raises
        ------
        numpy.linalg.LinAlgError
            The matrix is not positive definite.
        """
        n, reach, m = self.columns.shape[:3]
        factor = np.array(self.columns, dtype=np.float64, order="C")
        for k in range(n):
            triangle, info = lapack.dpotrf(factor[k, 0].T, lower=0, clean=1, overwrite_a=1)
            if info:
                raise np.linalg.LinAlgError(f"block {k} of {n} is not positive definite (row {info})")
            root = factor[k, 0] = lapack.dtrtri(triangle, lower=0, overwrite_c=1)[0].T
            count = min(reach - 1, n - 1 - k)
            factor[k, 1 + count :] = 0
            if not count:
                continue
            below = factor[k, 1 : 1 + count].reshape(count * m, m)
            below[:] = below @ root.T
            for d in range(count):
                change = below[d * m :] @ below[d * m : (d + 1) * m].T
                factor[k + 1 + d, : count - d] -= change.reshape(count - d, m, m)
        return BlockCholesky(factor)


@dataclass(frozen=True, eq=False)
class BlockCholesky:
    """``A = L Lᵀ`` of a :class:`BlockBanded`, L as far from the diagonal as A.

    Attributes
    ----------
    factor : (n, p + 1, m, m) block (k + d, k) of L at [k, d], but for d = 0 its inverse
    """

    factor: Floats

    def solve(self, right: Floats) -> Floats:
        """Solve ``A x = right`` for `right` of shape (n m,) or (n m, columns)."""
        n, reach, m = self.factor.shape[:3]
        x = np.array(right, dtype=np.float64).reshape(n * m, -1)
        for k in range(n):
            here, after = slice(k * m, (k + 1) * m), slice((k + 1) * m, min(k + reach, n) * m)
            x[here] = self.factor[k, 0] @ x[here]
            x[after] -= self._below(k) @ x[here]
        for k in range(n - 1, -1, -1):
            here, after = slice(k * m, (k + 1) * m), slice((k + 1) * m, min(k + reach, n) * m)
            x[here] = self.factor[k, 0].T @ (x[here] - self._below(k).T @ x[after])
        return x.reshape(np.shape(right))

    def _below(self, k: int) -> Floats:
        """(count m, m) what column k of L has below its diagonal block."""
        n, reach, m = self.factor.shape[:3]
        count = min(reach - 1, n - 1 - k)
        return self.factor[k, 1 : 1 + count].reshape(count * m, m)

    def inverse(self) -> BlockBanded:
        """Those blocks of A⁻¹ where A has its own, by the recurrence of Takahashi from the last block upwards.

        References
        ----------
        .. [1] K. Takahashi, J. Fagan, M. Chen, Proc. 8th PICA Conference (1973) 63: sparse inverse from the triangular
        factors.
        """
        n, reach, m = self.factor.shape[:3]
        out = np.zeros_like(self.factor)
        size = (reach - 1) * m
        near = np.zeros((size, size))  # the inverse among the rows after the present one
        for k in range(n - 1, -1, -1):
            root, below = self.factor[k, 0], self._below(k)
            own, count = root.T @ root, len(below)
            if count:
                step = below @ root
                coupled = near[:count, :count] @ -step
                own -= step.T @ coupled
                own = (own + own.T) / 2  # what is not symmetric would grow without bound from block to block
                out[k, 1 : 1 + count // m] = coupled.reshape(-1, m, m)
            out[k, 0] = own
            if size:
                kept = out[k, : reach - 1].reshape(size, m)
                near[m:, m:] = near[:-m, :-m].copy()
                near[:, :m], near[:m] = kept, kept.T
        return BlockBanded(out)
