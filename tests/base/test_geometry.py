"""Hulls, turns and inverses in the plane."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.base.geometry import as_pair, hull_of, inverted, leaning, turn_matrix, within_hull
from pyfai_gridcal.records.fit import Pose


@pytest.mark.parametrize(
    ("given", "pair"), [(3, (3.0, 3.0)), ((2.0, 5.0), (2.0, 5.0)), (np.array([1, 4]), (1.0, 4.0)), ([7], (7.0, 7.0))]
)
def test_pairs(given, pair) -> None:
    found = as_pair(given)
    assert found == pair
    assert all(type(one) is float for one in found)


def test_inverses_of_many_and_of_a_flat_one() -> None:
    some = np.array([[[1.1, 0.2], [-0.3, 0.9]], [[0.4, -2.0], [5.0, 3.0]], [[1.0, 2.0], [2.0, 4.0]]])
    found = inverted(some)
    assert np.allclose(some[:2] @ found[:2], np.eye(2))
    assert not np.isfinite(found[2]).any()


def test_three_are_no_pair() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        as_pair([1.0, 2.0, 3.0])


def test_turns_add_up_and_keep_lengths() -> None:
    a, b = 0.3, -1.1
    np.testing.assert_allclose(turn_matrix(a) @ turn_matrix(b), turn_matrix(a + b), atol=1e-15)
    np.testing.assert_allclose(turn_matrix(a) @ turn_matrix(a).T, np.eye(2), atol=1e-15)
    assert np.linalg.det(turn_matrix(a)) == pytest.approx(1)


def test_a_positive_turn_takes_fast_towards_slow_as_a_pose_does() -> None:
    along_fast = np.array([0.0, 1.0])
    np.testing.assert_allclose(turn_matrix(np.pi / 2) @ along_fast, [1.0, 0.0], atol=1e-15)
    places = np.random.default_rng(1).normal(0, 1e-3, (5, 2))
    pose = Pose(0.37, (0.0, 0.0)).corrected(places, (1.0, 1.0)) + 0.5
    np.testing.assert_allclose(places @ turn_matrix(0.37).T, pose, atol=1e-15)


def test_hull_of_a_raster_is_its_border() -> None:
    y, x = np.mgrid[0:4, 0:7]
    points = np.stack([y.ravel(), x.ravel()], axis=1).astype(float)
    hull = hull_of(points)
    assert {tuple(corner) for corner in hull} == {(0, 0), (0, 6), (3, 0), (3, 6)}


@pytest.mark.parametrize("points", [[[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], [[1.0, 2.0]], np.empty((0, 2))])
def test_points_without_a_hull_are_their_own(points) -> None:
    points = np.asarray(points)
    assert hull_of(points) is points


@pytest.mark.parametrize("step", [1, -1])
def test_within_a_triangle(step: int) -> None:
    """Corners in either order; a corner and a point of an edge are within."""
    hull = np.array([[0.0, 0.0], [0.0, 6.0], [3.0, 0.0]])[::step]
    at = np.array([[1.0, 1.0], [0.0, 0.0], [1.5, 3.0], [2.0, 3.0], [-0.1, 1.0], [1.0, -0.1]])
    assert within_hull(hull, at).tolist() == [True, True, True, False, False, False]


def test_within_agrees_with_barycentric_weights() -> None:
    rng = np.random.default_rng(8)
    hull = np.array([[1.0, 2.0], [40.0, 11.0], [9.0, 77.0]])
    at = rng.uniform(-5, 80, (500, 2))
    weight = np.linalg.solve(np.vstack([hull.T, np.ones(3)]), np.column_stack([at, np.ones(500)]).T)
    expected = (weight >= 0).all(axis=0)
    assert 20 < expected.sum() < 400
    np.testing.assert_array_equal(within_hull(hull, at), expected)


def test_a_plate_that_leans_is_seen_as_by_a_ray() -> None:
    at, tilt, source = np.array([(0.03, -0.02), (-0.01, 0.04)]), (0.01, -0.004), 0.7
    # exactly: the plate turned about the axis along which it does not rise, and the ray through each hole
    slope = np.hypot(*tilt)
    along = np.array(tilt) / slope
    u, v = at @ along, at @ np.array([-along[1], along[0]])
    angle = np.arctan(slope)
    place = np.outer(u * np.cos(angle), along) + np.outer(v, [-along[1], along[0]])
    exact = place * (source / (source - u * np.sin(angle)))[:, None]
    assert leaning(at, tilt, source) == pytest.approx(exact, abs=1e-7)
    assert leaning(at, tilt, np.inf) == pytest.approx(place, abs=1e-7)
