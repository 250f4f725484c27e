"""Places that lean to sub-pixel phases: put right where neighbours tell, left alone where nothing does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree

from pyfai_gridcal import find_spots, index_spots
from pyfai_gridcal.finding.phases import without_phases
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.records.spots import SpotFlag, Spots
from pyfai_gridcal.synthetic import fields

SHAPE, SIGMA = (470, 640), 0.003


def nodes(pitch: float, angle_deg: float) -> np.ndarray:
    """Places (N, 2) of a square lattice inside the image, px."""
    turn, index = np.deg2rad(angle_deg), np.arange(-50, 51) * pitch
    i, j = np.meshgrid(index, index, indexing="ij")
    yx = np.stack([np.cos(turn) * i - np.sin(turn) * j, np.sin(turn) * i + np.cos(turn) * j], axis=-1).reshape(-1, 2)
    yx += (233.3, 318.8)
    return yx[((yx > 9) & (yx < np.array(SHAPE) - 10)).all(axis=1)]


def lean(at: np.ndarray, size: float) -> np.ndarray:
    return size * (np.sin(2 * np.pi * at) - 0.4 * np.sin(6 * np.pi * at))


def observed(yx: np.ndarray, sizes: tuple[float, float] = (0.008, -0.005)) -> tuple[Spots, ControlPoints]:
    """Spots that lean by `sizes` along y and x, with noise."""
    seen = yx + np.random.default_rng(2).normal(0, SIGMA, yx.shape)
    seen += np.stack([lean(yx[:, k], size) for k, size in enumerate(sizes)], axis=1)
    spots = Spots.from_positions(seen, sigma=SIGMA)
    return spots, index_spots(spots)


def left_of(spots: Spots, yx: np.ndarray, k: int) -> float:
    """Part of the lean that is left along an axis, px rms beyond the noise, which is the same in all of this."""
    wave = np.sin(2 * np.pi * yx[:, k])
    return abs(float(2 * ((spots.yx - yx)[:, k] * wave).mean()))


def bent(yx: np.ndarray) -> np.ndarray:
    """The places in a field of waves, with a module that begins at x = 300, 1.7 px off and turned."""
    out = yx + fields.smooth(SHAPE, 4.0, 300.0, np.random.default_rng(5)).at(yx)
    far = yx[:, 1] > 300
    out[far] += (1.7, -0.6) + 0.002 * (yx[far, ::-1] - 300) * (1, -1)
    return out


@pytest.mark.parametrize("angle_deg", [-0.8, 5.3])
def test_leaning_places_are_put_right(angle_deg: float) -> None:
    yx = bent(nodes(17.37, angle_deg))
    spots, points = observed(yx)
    assert left_of(spots, yx, 0) == pytest.approx(0.008, rel=0.1)
    found = without_phases(spots, points)
    for k in (0, 1):
        assert left_of(found, yx, k) < 0.08 * left_of(spots, yx, k)
    assert (found.yx - yx).std() < 1.03 * SIGMA
    # what is not known of it belongs to the uncertainty, and is little
    assert np.all(found.sigma_yx >= spots.sigma_yx)
    assert np.all(found.sigma_yx < 1.05 * spots.sigma_yx)


def test_harmonics_that_differences_cannot_tell_do_no_harm() -> None:
    """From hole to hole half a pixel more: a wave of half a pixel is the same at all, and drifts."""
    yx = nodes(17.5, 0.15)
    spots, points = observed(yx)
    found = without_phases(spots, points)
    for k in (0, 1):
        assert left_of(found, yx, k) < 0.08 * left_of(spots, yx, k)
        twice = np.sin(4 * np.pi * yx[:, k])
        assert abs(2 * ((found.yx - yx)[:, k] * twice).mean()) < 0.003
    assert (found.yx - yx).std() < 1.15 * SIGMA


def test_one_axis_may_lean_alone() -> None:
    yx = nodes(17.37, 5.3)
    spots, points = observed(yx, (0.0, 0.012))
    found = without_phases(spots, points)
    np.testing.assert_array_equal(found.yx[:, 0], spots.yx[:, 0])
    assert left_of(found, yx, 1) < 0.001


def test_places_that_do_not_lean_stay() -> None:
    spots, points = observed(bent(nodes(17.37, 5.3)), (0.0, 0.0))
    np.testing.assert_array_equal(without_phases(spots, points).yx, spots.yx)


def test_phases_that_hardly_change_from_hole_to_hole_tell_nothing() -> None:
    """A lattice of whole pixels, nearly parallel to them: what its phases do is as smooth as a field."""
    spots, points = observed(nodes(17.0, 0.1))
    np.testing.assert_array_equal(without_phases(spots, points).yx, spots.yx)


def test_what_no_picture_of_a_hole_does_is_left_alone() -> None:
    spots, points = observed(nodes(17.37, 5.3), (0.3, 0.3))
    np.testing.assert_array_equal(without_phases(spots, points).yx, spots.yx)


def test_only_whole_holes_are_asked_and_some_are_needed() -> None:
    spots, points = observed(nodes(17.37, 5.3))
    flags = np.where(np.arange(len(points)) % 3 == 0, SpotFlag.BORDER, 0).astype(np.uint8)
    off = points.yx + np.where(flags > 0, 0.2 * np.sin(2 * np.pi * points.yx[:, 0]), 0.0)[:, None]
    found = without_phases(spots, replace(points, yx=off, flags=flags))
    assert np.abs(found.yx - spots.yx).max() < 0.02
    few = points.select(np.abs(points.ij).max(axis=1) < 4)
    assert len(few) == 49
    np.testing.assert_array_equal(without_phases(spots, few).yx, spots.yx)


def test_sharp_holes_on_a_direct_detector_do_not_lean() -> None:
    """Pixels that share a sixtieth of their charge with each neighbour, and no other blur: no Gaussian is like that."""
    yx, fine, radius = nodes(15.37, 2.1), 8, 2.8
    picture = np.zeros((SHAPE[0], SHAPE[1]))
    step = (np.arange(-5 * fine, 6 * fine) + 0.5) / fine - 0.5
    for y, x in yx:
        row, column = int(np.rint(y)), int(np.rint(x))
        disk = (step[:, None] + row - y) ** 2 + (step + column - x) ** 2 < radius**2
        picture[row - 5 : row + 6, column - 5 : column + 6] += disk.reshape(11, fine, 11, fine).mean(axis=(1, 3))
    for axis in (0, 1):
        picture = ndimage.convolve1d(picture, [1 / 60, 1 - 2 / 60, 1 / 60], axis=axis)
    image = np.random.default_rng(1).poisson(5000 * picture + 60)
    spots = find_spots(image)
    true = yx[cKDTree(yx).query(spots.yx)[1]]
    off = spots.yx - true
    assert len(spots) == len(yx)
    for k in (0, 1):
        assert abs(2 * (off[:, k] * np.sin(2 * np.pi * true[:, k])).mean()) < 0.0015
    assert off.std() < 1.3 * np.median(spots.sigma_yx)
