"""Fields answer the same for points and for rasters, exactly where they are known."""

from __future__ import annotations

import numpy as np
import pytest
from hub import Wave
from hypothesis import given, settings
from hypothesis import strategies as st

from pyfai_gridcal.base.frames import edge_nodes
from pyfai_gridcal.io.kinds.fit2d import Fit2DField
from pyfai_gridcal.io.kinds.inverse import inverted
from pyfai_gridcal.io.kinds.maps import CubicField
from pyfai_gridcal.io.kinds.readout import binned, mirrored
from pyfai_gridcal.io.kinds.splinefit import fit_spline
from pyfai_gridcal.records.field import CornerField, Field, SampledField, TiledField, corner_values

SHAPE = (40, 55)


def fields():
    from hub import PIXEL, wave

    d = wave(SHAPE, PIXEL)
    wave_ = d.field
    nodes = edge_nodes(SHAPE)
    maps = np.stack(d.displacement_maps(), axis=-1)
    return {
        "sampled": SampledField(*nodes, wave_.on_grid(*nodes)),
        "clamped": SampledField(*nodes, wave_.on_grid(*nodes), clamp=True),
        "corners": CornerField(corner_values(wave_, SHAPE)),
        "tiled": TiledField(np.arange(55)[None, :].repeat(40, 0) // 28, (wave_, Wave(0.5))),
        "cubic": CubicField(maps),
        "spline": Fit2DField(fit_spline(d, tolerance=0.05).spline),
        "inverse": inverted(wave_, SHAPE),
        "mirrored": mirrored(d, slow=True, fast=False).field,
        "binned": binned(d, (2, 1)).field,
    }


FIELDS = fields()


@pytest.mark.parametrize("name", FIELDS)
def test_points_and_rasters_agree(name):
    field = FIELDS[name]
    assert isinstance(field, Field)
    y, x = np.array([0.0, 3.2, 17.0, 18.99]), np.array([1.0, 0.3, 26.4, 50.0, 7.7])
    points = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
    assert np.allclose(field.on_grid(y, x).reshape(-1, 2), field.at(points), atol=1e-6)
    assert field.at(np.empty((0, 2))).shape == (0, 2)


@pytest.mark.parametrize("name", ["sampled", "corners"])
def test_bilinear_fields_are_exact_at_the_corners(name):
    nodes = edge_nodes(SHAPE)
    shrunk = nodes[0][1:-1], nodes[1][1:-1]
    found = FIELDS[name].on_grid(shrunk[0] + 1e-9, shrunk[1] + 1e-9)
    assert np.allclose(found, Wave().on_grid(*shrunk), atol=1e-7)
    assert np.allclose(corner_values(FIELDS[name], SHAPE), corner_values(Wave(), SHAPE), atol=1e-9)


def test_cubic_is_exact_at_the_centres_and_for_cubics():
    y, x = np.arange(SHAPE[0]), np.arange(SHAPE[1])
    assert np.allclose(FIELDS["cubic"].on_grid(y, x), Wave().on_grid(y, x))

    def cubic(y, x):
        y, x = np.asarray(y, float)[:, None], np.asarray(x, float)[None, :]
        return np.stack([1e-3 * y**3 - y * x, 2e-3 * x**3 + 0.1 * y**2], axis=-1)

    field = CubicField(cubic(y, x))
    outside = np.array([-0.5, 10.3, 39.5]), np.array([-0.5, 31.7, 54.5])
    assert np.allclose(field.on_grid(*outside), cubic(*outside), atol=1e-9)


def test_inverse_is_the_inverse():
    points = np.random.default_rng(0).uniform(12, 30, (200, 2))
    back = FIELDS["inverse"].at(points)
    assert np.abs(points + back + Wave().at(points + back) - points).max() < 1e-6


def test_tiles_jump_where_they_meet():
    field = FIELDS["tiled"]
    left, right = field.at([[10, 27.4]]), field.at([[10, 27.6]])
    assert np.allclose(left, Wave().at([[10, 27.4]]))
    assert np.allclose(right, Wave(0.5).at([[10, 27.6]]))
    corners = field.corners(SHAPE)
    assert np.allclose(corners[10, 27, 3], Wave().at([[9.5, 27.5]]))
    assert np.allclose(corners[10, 28, 0], Wave(0.5).at([[9.5, 27.5]]))
    with pytest.raises(ValueError, match="shape"):
        field.corners((3, 3))


def test_borders_are_the_pixels_on_both_sides():
    labels = np.zeros((3, 4), int)
    labels[2, 1:] = 1
    before, behind = TiledField(labels, (Wave(), Wave(0.5))).borders()
    assert before.tolist() == [[1, 1], [1, 2], [1, 3], [2, 0]]
    assert behind.tolist() == [[2, 1], [2, 2], [2, 3], [2, 1]]


def test_gaps_take_the_nearest_tile():
    labels = np.full(SHAPE, -1)
    labels[:, :20], labels[:, 30:] = 0, 1
    field = TiledField(labels, (Wave(), Wave(0.5)))
    assert field.labels.min() == 0
    assert np.allclose(field.at([[5, 21]]), Wave().at([[5, 21]]))
    assert np.allclose(field.at([[5, 29]]), Wave(0.5).at([[5, 29]]))


def test_clamp_keeps_the_border():
    nodes = edge_nodes(SHAPE)
    assert np.allclose(FIELDS["clamped"].at([[-9, 10]]), FIELDS["clamped"].at([[nodes[0][0], 10]]))
    assert not np.allclose(FIELDS["sampled"].at([[-9, 10]]), FIELDS["clamped"].at([[-9, 10]]))


@pytest.mark.parametrize("shape", [(3, 3, 1), (2, 3, 2), (3, 4, 3)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="axes of 3 and 3"):
        SampledField(np.arange(3.0), np.arange(3.0), np.zeros(shape))


@settings(max_examples=50, deadline=None)
@given(
    slopes=st.lists(st.floats(-0.5, 0.5), min_size=6, max_size=6), at=st.tuples(st.floats(-5, 45), st.floats(-5, 60))
)
def test_linear_fields_are_linear_everywhere(slopes, at):
    a, b, c, d, e, f = slopes

    def linear(y, x):
        y, x = np.broadcast_arrays(np.asarray(y, float)[:, None], np.asarray(x, float)[None, :])
        return np.stack([a + b * y + c * x, d + e * y + f * x], axis=-1)

    nodes = edge_nodes(SHAPE)
    expected = linear(at[:1], at[1:])[0, 0]
    centres = np.arange(SHAPE[0], dtype=float), np.arange(SHAPE[1], dtype=float)
    for field in (SampledField(*nodes, linear(*nodes)), CubicField(linear(*centres))):
        assert np.allclose(field.at([at])[0], expected, atol=1e-8)
