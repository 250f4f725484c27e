"""The truth generator, against an independent picture made by brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from pyfai_gridcal import synthetic
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import SampledField, TiledField
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.records.spots import Spots
from pyfai_gridcal.synthetic import Camera, Faults, Light, Scene, fields

SHAPE = (150, 181)
PIXEL = (50e-6, 46e-6)


def make(field=None, *, shape=SHAPE, pitch_px=23.0, hole_px=8.0, angle=90.0, **kwargs) -> Scene:
    field = field or fields.taper(shape, np.random.default_rng(2))
    distortion = Distortion(field, shape, PIXEL, kwargs.pop("mask", None))
    plate = Plate((pitch_px * PIXEL[0], 1.13 * pitch_px * PIXEL[0]), angle, hole_m=hole_px * PIXEL[0])
    return Scene(distortion, plate, synthetic.place(distortion, plate, angle_deg=-7.3), **kwargs)


def brute_force(scene: Scene, fine: int = 10) -> np.ndarray:
    """Open fraction of each pixel: every fine sample asks for the nearest hole, then one blur, then the mean over the
    pixels."""
    ny, nx = scene.shape
    margin = 8
    y, x = ((np.arange((n + 2 * margin) * fine) + 0.5) / fine - 0.5 - margin for n in (ny, nx))
    field = scene.distortion.field
    plane = (field.on_grid(y, x) + np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)).reshape(-1, 2)
    angle = scene.pose.angle_rad
    metres = (plane + 0.5) * scene.distortion.pixel_size - scene.pose.shift_m
    c, s = np.cos(angle), np.sin(angle)
    on_plate = np.stack([c * metres[:, 0] - s * metres[:, 1], s * metres[:, 0] + c * metres[:, 1]], axis=1)
    node = np.rint(on_plate @ np.linalg.inv(scene.plate.basis))
    distance = np.hypot(*(on_plate - node @ scene.plate.basis).T)
    opened = (distance < scene.plate.hole_m / 2).astype(float).reshape(len(y), len(x))
    if scene.camera.blur:
        opened = gaussian_filter(opened, scene.camera.blur * fine, truncate=5)
    whole = opened.reshape(ny + 2 * margin, fine, nx + 2 * margin, fine).mean(axis=(1, 3))
    return whole[margin:-margin, margin:-margin]


def open_fraction(scene: Scene) -> np.ndarray:
    clean = replace(
        scene,
        light=Light(1e4, 0, vignetting=0),
        camera=Camera(scene.camera.blur, readout=0, pedestal=0, dtype="float64"),
    )
    return clean.render(np.random.default_rng(0), bounds=False).mean.astype(float) / 1e4


@pytest.mark.parametrize(("blur", "hole_px", "limit"), [(0.0, 8.0, 0.05), (0.35, 3.3, 0.02), (1.3, 4.4, 0.004)])
def test_picture_equals_brute_force(blur, hole_px, limit):
    scene = make(camera=Camera(blur), hole_px=hole_px)
    drawn, true = open_fraction(scene), brute_force(scene)
    assert np.abs(drawn - true).max() < limit
    assert abs(drawn.sum() / true.sum() - 1) < 2e-3


@pytest.mark.parametrize(("hole_px", "blur"), [(3.1, 0.6), (5.0, 1.2), (13.7, 0.3), (26.0, 1.2)])
def test_centroid_is_the_truth(hole_px, blur):
    """Without bending, the centroid of a whole hole is its centre, to a thousandth of a pixel."""
    field = fields.linear(SHAPE, shear=0.02, stretch=0.03, shift=(0.37, -0.21))
    scene = make(field, pitch_px=hole_px + 16, hole_px=hole_px, camera=Camera(blur))
    picture = open_fraction(scene)
    truth = scene.holes()
    half = int(hole_px * 0.62 + 5 * blur + 1)
    worst = 0.0
    for y, x in truth.yx:
        a, b = int(np.rint(y)), int(np.rint(x))
        if min(a, b) < half or a + half >= SHAPE[0] or b + half >= SHAPE[1]:
            continue
        cut = picture[a - half : a + half + 1, b - half : b + half + 1]
        rows, columns = np.mgrid[a - half : a + half + 1, b - half : b + half + 1]
        worst = max(worst, abs((cut * rows).sum() / cut.sum() - y), abs((cut * columns).sum() / cut.sum() - x))
    assert 0 < worst < 1e-3


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


def test_fields_agree_between_points_and_grids():
    rng = np.random.default_rng(4)
    y, x = np.linspace(-3, 140, 7), np.linspace(2, 190, 9)
    points = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
    for field in (
        fields.radial(SHAPE, -0.04, 0.02, centre=(61.0, 99.0)),
        fields.perspective(SHAPE, (0.02, -0.05)),
        fields.linear(SHAPE, shear=0.1, shift=(1, 2)),
        fields.smooth(SHAPE, 4.0, 60, rng),
        fields.taper(SHAPE, rng),
        fields.tiles(SHAPE, (2, 3), rng, base=fields.radial(SHAPE, 0.02)),
    ):
        np.testing.assert_allclose(field.on_grid(y, x).reshape(-1, 2), field.at(points), atol=1e-12)


def test_smooth_field_keeps_its_promise():
    shape = (400, 310)
    grid = fields.smooth(shape, 6.5, 150, np.random.default_rng(0)).on_grid(np.arange(400.0), np.arange(310.0))
    assert np.hypot(grid[..., 0], grid[..., 1]).max() == pytest.approx(6.5, rel=0.02)


def test_crlb_is_reached_by_a_fit_that_knows_everything():
    """Many pictures of one hole, position by linearised maximum likelihood: the scatter is the bound."""
    scene = make(
        fields.linear(SHAPE),
        shape=(40, 44),
        pitch_px=90.0,
        hole_px=9.0,
        camera=Camera(1.1, readout=5, pedestal=0, dtype="float64"),
    )
    scene = replace(
        scene, light=Light(300, 60, vignetting=0.2), pose=synthetic.place(scene.distortion, scene.plate, offset=(0, 0))
    )
    picture = scene.render(np.random.default_rng(0))
    assert len(picture.truth) == 1
    step = 1e-3
    slopes = []
    for k in (0, 1):
        shift = np.array(scene.pose.shift_m)
        shift[k] += step * PIXEL[k]
        moved = replace(scene, pose=replace(scene.pose, shift_m=tuple(shift))).render(
            np.random.default_rng(0), bounds=False
        )
        slopes.append((moved.mean.astype(float) - picture.mean).ravel() / step)
    weight = 1 / (picture.mean.astype(float).ravel() + 25)
    normal = np.array([[np.sum(a * b * weight) for b in slopes] for a in slopes])
    expected = np.sqrt(np.diag(np.linalg.inv(normal)))
    np.testing.assert_allclose(picture.truth.sigma_yx[0], expected, rtol=0.03)
    rng = np.random.default_rng(5)
    noise = [(scene.render(rng, bounds=False).image - picture.mean).ravel() for _ in range(300)]
    found = np.array([np.linalg.solve(normal, [np.sum(s * weight * n) for s in slopes]) for n in noise])
    np.testing.assert_allclose(found.std(axis=0), picture.truth.sigma_yx[0], rtol=0.12)


def test_noise_follows_the_camera():
    scene = make(
        light=Light(1000, 400, vignetting=0), camera=Camera(1.0, gain=3.0, readout=20.0, pedestal=50, dtype="float64")
    )
    rng = np.random.default_rng(2)
    picture = scene.render(rng, bounds=False)
    pulls = (picture.image - picture.mean) / np.sqrt(scene.camera.noise.variance(picture.mean))
    assert pulls.std() == pytest.approx(1, abs=0.02)
    assert abs(pulls.mean()) < 0.02


def test_dark_holes_take_light_away():
    bright, dark = (make(light=Light(500, 100, polarity)) for polarity in ("bright", "dark"))
    a, b = (s.render(np.random.default_rng(0)) for s in (bright, dark))
    np.testing.assert_allclose(a.mean + b.mean, 2 * 100 + (700) * bright.light.lamp(SHAPE), rtol=1e-5)
    yx = np.rint(b.truth.yx[b.truth.whole]).astype(int)
    assert (b.mean[tuple(yx.T)] < np.median(b.mean)).all()


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


@pytest.mark.parametrize("spread", [0.3, 1.0])
def test_holes_of_any_size_are_drawn(spread):
    """A wide scatter must not drill holes of negative size."""
    picture = make(faults=Faults(size_spread=spread)).render(np.random.default_rng(0))
    assert np.isfinite(picture.truth.sigma_yx[picture.truth.whole]).all()
    assert picture.mean.max() > 5000


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


def test_tiles_draw_each_hole_in_its_own_tile():
    rng = np.random.default_rng(8)
    field = fields.tiles(SHAPE, (1, 2), rng, jump_px=4.0)
    assert isinstance(field, TiledField)
    scene = make(field, camera=Camera(0.4))
    picture = scene.render(rng)
    for k, part in enumerate(field.fields):
        alone = make(part, camera=Camera(0.4))
        alone = replace(alone, pose=scene.pose).render(rng)
        away = np.zeros(SHAPE, bool)
        away[:, slice(0, 85) if k == 0 else slice(95, None)] = True
        np.testing.assert_allclose(picture.mean[away], alone.mean[away], rtol=2e-3)
    node = scene.pose.corrected(scene.plate.positions(picture.truth.ij), PIXEL)
    np.testing.assert_allclose(scene.distortion.correct(picture.truth.yx), node, atol=1e-5)


def test_field_error_ignores_rigid_motion_only():
    shape = (160, 200)
    truth = Distortion(fields.radial(shape, 0.03), shape, PIXEL)
    y, x = np.linspace(-9, 170, 60), np.linspace(-9, 210, 70)
    grid = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
    c, s = np.cos(0.01), np.sin(0.01)
    metres = (grid + truth.field.on_grid(y, x)) * PIXEL
    turned = np.stack([c * metres[..., 0] + s * metres[..., 1], -s * metres[..., 0] + c * metres[..., 1]], axis=-1)
    moved = Distortion(SampledField(y, x, (turned + 1e-4) / PIXEL - grid), shape, PIXEL)
    score = synthetic.field_error(moved, truth)
    assert score.rms_px < 0.01
    assert score.coverage == 1
    wrong = Distortion(fields.SumField((truth.field, fields.linear(shape, shear=0.01))), shape, PIXEL)
    assert synthetic.field_error(wrong, truth).rms_px > 0.2
    mask = np.zeros(shape, bool)
    mask[:80] = True
    assert synthetic.field_error(truth.masked(mask), truth).coverage == pytest.approx(0.5, abs=0.02)


def test_match_spots_counts():
    rng = np.random.default_rng(1)
    truth = make(shape=(400, 500)).render(rng).truth
    noise = rng.normal(0, 1, truth.yx.shape) * truth.sigma_yx * 1.5
    matrix = np.array([[0, 1], [-1, 0]])
    n = len(truth)
    points = ControlPoints(
        truth.yx + noise, truth.sigma_yx, truth.ij @ matrix + (3, -2), np.arange(n), np.zeros(n), 20 * np.eye(2)
    )
    score = synthetic.match_spots(points, truth)
    assert (score.recall, score.precision, score.wrong_index) == (1, 1, 0)
    assert score.over_crlb == pytest.approx(1.5, rel=0.1)
    ij = points.ij.copy()
    ij[:5] += (1, 0)
    wrong = replace(points, ij=ij)
    assert synthetic.match_spots(wrong, truth).wrong_index == 5
    half = Spots.from_positions(np.concatenate([truth.yx[truth.whole][::2], [[-50.0, -50.0]]]))
    score = synthetic.match_spots(half, truth)
    assert score.recall == pytest.approx(0.5, abs=0.02)
    assert score.precision < 1


def test_same_seed_same_picture():
    pictures = [
        synthetic.random_scene(np.random.default_rng(6)).render(np.random.default_rng(7), bounds=False)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(pictures[0].image, pictures[1].image)
    assert len(pictures[0].truth) > 9
