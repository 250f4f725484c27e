"""Corners of pixels on the plane, with and without neighbours that share them."""

from __future__ import annotations

import numpy as np
import pytest
from hub import PIXEL, modules, wave

from pyfai_gridcal.records.corners import corner_nodes, corners_of_nodes, is_tiled

CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1))


@pytest.mark.parametrize("truth", [wave((31, 44)), modules()])
def test_corners_by_hand(truth):
    nodes = corner_nodes(truth.field, truth.shape, PIXEL, np.float64)
    tiled = is_tiled(truth.field)
    ny, nx = truth.shape
    assert nodes.shape == ((ny, nx, 4, 2) if tiled else (ny + 1, nx + 1, 2))
    corners = corners_of_nodes(nodes)
    assert corners.dtype == np.float64
    for y, x in ((0, 0), (17, 40), (30, 43)):
        field = truth.field.fields[truth.field.labels[y, x]] if tiled else truth.field
        for k, (down, right) in enumerate(CORNERS):
            edge = np.array([y + down, x + right], float)
            expected = (edge + field.at(edge[None] - 0.5)[0]) * PIXEL
            np.testing.assert_allclose(corners[y, x, k], [0.0, *expected], atol=1e-12)


def test_large_and_small_detectors_are_filled_alike(monkeypatch):
    from pyfai_gridcal.records import corners

    nodes = np.random.default_rng(0).normal(0, 1, (64, 38, 2)).astype(np.float32)
    small = corners_of_nodes(nodes)
    monkeypatch.setattr(corners, "_LARGE", 1)
    np.testing.assert_array_equal(corners_of_nodes(nodes), small)
    assert small.shape == (63, 37, 4, 3)
    np.testing.assert_array_equal(small[:, :, 2, 1:], nodes[1:, 1:])
