"""One table of nodes, against a dictionary."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.records.nodes import NodeTable


@pytest.fixture
def ij() -> np.ndarray:
    """Some nodes of an oblong, far from the origin, in no order."""
    nodes = np.stack(np.meshgrid(np.arange(-7, 2), np.arange(40, 55), indexing="ij"), axis=-1).reshape(-1, 2)
    rng = np.random.default_rng(3)
    return rng.permutation(nodes)[:90]


def test_rows_are_those_of_a_dictionary(ij: np.ndarray) -> None:
    known = {tuple(node): row for row, node in enumerate(ij)}
    asked = np.stack(np.meshgrid(np.arange(-30, 30), np.arange(20, 80), indexing="ij"), axis=-1)
    rows = NodeTable.of(ij).rows(asked)
    assert rows.shape == asked.shape[:-1]
    expected = [known.get(tuple(node), -1) for node in asked.reshape(-1, 2)]
    np.testing.assert_array_equal(rows.ravel(), expected)
    assert sorted(rows[rows >= 0]) == list(range(len(ij)))


def test_of_rows_with_one_node_the_last_counts() -> None:
    table = NodeTable.of(np.array([[3, 4], [5, 6], [3, 4]]))
    assert table.rows(np.array([[3, 4], [5, 6], [4, 5]])).tolist() == [2, 1, -1]


@pytest.mark.parametrize("step", [(1, 0), (0, 1), (1, -1)])
def test_lines_go_on_by_their_step(ij: np.ndarray, step: tuple[int, int]) -> None:
    line = NodeTable.of(ij).line(ij, step, reach=2)
    assert set(line) == {-2, -1, 0, 1, 2}
    np.testing.assert_array_equal(line[0], np.arange(len(ij)))
    for k, rows in line.items():
        there = rows >= 0
        assert there.any()
        np.testing.assert_array_equal(ij[rows[there]], ij[there] + k * np.array(step))


def test_one_node_is_enough() -> None:
    assert NodeTable.of(np.array([[-5, 9]])).rows(np.array([[-5, 9], [-4, 9]])).tolist() == [0, -1]
