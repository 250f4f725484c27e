"""A picture and its truth belong together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from griddrawing import PIXEL, SHAPE, make

from pyfai_gridcal import synthetic
from pyfai_gridcal.synthetic import Camera, Faults, Light


@pytest.mark.parametrize("angle", [90.0, 60.0, 81.0])
def test_truth_is_consistent(angle):
    """A corrected true spot is its hole under the pose."""
    scene = make(angle=angle)
    scene = replace(scene, plate=synthetic.imperfect(scene.plate, 40e-6, seed=3))
    truth = scene.render(np.random.default_rng(1)).truth
    node = scene.pose.corrected(scene.plate.positions(truth.ij), PIXEL)
    assert len(truth) > 40
    np.testing.assert_allclose(scene.distortion.correct(truth.yx), node, atol=1e-5)
    ideal = replace(scene.plate, error_ij=None, error_yx=None).positions(truth.ij)
    assert 30e-6 < np.std(scene.plate.positions(truth.ij) - ideal) < 50e-6


def test_faults_are_seen_and_belong_to_the_plate():
    clean = make(shape=(300, 400))
    faulty = replace(clean, faults=Faults(missing=0.2, merged=0.1, seed=7))
    a, b = (s.render(np.random.default_rng(0)) for s in (clean, faulty))
    assert 0.7 < len(b.truth) / len(a.truth) < 0.9
    assert 0.05 < np.mean(a.truth.whole) - np.mean(b.truth.whole) < 0.35
    other = replace(faulty, pose=replace(faulty.pose, angle_rad=0.4)).render(np.random.default_rng(9))
    common = {tuple(ij) for ij in a.truth.ij}
    here, there = ({tuple(ij) for ij in p.truth.ij} for p in (b, other))
    everywhere = {tuple(ij) for ij in replace(clean, pose=other.scene.pose).render(np.random.default_rng(0)).truth.ij}
    assert here & everywhere == there & common


def test_single_pixel_faults_mask_and_saturation():
    mask = np.zeros(SHAPE, bool)
    mask[70:75] = True
    scene = make(
        mask=mask,
        light=Light(200, 20),
        camera=Camera(readout=1, pedestal=3, saturation=180, dtype="uint8"),
        faults=Faults(zingers=20, hot_columns=2, dirt=3, beam_stop=(40.0, 60.0, 15.0)),
    )
    picture = scene.render(np.random.default_rng(3))
    assert picture.image.dtype == np.uint8
    assert picture.image.max() == 180
    assert picture.mask is mask or (picture.mask == mask).all()
    assert picture.mean[72].max() == picture.mean[40, 60] == 3
    inside = np.hypot(*(picture.truth.yx - (40, 60)).T) < 10
    assert not inside.any()
    on_gap = np.abs(picture.truth.yx[:, 0] - 72) < 4
    assert not picture.truth.whole[on_gap].any()


def test_place_puts_the_first_hole_off_the_middle_by_fractions_of_the_pitch():
    scene = make()
    for offset in ((0.0, 0.0), (0.31, -0.57)):
        pose = synthetic.place(scene.distortion, scene.plate, angle_deg=-7.3, offset=offset)
        at = pose.corrected(scene.plate.positions(np.array([[0, 0], [1, 0], [0, 1]])), PIXEL)
        middle = (np.array(SHAPE) - 1) / 2
        np.testing.assert_allclose(at[0] - middle, np.array(offset) @ (at[1:] - at[0]), atol=1e-9)


def test_holes_are_those_of_the_picture():
    """Without taking one: the same spots in the same order, without their bounds."""
    scene = make(faults=Faults(missing=0.1, seed=3))
    seen = scene.render(np.random.default_rng(0), bounds=False).truth
    bare = scene.holes()
    np.testing.assert_array_equal(bare.ij, seen.ij)
    np.testing.assert_array_equal(bare.yx, seen.yx)
    assert (bare.sigma_yx == 0).all()


def test_exposures_share_all_but_the_pose():
    scene = make()
    poses = [replace(scene.pose, angle_rad=a) for a in (0.1, 0.2)]
    made = scene.exposures(poses)
    assert [one.pose for one in made] == poses
    assert all(one.plate is scene.plate and one.distortion is scene.distortion for one in made)


def test_a_plate_of_few_holes_has_these_only():
    truth = make(faults=Faults(extent=(-1, 1, 0, 2))).render(np.random.default_rng(0), bounds=False).truth
    assert {tuple(ij) for ij in truth.ij} == {(i, j) for i in (-1, 0, 1) for j in (0, 1, 2)}


def test_a_plate_must_know_its_holes():
    scene = make()
    with pytest.raises(ValueError, match="hole_m"):
        replace(scene, plate=replace(scene.plate, hole_m=None))
