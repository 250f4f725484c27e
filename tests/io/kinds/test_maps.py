"""Maps at the centres and at the corners of pixels, and what they say between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hub import PIXEL, Wave, corner_gap, modules, wave

from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.io.kinds.maps import (
    CubicField,
    continued,
    distortion_of_centres,
    distortion_of_nodes,
    pair_names,
    partner,
    shared_nodes,
)
from pyfai_gridcal.records.field import CornerField, SampledField

SHAPE = (40, 55)


def cubic(y, x):
    """A polynomial of third degree in each coordinate."""
    return 1e-4 * np.stack([y**3 - 2 * y * x**2 + x, x**3 + 3 * y**2 - y * x], axis=-1)


def test_cubic_fields_are_exact_at_the_centres_and_for_cubics_beyond_the_border_too():
    y, x = np.meshgrid(np.arange(40.0), np.arange(55.0), indexing="ij")
    field = CubicField(cubic(y, x))
    np.testing.assert_array_equal(field.on_grid(y[:, 0], x[0]), cubic(y, x))
    at = np.random.default_rng(0).uniform((-0.5, -0.5), (39.5, 54.5), (300, 2))
    np.testing.assert_allclose(field.at(at), cubic(at[:, 0], at[:, 1]), atol=1e-9)
    np.testing.assert_allclose(field.at(np.array([[-0.5, 54.5]])), [cubic(-0.5, 54.5)], atol=1e-9)


def test_maps_of_centres_are_of_fourth_order():
    """Half the distance of the samples, a sixteenth of the error: what a straight line would not reach."""
    errors = []
    for step in (4, 2):
        y, x = np.arange(0, 120, step), np.arange(0, 160, step)
        field = CubicField(Wave().on_grid(y, x))
        at = np.random.default_rng(1).uniform(12, 100, (500, 2))
        errors.append(np.abs(field.at(at / step) - Wave().at(at)).max())
    assert 10 < errors[0] / errors[1] < 24


def test_kinds_of_fields_by_what_the_maps_show():
    truth = wave(SHAPE)
    dy, dx = truth.displacement_maps()
    assert isinstance(distortion_of_centres(dy, dx, PIXEL).field, CubicField)
    assert isinstance(distortion_of_centres(dy, dx, PIXEL, linear=True).field, SampledField)
    assert corner_gap(truth, distortion_of_centres(dy, dx, PIXEL))[0] < 1e-4
    jump = dy.copy()
    jump[:, 30:] += 3
    tiles = distortion_of_centres(jump, dx, PIXEL)
    assert isinstance(tiles.field, CornerField)
    np.testing.assert_allclose(tiles.displacement_maps()[0], jump, atol=1e-12)
    np.testing.assert_allclose(tiles.displacement_maps()[1], dx, atol=1e-12)


def test_maps_of_corners():
    truth = wave(SHAPE)
    dy, dx = truth.displacement_nodes()
    dy[7, 9] = np.nan
    found = distortion_of_nodes(dy, dx, PIXEL)
    assert found.shape == SHAPE
    assert np.argwhere(found.mask).tolist() == [[6, 8], [6, 9], [7, 8], [7, 9]]
    assert corner_gap(truth, found)[0] < 1e-9


@pytest.mark.parametrize(
    ("dy", "dx", "says"),
    [
        (np.zeros((5, 6)), np.zeros((6, 5)), "the shapes"),
        (np.full((5, 6), np.nan), np.zeros((5, 6)), "no finite number"),
        (np.full((5, 6), 100.0), np.zeros((5, 6)), "instead of displacements"),
        (np.zeros((1, 6)), np.zeros((1, 6)), "at least 2 x 2"),
    ],
)
def test_maps_that_cannot_be_meant(dy, dx, says):
    with pytest.raises(FileFormatError, match=says):
        distortion_of_centres(dy, dx, PIXEL)


def test_numbers_that_no_map_holds_are_masked():
    dy, dx = np.zeros((20, 30)), np.zeros((20, 30))
    dy[3, 4], dx[7, 8], dx[9, 1] = 1e30, -3e38, np.nan
    mask = distortion_of_centres(dy, dx, PIXEL).mask
    assert mask is not None
    assert sorted(map(tuple, np.argwhere(mask))) == [(3, 4), (7, 8), (9, 1)]


def test_names_of_pairs():
    for one, pair in (
        ("a_e2dx.edf", ("a_e2dx.edf", "a_e2dy.edf")),
        ("a_E2DY.edf", ("a_E2DX.edf", "a_E2DY.edf")),
        ("b-y.edf", ("b-x.edf", "b-y.edf")),
        ("X_GEO_CORR.cbf", ("X_GEO_CORR.cbf", "Y_GEO_CORR.cbf")),
    ):
        assert tuple(p.name for p in partner(Path(one))) == pair
    assert partner(Path("plain.edf")) is None
    assert [p.name for p in pair_names(Path("det"), ("_dx", "_dy"), ".tif")] == ["det_dx.tif", "det_dy.tif"]
    assert [p.name for p in pair_names(Path("a_dy.tiff"), ("_dx", "_dy"), ".tif")] == ["a_dx.tiff", "a_dy.tiff"]


def test_nodes_that_neighbours_share():
    nodes, known, jump = shared_nodes(wave(SHAPE))
    np.testing.assert_allclose(nodes, Wave().on_grid(np.arange(41) - 0.5, np.arange(56) - 0.5))
    assert known.all()
    assert jump == 0
    nodes, known, jump = shared_nodes(modules())
    assert jump == 0, "gaps lie between the modules"
    assert not known.all()
    assert np.isfinite(nodes).all()
    assert shared_nodes(modules(gap=0))[2] > 0.5


def test_straight_lines_go_on_as_straight_lines():
    y, x = np.meshgrid(np.arange(30.0), np.arange(41.0), indexing="ij")
    plane = np.stack([0.1 * y - 0.2 * x + 3, 0.05 * x], axis=-1)
    known = np.hypot(y - 15, x - 20) < 12
    spoilt = np.where(known[..., None], plane, 99.0)
    np.testing.assert_allclose(continued(spoilt, known), plane, atol=1e-3)
    np.testing.assert_array_equal(continued(spoilt, known)[known], plane[known])
