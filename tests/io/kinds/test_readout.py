"""The same detector read out otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from hub import PIXEL, corner_gap, modules, wave

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.io.kinds.readout import binned, in_orientation, mirrored, part_of, to_orientation_3
from pyfai_gridcal.io.nexus.contents import ORIENTATIONS
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import CornerField, SampledField, corner_values


def test_a_binned_read_out_has_the_same_corners():
    truth = wave((232, 312))
    for one in (truth, modules((120, 170))):
        from pyfai_gridcal.io.kinds.readout import binned

        small = binned(one, (2, 3))
        corners, fine = small.pixel_corners(np.float64), one.pixel_corners(np.float64)
        assert small.shape == (one.shape[0] // 2, one.shape[1] // 3)
        ny, nx = small.shape
        for k, (a, b) in enumerate(((0, 0), (1, 0), (1, 1), (0, 1))):
            at = fine[a : 2 * ny : 2, 2 * b : 3 * nx : 3, k]
            assert np.allclose(corners[:, :, k], at, atol=1e-9)


@pytest.mark.parametrize("make", [lambda: wave((232, 312), masked=True), modules])
def test_a_part_has_the_displacement_of_its_pixels(make):
    truth = make()
    part = part_of(truth, (31, 80, 11, 102))
    assert part.shape == (49, 91)
    for mine, whole in zip(part.displacement_maps(), truth.displacement_maps(), strict=True):
        np.testing.assert_allclose(mine, whole[31:80, 11:102], atol=1e-12)
    np.testing.assert_allclose(
        part.pixel_corners(np.float64)[..., 1:] + np.array([31, 11]) * truth.pixel_size,
        truth.pixel_corners(np.float64)[31:80, 11:102, :, 1:],
        atol=1e-12,
    )
    assert np.array_equal(part.mask, truth.mask[31:80, 11:102])
    assert part_of(truth, None) is truth
    with pytest.raises(UsageError, match="a part of it"):
        part_of(truth, (31, 80, 11, 1000))


@pytest.mark.parametrize(("orientation", "flip"), [(1, (-1, -1)), (2, (-1, 1)), (3, (1, 1)), (4, (1, -1))])
def test_orientations_mirror_the_detector(orientation, flip):
    from pyfai_gridcal.io.kinds.readout import to_orientation_3

    for truth in (wave(), modules()):
        turned = to_orientation_3(truth, orientation)
        size = np.array(truth.shape) * truth.pixel_size
        there = truth.pixel_corners(np.float64).mean(axis=2)[:: flip[0], :: flip[1], 1:]
        expected = np.where(np.array(flip) < 0, size - there, there)
        assert np.allclose(turned.pixel_corners(np.float64).mean(axis=2)[..., 1:], expected, atol=1e-12)
        again = to_orientation_3(turned, orientation)
        assert corner_gap(truth, again)[0] < 1e-9
        if truth.mask is not None:
            assert np.array_equal(turned.mask, truth.mask[:: flip[0], :: flip[1]])


@pytest.mark.parametrize("make", [lambda: wave((60, 91), masked=True), modules])
@pytest.mark.parametrize("orientation", [1, 2, 3, 4])
def test_pixels_of_turned_images_stay_where_they_are(make, orientation):
    truth = make()
    slow, fast = ORIENTATIONS[orientation]
    one = in_orientation(truth, orientation)
    order = [(0, 1, 2, 3), (1, 0, 3, 2), (3, 2, 1, 0), (2, 3, 0, 1)][slow + 2 * fast]
    cut = slice(None, None, 1 - 2 * slow), slice(None, None, 1 - 2 * fast)
    expected = truth.pixel_corners(np.float64)[cut][:, :, order]
    known = ~one.mask
    np.testing.assert_allclose(one.pixel_corners(np.float64)[known], expected[known], atol=1e-13)
    np.testing.assert_array_equal(one.mask, truth.mask[cut])
    places = np.array([[13.0, 21.0], [40.25, 70.5]])
    flipped = np.where((slow, fast), np.array(truth.shape) - 1 - places, places)
    if not truth.is_tiled:
        np.testing.assert_allclose(one.correct(flipped), truth.correct(places), atol=1e-9)
    np.testing.assert_allclose(
        binned(one, (2, 1)).pixel_corners(np.float64)[0, 0],
        one.pixel_corners(np.float64)[:2, 0][[0, 1, 1, 0], range(4)],
    )


@pytest.mark.parametrize("make", [lambda: wave((60, 91), masked=True), modules])
@pytest.mark.parametrize(("slow", "fast"), [(True, False), (False, True), (True, True)])
def test_mirrored_twice_is_the_same(make, slow, fast):
    truth = make()
    once = mirrored(truth, slow=slow, fast=fast)
    assert corner_gap(truth, mirrored(once, slow=slow, fast=fast))[0] < 1e-9
    sign = np.array([-1.0 if slow else 1.0, -1.0 if fast else 1.0])
    places = np.array([[13.0, 21.0], [40.25, 70.5]])
    flipped = np.where((slow, fast), np.array(truth.shape) - 1 - places, places)
    np.testing.assert_allclose(once.displacement(flipped), truth.displacement(places) * sign, atol=1e-9)
    if truth.mask is not None:
        assert once.mask.sum() == truth.mask.sum()


def test_uncertainty_has_no_sign():
    y, x = np.array([0.0, 59.0]), np.array([0.0, 90.0])
    sigma = SampledField(y, x, np.full((2, 2, 2), [0.1, 0.3]))
    truth = wave((60, 91))
    one = mirrored(Distortion(truth.field, truth.shape, PIXEL, sigma=sigma), slow=True, fast=True)
    np.testing.assert_allclose(one.sigma.at(np.array([[3.0, 4.0]])), [[0.1, 0.3]])


@pytest.mark.parametrize(("factor", "says"), [((0, 1), "binning"), ((2, 100), "binning")])
def test_what_cannot_be_binned(factor, says):
    with pytest.raises(UsageError, match=says):
        binned(wave((60, 91)), factor)
    with pytest.raises(UsageError, match="orientation 5"):
        to_orientation_3(wave((60, 91)), 5)


def test_binned_pixels_of_tiles_reach_from_first_to_last_corner():
    truth = modules(gap=0)
    d = Distortion(CornerField(corner_values(truth.field, truth.shape)), truth.shape, PIXEL)
    one = binned(d, (3, 2))
    fine, coarse = d.pixel_corners(np.float64), one.pixel_corners(np.float64)
    np.testing.assert_allclose(coarse[4, 7, 0], fine[12, 14, 0], atol=1e-12)
    np.testing.assert_allclose(coarse[4, 7, 2], fine[14, 15, 2], atol=1e-12)


@pytest.mark.parametrize("orientation", [1, 2, 3, 4])
@pytest.mark.parametrize("tiled", [False, True])
def test_a_part_of_images_in_another_orientation_is_where_it_is_on_the_detector(orientation, tiled):
    truth = wave((60, 91))
    if tiled:
        truth = Distortion(CornerField(corner_values(truth.field, truth.shape)), truth.shape, PIXEL)
    slow, fast = ORIENTATIONS[orientation]
    y0, y1, x0, x1 = 31, 57, 11, 42
    on_detector = (60 - y1, 60 - y0) if slow else (y0, y1), (91 - x1, 91 - x0) if fast else (x0, x1)
    expected = in_orientation(part_of(truth, (*on_detector[0], *on_detector[1])), orientation)
    found = part_of(in_orientation(truth, orientation), (y0, y1, x0, x1), orientation)
    assert corner_gap(found, expected)[0] < 1e-9
