"""Block-banded algebra against dense algebra."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pyfai_gridcal.base.threads import one_blas_thread
from pyfai_gridcal.fitting.spline.blockband import BlockBanded

N, P, M = 6, 2, 5


@pytest.fixture
def matrix() -> BlockBanded:
    rng = np.random.default_rng(3)
    columns = rng.normal(size=(N, P + 1, M, M))
    columns[:, 0] = columns[:, 0] @ columns[:, 0].transpose(0, 2, 1) + 20 * np.eye(M)
    return BlockBanded(columns)


def test_dense_is_symmetric_and_has_the_blocks(matrix: BlockBanded) -> None:
    dense = matrix.dense()
    assert np.array_equal(dense, dense.T)
    assert np.array_equal(dense[10:15, 0:5], matrix.columns[0, 2])
    assert not dense[15:20, 0:5].any()


@pytest.mark.parametrize("columns", [(), (3,)])
def test_solve(matrix: BlockBanded, columns: tuple[int, ...]) -> None:
    right = np.random.default_rng(1).normal(size=(N * M, *columns))
    assert np.allclose(matrix.cholesky().solve(right), np.linalg.solve(matrix.dense(), right))


def test_the_matrix_itself_stays(matrix: BlockBanded) -> None:
    before = matrix.columns.copy()
    factor = matrix.cholesky()
    kept = factor.factor.copy()
    factor.solve(np.ones(N * M))
    factor.inverse()
    assert np.array_equal(matrix.columns, before)
    assert np.array_equal(factor.factor, kept)


def test_inverse_has_the_blocks_of_the_dense_inverse(matrix: BlockBanded) -> None:
    dense = np.linalg.inv(matrix.dense()).reshape(N, M, N, M)
    inverse = matrix.cholesky().inverse()
    for k in range(N):
        for d in range(min(P + 1, N - k)):
            assert np.allclose(inverse.columns[k, d], dense[k + d, :, k])


def test_inverse_stays_accurate_along_a_stiff_matrix() -> None:
    """The roughness of fourth differences, held by little: the recurrence must not let rounding errors grow."""
    n, m = 60, 6
    bend = np.diff(np.eye(n), n=4, axis=0)
    along = 1e8 * bend.T @ bend
    columns = np.zeros((n, 5, m, m))
    mixed = np.eye(m) + 0.3 * np.diff(np.eye(m), n=1, axis=0).T @ np.diff(np.eye(m), n=1, axis=0)
    for k in range(n):
        for d in range(min(5, n - k)):
            columns[k, d] = along[k + d, k] * mixed + (d == 0) * np.eye(m)
    matrix = BlockBanded(columns)
    factor, inverse = matrix.cholesky(), matrix.cholesky().inverse()
    for k in (0, 20, 41):
        one = np.zeros(n * m)
        one[k * m + 2] = 1
        assert inverse.columns[k, 0, 2, 2] == pytest.approx(factor.solve(one)[k * m + 2], rel=1e-6)


@pytest.mark.parametrize("reach", [1, 3])
def test_fewer_blocks_than_the_band_is_wide(reach: int) -> None:
    columns = np.zeros((2, reach, 2, 2))
    columns[:, 0] = [[4.0, 1.0], [1.0, 3.0]]
    columns[0, 1:] = 0.5
    small = BlockBanded(columns)
    assert np.allclose(small.cholesky().inverse().dense()[:2, :2], np.linalg.inv(small.dense())[:2, :2])


def test_not_positive_definite_is_an_error(matrix: BlockBanded) -> None:
    bad = matrix.columns.copy()
    bad[3, 0] -= 90 * np.eye(M)
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        BlockBanded(bad).cholesky()


def test_threads_are_restored() -> None:
    from pyfai_gridcal.base.threads import _libraries

    before = [getter() for getter, _ in _libraries()]
    with one_blas_thread():
        assert all(getter() == 1 for getter, _ in _libraries())
    assert [getter() for getter, _ in _libraries()] == before


def test_threads_are_restored_by_the_last_to_leave() -> None:
    """Several threads inside at a time: none gives the number back while another one counts on it."""
    from threading import Barrier

    from pyfai_gridcal.base.threads import _libraries

    before = [getter() for getter, _ in _libraries()]
    both = Barrier(2, timeout=30)

    def work(first: bool) -> list[int]:
        with one_blas_thread():
            both.wait()
            with one_blas_thread():
                pass
            if first:
                return []
            left.wait()
            return [getter() for getter, _ in _libraries()]

    left = Barrier(2, timeout=30)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.submit(work, True), pool.submit(work, False)
        one.result()
        left.wait()
        assert set(other.result()) <= {1}
    assert [getter() for getter, _ in _libraries()] == before
