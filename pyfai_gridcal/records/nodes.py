"""Which row has which node: one dense table for all who look up nodes, or go from node to node."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..base.arrays import AnyArray, Ints


@dataclass(frozen=True, eq=False)
class NodeTable:
    """Rows of points by their nodes.

    Attributes
    ----------
    low : (2,) node of the first cell
    cells : (ni, nj) row of the point with this node, -1 where there is none; the rim, one cell wide, is always free
    """

    low: Ints
    cells: Ints

    @classmethod
    def of(cls, ij: AnyArray) -> NodeTable:
        """Table of at least one node (M, 2); of rows with the same node the last one counts."""
        low, high = (np.array([end(column) for column in ij.T]) for end in (np.min, np.max))
        low = low - 1
        cells = np.full(tuple(high - low + 2), -1, np.int64)
        cells[tuple((ij - low).T)] = np.arange(len(ij))
        return cls(low, cells)

    def rows(self, ij: AnyArray) -> Ints:
        """Rows (...) of nodes (..., 2) anywhere, -1 where there is none."""
        # what lies beyond the table is looked up in its rim, where nothing is
        i, j = (np.clip(ij[..., k] - self.low[k], 0, n - 1) for k, n in enumerate(self.cells.shape))
        i *= self.cells.shape[1]
        i += j
        return np.asarray(self.cells.ravel().take(i))

    def line(self, ij: AnyArray, step: tuple[int, int], reach: int = 1) -> dict[int, Ints]:
        """Rows (M,) of what lies k steps, each to a neighbour, from nodes (M, 2) of the table, for k from -reach
        to reach.
        """
        # with a rim as wide as that, a step is the same way through the flat table everywhere
        wide = np.pad(self.cells, reach, constant_values=-1)
        at = (ij[:, 0] - self.low[0] + reach) * wide.shape[1] + (ij[:, 1] - self.low[1] + reach)
        ahead = step[0] * wide.shape[1] + step[1]
        return {k: wide.ravel().take(at + k * ahead) for k in range(-reach, reach + 1)}
