"""The closed loop: corrected images, and what is left in them."""

from __future__ import annotations

import re
from dataclasses import replace

import h5py
import numpy as np
import pytest

from pyfai_gridcal import synthetic
from pyfai_gridcal.base.errors import CalibrationError, FileFormatError, UsageError
from pyfai_gridcal.io.kinds.kinds import write_distortion
from pyfai_gridcal.io.nexus.result import save_result
from pyfai_gridcal.judging.validation import read_to_validate, validate
from pyfai_gridcal.records.distortion import Distortion
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


def test_right_distortion_straightens_the_grid(picture, capfd):
    scene = picture.scene
    found = validate(known_part(scene, picture), picture.image, plate=scene.plate)
    assert capfd.readouterr().out == "", "nothing reaches the terminal"
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


@pytest.mark.slow
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
    (tmp_path / "cut.h5").write_bytes((tmp_path / "fit.h5").read_bytes()[:-10])
    with pytest.raises(FileFormatError, match="cannot be read as HDF5"):
        read_to_validate(tmp_path / "cut.h5")
    with h5py.File(tmp_path / "fit.h5", "r+") as file:
        note = file["entry_0000/grid_calibration/format_version"]
        note[...] = b"9.0"
    with pytest.raises(FileFormatError, match=r"has format 9\.0"):
        read_to_validate(tmp_path / "fit.h5")


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


def test_an_image_without_a_grid():
    shape = (170, 210)
    straight = Distortion(fields.linear(shape), shape, PIXEL)
    with pytest.raises(CalibrationError, match="form no lattice"):
        validate(straight, np.random.default_rng(0).poisson(100, shape), plate=Plate((1e-3, 1e-3)))


def test_arguments_are_checked(picture):
    with pytest.raises(UsageError, match="without a plate"):
        validate(picture.distortion, picture.image)
    with pytest.raises(UsageError, match="no image"):
        validate(picture.distortion, plate=picture.scene.plate)
    with pytest.raises(UsageError, match=r"image of shape \(3, 4\)"):
        validate(picture.distortion, np.zeros((3, 4)), plate=picture.scene.plate)
    with pytest.raises(TypeError):
        validate("a", picture.image)
