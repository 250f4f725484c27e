"""The picture of a hole on the pixels of a window."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.finding.holes.profile import blurred_disk, disk_profile
from pyfai_gridcal.finding.holes.templates import TemplateMaker


def test_templates_shift_and_differentiate() -> None:
    profile, reach = disk_profile(3.1, 1.0, 8), 7
    bank = TemplateMaker(profile, reach).bank(None, 1)
    k = np.arange(-reach, reach + 1)
    for place_yx in ((0.21, -0.37), (-0.48, 0.03)):
        slow, _, value = bank.at(np.array([place_yx]))
        r = np.hypot(*np.meshgrid(k - place_yx[0], k - place_yx[1], indexing="ij"))
        table = profile.table[profile.table.shape[0] // 2, profile.table.shape[0] // 2 :]
        expected = np.interp(r, np.arange(len(table)) / profile.oversampling, table)
        np.testing.assert_allclose(value.reshape(r.shape), expected, atol=0.003)
        assert float(slow.sum()) == pytest.approx(0, abs=0.05)


def test_stretched_hole_keeps_its_blur() -> None:
    """Against a brute-force ellipse, blurred after it was stretched."""
    from scipy.ndimage import gaussian_filter

    radius, blur, reach, fine = 4.0, 1.2, 9, 15
    r = np.hypot(*np.meshgrid(np.arange(-48, 49) / 4, np.arange(-48, 49) / 4))
    profile = type(disk_profile(4, 1, 9))(blurred_disk(radius, blur, r.ravel()).reshape(r.shape), 4)
    maker = TemplateMaker(profile, reach)
    # in the middle of a class
    stretch = np.eye(2) + maker.step * np.array([[3, 1], [1, -3]])
    back = np.linalg.inv(stretch)
    bank = maker.bank(stretch[None], 1)
    offset = (np.arange(-(reach + 4) * fine, (reach + 4) * fine + 1)) / fine
    y, x = np.meshgrid(offset, offset, indexing="ij")
    ellipse = np.hypot(y * back[0, 0] + x * back[1, 0], y * back[0, 1] + x * back[1, 1]) <= radius
    truth = gaussian_filter(ellipse.astype(float), blur * fine)
    middle = truth[4 * fine : -4 * fine : fine, 4 * fine : -4 * fine : fine]
    assert np.abs(bank.rest).max() < 1e-12
    np.testing.assert_allclose(bank.at(np.zeros((1, 2)))[2].reshape(middle.shape), middle, atol=0.02)


@pytest.mark.parametrize(("radius", "blur", "off"), [(5.0, 1.2, 0.005), (2.1, 1.0, 0.006)])
def test_between_classes_and_phases_rims_are_where_they_should_be(radius: float, blur: float, off: float) -> None:
    """Against a brute-force ellipse half way between two classes, half way between two phases: the picture, and the
    place that pixels outside of the hole, of which noise leaves more, make of it."""
    from scipy.ndimage import gaussian_filter

    reach, fine, (down, right) = 9, 16, (1, -3)
    maker = TemplateMaker(disk_profile(radius, blur, reach + 1), reach)
    stretch = np.eye(2) + maker.step * np.array([[0.45, -0.25], [-0.25, -0.4]])
    back = np.linalg.inv(stretch)
    far = (reach + 4) * fine
    y, x = np.meshgrid(np.arange(-far, far + 1) - down, np.arange(-far, far + 1) - right, indexing="ij")
    ellipse = np.hypot(*(back @ np.stack([y.ravel(), x.ravel()]) / fine)).reshape(y.shape) <= radius
    truth = gaussian_filter(ellipse.astype(float), blur * fine)[
        4 * fine : -4 * fine : fine, 4 * fine : -4 * fine : fine
    ]
    slow, fast, value = maker.bank(stretch[None], 1).at(np.array([[down, right]]) / fine)
    wrong = value[0] - truth.ravel()
    assert np.abs(wrong).max() < off
    weight = 1 / (0.15 + truth.ravel())
    design = np.stack([slow[0], fast[0], value[0], np.ones_like(value[0])], axis=1)
    move = np.linalg.solve((design.T * weight) @ design, (design.T * weight) @ wrong)[:2]
    np.testing.assert_allclose(move, 0, atol=0.003)


def test_between_classes_of_blur_a_hole_has_its_own() -> None:
    """Half way between two classes, against a disk that is blurred so."""
    radius, blur, wider = 3.3, 1.1, 1.038
    maker, other = (TemplateMaker(disk_profile(radius, b, 11), 9) for b in (blur, wider * blur))
    place = np.array([[0.21, -0.34]])
    own = maker.bank(None, 1, np.array([wider])).at(place)[2]
    np.testing.assert_allclose(own, other.bank(None, 1).at(place)[2], atol=0.0015)
    assert np.abs(own - maker.bank(None, 1).at(place)[2]).max() > 0.006


def test_each_hole_has_its_own_stretch_however_many_there_are() -> None:
    """600 holes, stretched from 0.7 to 1.9 along both axes, each in its way: as large as they should be, and what is
    left of a stretch is as little as among few."""
    reach, radius, blur = 13, 5.0, 0.8
    size = np.linspace(0.7, 1.9, 600)
    stretch = np.stack([np.diag([a, b]) for a, b in zip(size, np.roll(size, 177), strict=True)])
    maker = TemplateMaker(disk_profile(radius, blur, 16), reach)
    bank = maker.bank(stretch, len(size))
    offset = np.random.default_rng(4).uniform(-0.5, 0.5, (len(size), 2))
    value = bank.at(offset)[2]
    assert np.abs(bank.rest).max() < 0.75 * maker.step
    pixel = np.arange(-reach, reach + 1)
    y = np.meshgrid(pixel, pixel, indexing="ij")[0].ravel()
    area = np.pi * radius**2 * size * np.roll(size, 177)
    np.testing.assert_allclose(value.sum(axis=1), area, rtol=0.02)
    middle = (value * y).sum(axis=1) / area
    np.testing.assert_allclose(middle, offset[:, 0], atol=0.02)


def test_phases_are_sampled_when_they_are_asked_for() -> None:
    maker = TemplateMaker(disk_profile(4.0, 1.0, 9), 8)
    bank = maker.bank(None, 40)
    place = np.tile([[0.25, -0.125]], (40, 1))
    first = bank.at(place)[2]
    assert maker.pool.count == 1
    again = maker.bank(np.tile(np.eye(2), (40, 1, 1)), 40).at(np.vstack([place[1:], [[0.0, 0.5]]]))[2]
    assert maker.pool.count == 2
    np.testing.assert_array_equal(first[0], again[0])
    # a hole that lies half a pixel higher reads the same there as here half a pixel lower
    other = bank.at(-place)[2].reshape(40, 17, 17)[:, ::-1, ::-1].reshape(40, -1)
    np.testing.assert_allclose(other, first, atol=1e-6)


def test_many_phases_at_once_are_the_same_as_one_by_one() -> None:
    stretch = np.tile([[[1.2, 0.1], [0.1, 0.9]]], (60, 1, 1))
    place = np.random.default_rng(5).uniform(-0.5, 0.5, (60, 2))
    at_once, alone = (TemplateMaker(disk_profile(3.3, 0.9, 9), 7).bank(stretch, 60) for _ in range(2))
    for k in range(60):
        alone.select(np.array([k])).at(place[k : k + 1])
    for found, wanted in zip(at_once.at(place), alone.at(place), strict=True):
        # to the last bit: which thread comes first decides what is asked for at once
        np.testing.assert_array_equal(found, wanted)


def test_classes_are_no_finer_than_stretches_are_known() -> None:
    rng = np.random.default_rng(11)
    stretch = np.eye(2) + rng.uniform(-0.2, 0.2, (300, 2, 2))
    stretch = 0.5 * (stretch + stretch.transpose(0, 2, 1))
    fine, coarse = (TemplateMaker(disk_profile(4.0, 1.0, 9), 8, unsure=unsure) for unsure in (0.01, 0.25))
    for maker in (fine, coarse):
        maker.bank(stretch, 300)
    assert fine.step < 0.1
    assert coarse.step == 0.25
    # one number of each of three components is -1, 0 or 1 steps
    assert len(coarse.classes) <= 27 < len(fine.classes)
