"""Half a pixel, and to which side."""

from __future__ import annotations

import numpy as np

from pyfai_gridcal.base.frames import (
    CORNERS,
    edge_from_index,
    edge_nodes,
    index_from_edge,
    pixel_centres,
    raster_places,
)


def test_the_first_pixel_is_centred_half_a_pixel_from_its_corner() -> None:
    assert edge_from_index(0) == 0.5
    assert index_from_edge(0) == -0.5
    points = np.array([[0.25, -3.0], [7.5, 11.0]])
    np.testing.assert_array_equal(edge_from_index(points) - points, 0.5)
    np.testing.assert_array_equal(index_from_edge(edge_from_index(points)), points)


def test_whole_numbers_are_not_rounded() -> None:
    assert index_from_edge(np.array([1, 2])).tolist() == [0.5, 1.5]


def test_nodes_lie_around_the_centres() -> None:
    shape = (3, 5)
    for nodes, centres, count in zip(edge_nodes(shape), pixel_centres(shape), shape, strict=True):
        assert (len(nodes), len(centres)) == (count + 1, count)
        np.testing.assert_array_equal((nodes[1:] + nodes[:-1]) / 2, centres)
    assert edge_nodes(shape)[1].tolist() == [-0.5, 0.5, 1.5, 2.5, 3.5, 4.5]


def test_corners_go_around_the_pixel() -> None:
    """A(0,0) B(1,0) C(1,1) D(0,1): each is one step from the next, and they enclose one pixel."""
    corner = np.array(CORNERS)
    assert CORNERS[0] == (0, 0)
    assert np.abs(np.roll(corner, -1, axis=0) - corner).sum(axis=1).tolist() == [1, 1, 1, 1]
    y, x = corner.T
    assert abs(np.dot(y, np.roll(x, -1)) - np.dot(x, np.roll(y, -1))) / 2 == 1
    assert CORNERS[1] == (1, 0), "the slow axis first"


def test_places_of_a_raster_slow_before_fast() -> None:
    places = raster_places(np.array([1.0, 2.0]), np.array([5.0, 7.0, 9.0]))
    assert places.shape == (2, 3, 2)
    assert places[1, 2].tolist() == [2.0, 9.0]
