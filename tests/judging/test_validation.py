"""The closed loop: corrected images, and what is left in them."""

from __future__ import annotations

import os
import re
from dataclasses import replace

import numpy as np
import pytest

from pyfai_gridcal import synthetic
from pyfai_gridcal.base.errors import CalibrationError, FileFormatError, UsageError
from pyfai_gridcal.base.silence import silenced_stdout
from pyfai_gridcal.correction.table import Resampler, save_image
from pyfai_gridcal.io.kinds.kinds import write_distortion
from pyfai_gridcal.io.nexus.result import save_result
from pyfai_gridcal.judging.validation import read_to_validate, validate
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import SampledField
from pyfai_gridcal.records.fit import DistortionFit
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.synthetic import Camera, Light, Scene, fields

SHAPE = (230, 310)
PIXEL = (50e-6, 45e-6)


def make_scene(angle=90.0, field=None, pitches=(1.0e-3, 1.0e-3)) -> Scene:
    field = field or fields.taper(SHAPE, np.random.default_rng(2))
    distortion = Distortion(field, SHAPE, PIXEL)
    plate = Plate(pitches, angle, hole_m=0.32e-3)
    return Scene(distortion, plate, synthetic.place(distortion, plate), Light(vignetting=0.2), Camera())


def known_part(scene: Scene, picture) -> Distortion:
    return scene.distortion.masked(~synthetic.hull_mask(picture.truth, SHAPE))


@pytest.fixture(scope="module")
def picture():
    return make_scene().render(np.random.default_rng(1))


def test_right_distortion_straightens_the_grid(picture):
    scene = picture.scene
    found = validate(known_part(scene, picture), picture.image, plate=scene.plate)
    assert len(found.points) > 0.9 * len(picture.truth)
    assert found.counted.sum() > 60
    assert found.mean_misplacement < 0.001
    assert found.max_misplacement < 0.004
    low, high = found.displacement_left_px
    assert -0.08 < low < 0 < high < 0.08
    assert "misplacement" in found.report()
    assert re.search(rf"corrected image +{found.counted.sum()}\b", found.report())
    assert found.summary()["spots_counted"] == found.counted.sum()


@pytest.mark.parametrize("kind", [{"shear": 0.01}, {"stretch": 0.01}])
def test_what_a_free_grid_would_hide_is_seen(picture, kind):
    """The plate is rigid and the pixel size given: shear and stretch of the detector are errors."""
    right = known_part(picture.scene, picture)
    wrong = replace(right, field=fields.SumField((right.field, fields.linear(SHAPE, **kind))))
    found = validate(wrong, picture.image, plate=picture.scene.plate)
    assert found.rms_px > 0.3
    assert found.max_misplacement > 0.03


def test_rigid_motion_does_not_count(picture):
    right = known_part(picture.scene, picture)
    moved = replace(right, field=fields.SumField((right.field, fields.linear(SHAPE, shift=(7.3, -11.6)))))
    found = validate(moved, picture.image, plate=picture.scene.plate)
    assert found.max_misplacement < 0.004


@pytest.mark.parametrize(("angle", "pitches"), [(60.0, (1.1e-3, 1.1e-3)), (90.0, (1.3e-3, 0.9e-3))])
def test_other_lattices(angle, pitches):
    scene = make_scene(angle, pitches=pitches)
    picture = scene.render(np.random.default_rng(3))
    found = validate(known_part(scene, picture), picture.image, plate=scene.plate)
    assert found.max_misplacement < 0.005


def as_fit(picture) -> DistortionFit:
    truth, scene = picture.truth, picture.scene
    n = len(truth)
    points = ControlPoints(
        truth.yx, truth.sigma_yx, truth.ij, np.arange(n), np.zeros(n), np.array([[20.0, 0.0], [0.0, 22.0]])
    )
    zeros = np.zeros((n, 2))
    used = np.ones(n, bool)
    distortion = known_part(scene, picture)
    return DistortionFit(distortion, scene.plate, (points,), (scene.pose,), (zeros,), (zeros,), (used,))


def test_indices_of_the_fit_are_kept_so_that_known_hole_errors_count():
    scene = make_scene()
    scene = replace(scene, plate=synthetic.imperfect(scene.plate, 30e-6, seed=4, span=15))
    picture = scene.render(np.random.default_rng(1))
    fit = as_fit(picture)
    found = validate(fit, picture.image)
    assert found.expected == len(picture.truth)
    assert found.max_misplacement < 0.004
    known = {tuple(ij) for ij in fit.points[0].ij}
    assert len(known & {tuple(ij) for ij in found.points.ij}) > 0.95 * len(found.points)
    ideal = replace(fit, plate=replace(scene.plate, error_ij=None, error_yx=None))
    assert validate(ideal, picture.image).rms_px > 0.3


