"""A picture and its truth belong together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from griddrawing import PIXEL, SHAPE, brute_force, make, open_fraction
from scipy.ndimage import gaussian_filter

from pyfai_gridcal import synthetic
from pyfai_gridcal.synthetic import Camera, Faults, Light, Opaque, fields


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
    scene = make(faults=Faults(missing=0.1, seed=3, opaque=(Opaque((100.0, 90.0), across=(0, np.inf)),)))
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


def test_the_rim_of_an_opaque_thing_cuts_holes_and_background():
    """Sharp before the blur: the picture is that of the brute force, times what passes, blurred."""
    shape, blur, fine = (70, 91), 1.3, 8
    thing = Opaque((36.4, 43.0), 31.0, across=(-20.0, np.inf))
    scene = make(
        shape=shape, camera=Camera(blur, readout=0, pedestal=0, dtype="float64"), light=Light(1000, 300, vignetting=0)
    )
    mean = replace(scene, faults=Faults(opaque=(thing,))).render(np.random.default_rng(0), bounds=False).mean
    y, x = (((np.arange(n * fine) + 0.5) / fine - 0.5) for n in shape)
    sharp = replace(scene, camera=Camera(0.0))
    opened = brute_force(sharp, fine=fine, binned=False)
    turn = np.deg2rad(31.0)
    u = np.cos(turn) * (y[:, None] - 36.4) - np.sin(turn) * (x - 43.0)
    v = np.sin(turn) * (y[:, None] - 36.4) + np.cos(turn) * (x - 43.0)
    free = ~((u > 0) & (v > -20))
    true = gaussian_filter((300 + 1000 * opened) * free, blur * fine, truncate=5)
    true = true.reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3))
    inner = (slice(8, -8), slice(8, -8))
    assert np.abs(mean - true)[inner].max() < 0.01 * 1300
    assert mean[inner].sum() == pytest.approx(true[inner].sum(), rel=2e-3)


def test_holes_behind_opaque_things_are_not_there_and_cut_ones_not_whole():
    things = (Opaque((75.0, 0.0), 20.0, along=(0, 6)), Opaque((120.0, 140.0), across=(0, np.inf)))
    plain = make(hole_px=8.0, camera=Camera(0.8))
    scene = replace(plain, faults=Faults(opaque=things))
    picture, clear = (s.render(np.random.default_rng(0)).truth for s in (scene, plain))
    at = {tuple(ij): k for k, ij in enumerate(picture.ij)}
    # by hand: distance from the axis of the bar, 6 px wide, and from the corner
    turn = np.deg2rad(20.0)
    for (y, x), ij, whole in zip(clear.yx, clear.ij, clear.whole, strict=True):
        off = np.cos(turn) * (y - 75) - np.sin(turn) * x - 3
        inside = min(y - 120, x - 140)
        k = at.get(tuple(ij))
        if inside > 5:
            assert k is None
        elif abs(off) < 6 or -3 < inside < 3:
            assert k is None or not picture.whole[k]
        elif abs(off) > 12 and inside < -9:
            assert k is not None
            assert picture.whole[k] == whole
    assert len(picture) < len(clear)
    gone = {tuple(ij) for ij in plain.holes().ij} - {tuple(ij) for ij in scene.holes().ij}
    assert gone
    cut = picture.select(~picture.whole)
    assert (cut.sigma_yx > 0).all()


def test_holes_grow_along_the_plate():
    """By two parts in a hundred from hole to hole along j: as the light of each of them says."""
    scene = make(fields.linear(SHAPE), pitch_px=28, hole_px=8, camera=Camera(0.6), faults=Faults(size_trend=(0, 0.02)))
    picture, truth = open_fraction(scene), scene.holes()
    count = 0
    for (y, x), (_, j) in zip(truth.yx, truth.ij, strict=True):
        a, b = round(y), round(x)
        cut = picture[a - 10 : a + 11, b - 10 : b + 11]
        if min(a, b) < 10 or cut.shape != (21, 21):
            continue
        area = np.pi * 16 * PIXEL[0] / PIXEL[1] * (1 + 0.02 * j) ** 2
        assert cut.sum() == pytest.approx(area, rel=3e-3)
        count += 1
    assert count > 12


def test_a_plate_made_in_steps_shares_its_errors_within_each():
    plate = make().plate
    made = synthetic.imperfect(plate, 30e-6, seed=4, span=30, block=(5, 3))
    ij = np.stack(np.mgrid[-10:10, -9:9], axis=-1).reshape(-1, 2)
    error = made.positions(ij) - plate.positions(ij)
    fields_of = ((ij + 30) // (5, 3)) @ [100, 1]
    for one in np.unique(fields_of):
        assert np.ptp(error[fields_of == one], axis=0).max() < 1e-12
        assert (fields_of == one).sum() == 15
    every = np.array([error[fields_of == one][0] for one in np.unique(fields_of)])
    assert len(np.unique(every, axis=0)) == len(every) == 4 * 6
    assert every.std() == pytest.approx(30e-6, rel=0.3)
    again = synthetic.imperfect(plate, 30e-6, seed=4, span=30, block=(5, 3))
    np.testing.assert_array_equal(made.error_yx, again.error_yx)


def test_errors_of_a_plate_add_up():
    """Rows found anew, and each hole off besides."""
    plate = make().plate
    rows = synthetic.imperfect(plate, 30e-6, span=20, block=(1, 1000), seed=1)
    assert len(np.unique(rows.error_yx, axis=0)) == 41
    both = synthetic.imperfect(rows, 2e-6, span=20, seed=2)
    assert (both.error_yx - rows.error_yx).std() == pytest.approx(2e-6, rel=0.1)


@pytest.mark.parametrize(("polarity", "outside"), [("bright", 1300.0), ("dark", 0.0)])
def test_light_beside_a_plate_that_ends(polarity, outside):
    """A pitch beyond the last hole, at any angle; nothing else of the picture changes."""
    light = Light(1000, 300, polarity, vignetting=0, outside=outside)
    camera = Camera(0.0, readout=0, pedestal=0, dtype="float64")
    ends = Faults(extent=(-1, 1, -1, 2))
    scene = make(fields.linear(SHAPE), pitch_px=18, hole_px=6, camera=camera, light=light, faults=ends)
    picture = scene.render(np.random.default_rng(0), bounds=False)
    endless = replace(scene, light=replace(light, outside=None)).render(np.random.default_rng(0), bounds=False)
    corners = scene.plate.positions(np.array([[-2, -2], [-2, 3], [2, 3], [2, -2]]))
    y, x = scene.pose.corrected(corners, PIXEL).T
    area = abs(np.dot(y, np.roll(x, 1)) - np.dot(x, np.roll(y, 1))) / 2
    plain = 300 if polarity == "bright" else 1300
    share = (endless.mean - picture.mean).sum() / (plain - outside)
    assert share == pytest.approx(SHAPE[0] * SHAPE[1] - area, rel=1e-3)
    assert picture.mean[0, 0] == outside
    yx = np.rint(picture.truth.yx).astype(int)
    np.testing.assert_array_equal(picture.mean[tuple(yx.T)], endless.mean[tuple(yx.T)])
    assert picture.truth.whole.all()


def test_light_that_ends_cuts_the_truth():
    """Holes in the dark cannot be seen, those across its border are not whole."""
    scene = make(light=Light(penumbra=(20.0, 15.0)), camera=Camera(0.8))
    truth = scene.render(np.random.default_rng(0)).truth
    inside = np.minimum(truth.yx, np.array(SHAPE) - 1 - truth.yx).min(axis=1) + 0.5
    assert (inside > 15).all()
    assert not truth.whole[inside < 23].any()
    assert truth.whole[inside > 27].all()


def test_a_cut_hole_is_known_by_what_is_left_of_it():
    """As well as if all that the shadow reaches were masked."""
    thing = Opaque((84.3, 0.0), across=(-np.inf, np.inf))
    camera = Camera(0.8)
    reached = np.repeat(thing.cover(np.arange(SHAPE[0]), 0.0, 0.8, 1.0)[:, None] > 1e-4, SHAPE[1], axis=1)
    cut = make(camera=camera, faults=Faults(opaque=(thing,))).render(np.random.default_rng(0)).truth
    masked = make(camera=camera, mask=reached).render(np.random.default_rng(0)).truth
    known = {tuple(ij): sigma for ij, sigma in zip(masked.ij, masked.sigma_yx, strict=True)}
    touched = (~cut.whole) & (np.abs(cut.yx[:, 0] - 84.3) < 5)
    assert touched.sum() >= 3
    for ij, sigma in zip(cut.ij[touched], cut.sigma_yx[touched], strict=True):
        np.testing.assert_allclose(sigma, known[tuple(ij)], rtol=0.02)
