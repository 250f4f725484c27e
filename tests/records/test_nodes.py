"""The table of nodes against a dictionary."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.records.nodes import NodeTable

IJ = np.array([(3, -7), (4, -7), (5, -7), (3, -6), (-2, 9)])


def test_rows_of_nodes_anywhere() -> None:
    known = {tuple(node): row for row, node in enumerate(IJ.tolist())}
    asked = np.stack(np.meshgrid(np.arange(-30, 31), np.arange(-25, 28), indexing="ij"), axis=-1)
    expected = [known.get(tuple(node), -1) for node in asked.reshape(-1, 2).tolist()]
    rows = NodeTable.of(IJ).rows(asked)
    assert rows.shape == asked.shape[:2]
    assert rows.ravel().tolist() == expected


def test_lines_lead_to_neighbours() -> None:
    line = NodeTable.of(IJ).line(IJ, (1, 0), 2)
    assert sorted(line) == [-2, -1, 0, 1, 2]
    assert line[0].tolist() == [0, 1, 2, 3, 4]
    assert line[1].tolist() == [1, 2, -1, -1, -1]
    assert line[-2].tolist() == [-1, -1, 0, -1, -1]
    assert NodeTable.of(IJ).line(IJ, (0, 1))[1].tolist() == [3, -1, -1, -1, -1]


@pytest.mark.parametrize("step", [(1, 0), (0, 1), (-1, 0), (1, 1), (1, -1)])
def test_lines_end_in_nothing_on_every_side(step: tuple[int, int]) -> None:
    ij = np.argwhere(np.random.default_rng(4).random((9, 6)) < 0.7) + (-3, 5)
    table = NodeTable.of(ij)
    for k, rows in table.line(ij, step, 4).items():
        np.testing.assert_array_equal(rows, table.rows(ij + k * np.array(step)))


def test_the_last_of_several_rows_counts() -> None:
    twice = np.array([(0, 0), (1, 2), (0, 0)])
    assert NodeTable.of(twice).rows(twice).tolist() == [2, 1, 2]


def test_one_node_is_enough() -> None:
    assert NodeTable.of(np.array([[-5, 9]])).rows(np.array([[-5, 9], [-4, 9]])).tolist() == [0, -1]