def test_the_plate_of_the_file_is_kept_where_it_is_the_one_that_was_asked_for(tmp_path):
    scene = make_scene()
    scene = replace(scene, plate=synthetic.imperfect(scene.plate, 30e-6, seed=4, span=15))
    picture = scene.render(np.random.default_rng(1))
    save_result(as_fit(picture), tmp_path / "fit.h5")
    write_distortion(known_part(scene, picture), tmp_path / "bare.h5")
    for told in ({}, {"pitch": (1e-3, 1e-3)}, {"pitch": (1e-3, 1e-3), "angle": 90.0}):
        result, plate = read_to_validate(tmp_path / "fit.h5", **told)
        assert plate is None
        assert validate(result, picture.image).max_misplacement < 0.004
    assert read_to_validate(tmp_path / "fit.h5", pitch=(2e-3, 2e-3))[1].pitch_m == (2e-3, 2e-3)
    assert read_to_validate(tmp_path / "fit.h5", angle=60.0)[1].angle_deg == 60.0
    bare, plate = read_to_validate(tmp_path / "bare.h5", pitch=(1e-3, 1e-3))
    assert isinstance(bare, Distortion)
    assert (plate.pitch_m, plate.angle_deg) == ((1e-3, 1e-3), 90.0)
    with pytest.raises(UsageError, match="knows of no plate"):
        read_to_validate(tmp_path / "bare.h5")
    with pytest.raises(FileFormatError, match="no such file"):
        read_to_validate(tmp_path / "none.h5")


def test_outliers_of_the_fit_do_not_count(picture):
    fit = as_fit(picture)
    used = fit.used[0].copy()
    used[::3] = False
    found = validate(replace(fit, used=(used,)), picture.image)
    left_out = {tuple(ij) for ij in fit.points[0].ij[~used]}
    assert left_out.isdisjoint({tuple(ij) for ij in found.points.ij[found.counted]})
    assert 0.5 < found.counted.sum() / validate(fit, picture.image).counted.sum() < 0.8


def test_the_plate_may_lie_elsewhere(picture):
    """Then the holes are not known one by one, but the grid still must be straight."""
    pose = synthetic.place(picture.distortion, picture.scene.plate, angle_deg=31.0, offset=(0.1, 0.8))
    other = replace(picture.scene, pose=pose).render(np.random.default_rng(0))
    fit = as_fit(picture)
    found = validate(fit, other.image)
    assert found.expected is None
    assert found.max_misplacement < 0.005


def test_an_image_without_a_grid(picture):
    noise = np.random.default_rng(0).poisson(100, SHAPE)
    with pytest.raises(CalibrationError):
        validate(as_fit(picture), noise)


def test_arguments_are_checked(picture):
    with pytest.raises(UsageError, match="without a plate"):
        validate(picture.distortion, picture.image)
    with pytest.raises(UsageError, match="no image"):
        validate(picture.distortion, plate=picture.scene.plate)
    with pytest.raises(UsageError, match=r"image of shape \(3, 4\)"):
        validate(picture.distortion, np.zeros((3, 4)), plate=picture.scene.plate)
    with pytest.raises(TypeError):
        validate("a", picture.image)


def test_nothing_reaches_the_terminal(picture, capfd):
    validate(known_part(picture.scene, picture), picture.image, plate=picture.scene.plate)
    assert capfd.readouterr().out == ""


def test_silence_ends(capfd):
    with silenced_stdout():
        os.write(1, b"hidden\n")
        print("hidden too")
    print("shown")
    os.write(1, b"shown too\n")
    assert sorted(capfd.readouterr().out.split("\n")) == ["", "shown", "shown too"]


