"""Tables of modules: rigid motions in metres."""

from __future__ import annotations

import numpy as np
import pytest
from hub import PIXEL, corner_gap, modules, wave

from pyfai_gridcal.base.errors import FileFormatError, FittingError
from pyfai_gridcal.io.kinds.kinds import write_distortion
from pyfai_gridcal.io.kinds.modules import Module, format_modules, modules_of, parse_modules
from pyfai_gridcal.io.kinds.readout import in_orientation
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import CornerField, corner_values


def test_a_module_table_needs_rectangles(tmp_path):
    truth = modules()
    y, x = np.indices(truth.shape)
    with pytest.raises(FittingError, match="rectangle"):
        write_distortion(truth.masked(truth.mask | (y + x < 40)), tmp_path / "m.modules")


def test_a_module_turns_in_metres():
    """Distances on the plane stay, though pixels are not square; a positive turn takes fast towards negative slow."""
    one = Module((0, 40, 0, 60), (19.5, 29.5), (0.4, -0.7), 1.3, aspect=PIXEL[0] / PIXEL[1])
    points = np.array([[3.0, 5.0], [30.0, 50.0], [19.5, 29.5]])
    there = (points + one.at(points)) * PIXEL
    before = points * PIXEL
    for a, b in ((0, 1), (1, 2), (0, 2)):
        assert np.hypot(*(there[a] - there[b])) == pytest.approx(np.hypot(*(before[a] - before[b])), rel=1e-12)
    np.testing.assert_allclose(one.at(points[2:]), [[0.4, -0.7]])
    assert one.at(np.array([[19.5, 39.5]]))[0, 0] < 0.4
    np.testing.assert_allclose(one.on_grid(points[:, 0], points[:, 1])[[0, 1, 2], [0, 1, 2]], one.at(points))


def test_rigid_motions_are_found_again_and_survive_the_text():
    truth = modules()
    table = modules_of(truth)
    for found, true in zip(table.modules, truth.field.fields, strict=True):
        assert found.extent == true.extent
        np.testing.assert_allclose(found.shift, true.shift, atol=1e-9)
        assert found.rotation == pytest.approx(true.rotation, abs=1e-9)
        assert found.largest < 1e-9
    back = parse_modules(format_modules(table)).distortion()
    assert corner_gap(truth, back)[0] < 1e-6
    np.testing.assert_array_equal(back.mask, truth.mask)


def test_modules_are_what_the_mask_leaves_where_the_field_has_none():
    truth = modules()
    known = Distortion(CornerField(corner_values(truth.field, truth.shape)), truth.shape, PIXEL, truth.mask)
    assert [m.extent for m in modules_of(known).modules] == [m.extent for m in truth.field.fields]
    with pytest.raises(FittingError, match="all pixels"):
        modules_of(truth.masked(np.ones(truth.shape)))
    assert modules_of(wave((60, 91))).modules[0].largest > 0.1, "what is not rigid is told"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("# pyFAI-gridcal module table 1", "# something else", "no module table"),
        ("# shape: 120 170", "# shape: 120.5 170", "shape"),
        ("# shape: 120 170", "", "does not tell its shape"),
        ("pixel_size_m: 4.8e-05", "pixel_size_m: 48", "pixel size of"),
        ("centre_y", "center_y", "other columns"),
        ("0\t0\t55", "0\t0\t5500", "extent"),
        ("0\t0\t55", "0\t0\tmany", "row"),
        ("1\t0\t55\t87", "1\t0\t55\t7", "overlaps"),
    ],
)
def test_what_cannot_be_meant(old, new, says):
    text = format_modules(modules_of(modules()))
    assert old in text
    with pytest.raises(FileFormatError, match=says):
        parse_modules(text.replace(old, new, 1))


def test_a_mirror_is_no_rigid_motion():
    for orientation in (2, 4):
        with pytest.raises(FittingError, match="mirrored"):
            modules_of(in_orientation(modules(), orientation))
    half_a_turn = in_orientation(modules(), 1)
    assert corner_gap(half_a_turn, modules_of(half_a_turn).distortion())[0] < 1e-6
