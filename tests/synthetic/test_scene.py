"""Scenes: what is told about a picture is in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pictures import PIXEL, SHAPE, make

from pyfai_gridcal import synthetic
from pyfai_gridcal.records.field import TiledField
from pyfai_gridcal.synthetic import Camera, Faults, fields


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