def test_counts_are_conserved_and_the_raster_holds_everything():
    distortion = Distortion(fields.taper(SHAPE, np.random.default_rng(5), strength=2.0), SHAPE, PIXEL)
    image = np.zeros(SHAPE)
    image[40:190, 30:280] = np.random.default_rng(0).uniform(1, 2, (150, 250))
    corrected = Resampler(distortion).correct(image, empty=-1.0)
    assert corrected.offset[0] < 0
    assert corrected.data[~corrected.mask].sum() == pytest.approx(image.sum(), rel=1e-5)
    assert (corrected.data[corrected.mask] == -1).all()
    assert (~corrected.mask).sum() > SHAPE[0] * SHAPE[1]
    same = Resampler(distortion, same_raster=True).correct(image)
    assert same.data.shape == SHAPE
    assert same.offset == (0, 0)


def test_one_pixel_lands_where_the_distortion_says():
    distortion = Distortion(fields.taper(SHAPE, np.random.default_rng(6)), SHAPE, PIXEL)
    resampler = Resampler(distortion)
    for pixel in ((20, 35), (200, 290), (115, 7)):
        image = np.zeros(SHAPE)
        image[pixel] = 100
        corrected = resampler.correct(image)
        assert corrected.data.sum() == pytest.approx(100, rel=1e-4)
        y, x = np.mgrid[: corrected.data.shape[0], : corrected.data.shape[1]]
        centre = np.array([(corrected.data * y).sum(), (corrected.data * x).sum()]) / corrected.data.sum()
        np.testing.assert_allclose(centre + corrected.offset, distortion.correct(np.array([pixel]))[0], atol=0.05)


def test_masked_pixels_do_not_bleed():
    y, x = np.linspace(-1, 232, 20), np.linspace(-1, 312, 20)
    field = SampledField(y, x, np.full((20, 20, 2), (0.4, 0.3)))
    mask = np.zeros(SHAPE, bool)
    mask[100:103] = True
    mask[50, 60] = True
    image = np.where(mask, 1e9, 5.0)
    image[200, 200] = np.nan
    wild = np.zeros((20, 20, 2))
    wild[0, 0] = 1e4  # nonsense where it is masked anyway
    mask[:40, :40] = True
    corrected = Resampler(Distortion(SampledField(y, x, field.values + wild), SHAPE, PIXEL, mask)).correct(image)
    inside = ~corrected.mask
    inside[
        200 - corrected.offset[0] : 203 - corrected.offset[0], 200 - corrected.offset[1] : 203 - corrected.offset[1]
    ] = False
    np.testing.assert_allclose(corrected.data[inside], 5.0, rtol=1e-3)
    row = 101 - corrected.offset[0]
    assert corrected.mask[row - 1 : row + 3].all(axis=0)[20:-20].all()
    assert corrected.mask[50 - corrected.offset[0], 60 - corrected.offset[1]]
    assert corrected.data.shape[0] < SHAPE[0] + 20


def test_resampler_refuses_nonsense():
    flat = Distortion(fields.linear(SHAPE), SHAPE, PIXEL)
    with pytest.raises(UsageError, match="all pixels"):
        Resampler(flat, mask=np.ones(SHAPE, bool))
    with pytest.raises(UsageError, match="mask of shape"):
        Resampler(flat, mask=np.ones((3, 3), bool))
    with pytest.raises(UsageError, match="would have"):
        Resampler(Distortion(fields.linear(SHAPE, stretch=300.0), SHAPE, PIXEL))


@pytest.mark.parametrize("suffix", [".edf", ".tif", ".npy", ".h5"])
def test_corrected_image_is_saved(tmp_path, picture, suffix):
    from pyfai_gridcal.io.images.images import load_image

    corrected = Resampler(picture.distortion).correct(picture.image)
    path = save_image(tmp_path / f"a{suffix}", corrected.data, corrected.header())
    back = load_image(f"{path}::/entry_0000/image/data" if suffix == ".h5" else str(path))
    np.testing.assert_array_equal(back.data, corrected.data)
    if suffix == ".edf":
        assert "4.5e-05" in path.read_bytes()[:4096].decode("latin-1")


def test_saved_hdf5_opens_on_the_image(tmp_path):
    import h5py
    from silx.io import nxdata

    save_image(tmp_path / "a.h5", np.arange(12.0).reshape(3, 4), {"dummy": "-1"})
    with h5py.File(tmp_path / "a.h5") as file:
        shown = nxdata.get_default(file)
        assert shown.is_image
        assert file["entry_0000/header/dummy"][()] == b"-1"
    with pytest.raises(UsageError, match="image format"):
        save_image(tmp_path / "a.gif", np.zeros((3, 3)))
    with pytest.raises(UsageError, match="no folder"):
        save_image(tmp_path / "no" / "a.h5", np.zeros((3, 3)))
