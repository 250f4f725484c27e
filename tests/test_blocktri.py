"""Block-tridiagonal algebra against dense algebra."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.blas import one_blas_thread
from pyfai_gridcal.blocktri import BlockTridiagonal


@pytest.fixture
def matrix() -> BlockTridiagonal:
    rng = np.random.default_rng(3)
    n, m = 4, 5
    diagonal = rng.normal(size=(n, m, m))
    diagonal = diagonal @ diagonal.transpose(0, 2, 1) + 9 * np.eye(m)
    return BlockTridiagonal(diagonal, rng.normal(size=(n - 1, m, m)))


def test_dense_is_symmetric_and_has_the_blocks(matrix: BlockTridiagonal) -> None:
    dense = matrix.dense()
    assert np.array_equal(dense, dense.T)
    assert np.array_equal(dense[5:10, 0:5], matrix.lower[0])
    assert not dense[10:15, 0:5].any()


@pytest.mark.parametrize("columns", [(), (3,)])
def test_solve(matrix: BlockTridiagonal, columns: tuple[int, ...]) -> None:
    right = np.random.default_rng(1).normal(size=(20, *columns))
    assert np.allclose(matrix.cholesky().solve(right), np.linalg.solve(matrix.dense(), right))


def test_half_solve_gives_quadratic_forms(matrix: BlockTridiagonal) -> None:
    right = np.random.default_rng(1).normal(size=(20, 6))
    forms = (matrix.cholesky().half_solve(right) ** 2).sum(axis=0)
    assert np.allclose(forms, np.einsum("nk,nk->k", right, np.linalg.solve(matrix.dense(), right)))


def test_logdet(matrix: BlockTridiagonal) -> None:
    assert np.isclose(matrix.cholesky().logdet(), np.linalg.slogdet(matrix.dense())[1])


def test_inverse_has_the_blocks_of_the_dense_inverse(matrix: BlockTridiagonal) -> None:
    dense = np.linalg.inv(matrix.dense()).reshape(4, 5, 4, 5)
    inverse = matrix.cholesky().inverse()
    for k in range(4):
        assert np.allclose(inverse.diagonal[k], dense[k, :, k])
    for k in range(3):
        assert np.allclose(inverse.lower[k], dense[k + 1, :, k])


def test_one_block_only() -> None:
    single = BlockTridiagonal(np.array([[[4.0, 1.0], [1.0, 3.0]]]), np.zeros((0, 2, 2)))
    assert np.allclose(single.cholesky().inverse().diagonal[0] @ single.dense(), np.eye(2))


def test_not_positive_definite_is_an_error(matrix: BlockTridiagonal) -> None:
    bad = BlockTridiagonal(matrix.diagonal - 60 * np.eye(5), matrix.lower)
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        bad.cholesky()


def test_threads_are_restored() -> None:
    from pyfai_gridcal.blas import _libraries

    before = [getter() for getter, _ in _libraries()]
    with one_blas_thread():
        assert all(getter() == 1 for getter, _ in _libraries())
    assert [getter() for getter, _ in _libraries()] == before
