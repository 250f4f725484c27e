"""Spots at the Cramér-Rao bound, with an honest sigma, on pictures of which everything is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate
from scipy.spatial import cKDTree
from scipy.special import expit

from pyfai_gridcal import calibrate
from pyfai_gridcal.base.errors import IndexingError, PickingError
from pyfai_gridcal.calibration import spots_and_points
from pyfai_gridcal.exposure import take_exposure
from pyfai_gridcal.finding import detection
from pyfai_gridcal.finding.detection import find_spots, search_spots
from pyfai_gridcal.finding.holes.profile import blurred_disk, disk_and_blur, disk_profile
from pyfai_gridcal.finding.survey import HoleGuess
from pyfai_gridcal.indexing import indexing
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.settings import Settings
from pyfai_gridcal.records.spots import SpotFlag
from pyfai_gridcal.synthetic import Camera, Faults, Light, Scene, demo_scene, fields, match_spots, place
from tests.helpers.otherholes import plate_image

SHAPE = (520, 610)
CUT = SpotFlag.BORDER | SpotFlag.MASKED | SpotFlag.CLIPPED
PIXEL = (51e-6, 48e-6)


def scene(  # type: ignore[no-untyped-def]
    *, pitch_px: float = 27.0, hole_px: float = 9.0, field=None, angle: float = 11.0, lattice: float = 90.0, **parts
) -> Scene:
    pitch = pitch_px * 49.5e-6
    zero = fields.linear(SHAPE) if field is None else field
    distortion = Distortion(zero, SHAPE, PIXEL, gauge="truth")
    plate = Plate((pitch, pitch), lattice, hole_px * 49.5e-6)
    return Scene(distortion, plate, place(distortion, plate, angle_deg=angle), **parts)


BEND = fields.smooth(SHAPE, 4.0, 260.0, np.random.default_rng(2))
CASES = {
    "bright": scene(field=BEND, light=Light(vignetting=0.3)),
    "dark, uneven": scene(field=BEND, light=Light(polarity="dark", uneven=0.03, background=900, peak=5000)),
    "dense": scene(pitch_px=11.0, hole_px=4.4, camera=Camera(blur=0.9)),
    "dim": scene(field=BEND, hole_px=10.0, light=Light(peak=45.0, background=12.0), camera=Camera(readout=1.0)),
    "hexagonal": scene(lattice=60.0, field=BEND),
}


@pytest.mark.parametrize("name", CASES)
def test_spots_reach_the_bound(name: str) -> None:
    picture = CASES[name].render(np.random.default_rng(5))
    spots = find_spots(picture.image)
    score = match_spots(spots, picture.truth)
    assert score.recall > 0.99
    assert score.precision > 0.995
    assert 0.85 < score.over_sigma < 1.3
    whole = match_spots(spots.select((spots.flags & CUT) == 0), picture.truth)
    assert whole.over_crlb < 1.25


def test_sigma_is_honest_over_three_decades_of_light() -> None:
    for peak in (30.0, 1000.0, 30000.0):
        here = scene(light=Light(peak=peak, background=0.2 * peak), camera=Camera(readout=2.0), hole_px=10.0)
        picture = here.render(np.random.default_rng(int(peak)))
        score = match_spots(find_spots(picture.image), picture.truth)
        assert 0.85 < score.over_sigma < 1.25, peak


@pytest.mark.slow
def test_strong_stretch_of_the_holes_does_no_harm() -> None:
    """Holes are half as large at the border as in the middle."""
    picture = scene(field=fields.radial(SHAPE, 0.3), pitch_px=30, hole_px=10).render(np.random.default_rng(7))
    score = match_spots(find_spots(picture.image), picture.truth)
    assert score.recall > 0.99
    assert score.over_crlb < 1.6
    assert score.over_sigma < 1.3


def test_neighbours_that_the_field_squeezes_are_not_taken_for_light() -> None:
    """In the corners windows reach the next holes, along the diagonal."""
    barrel = scene(field=fields.radial(SHAPE, 0.2, 0.05), pitch_px=30, hole_px=10, angle=40.0, light=Light(9000.0))
    picture = barrel.render(np.random.default_rng(3))
    spots = find_spots(picture.image)
    corner = np.abs(spots.yx / SHAPE - 0.5).min(axis=1) > 0.35
    far = spots.select(corner & ((spots.flags & SpotFlag.BORDER) == 0))
    truth = picture.truth.yx[np.abs(picture.truth.yx / SHAPE - 0.5).min(axis=1) > 0.35]
    assert len(far) > 0.7 * len(truth)
    assert np.median(far.chi2) < 1.8
    assert np.median(far.sigma_yx) < 0.025
    assert match_spots(far, picture.truth).rms_px < 0.02


def test_bending_within_a_hole_is_taken_out() -> None:
    """The middle of the picture of a large hole is ten sigma away from the image of its centre."""
    bent = scene(field=fields.smooth(SHAPE, 10.0, 300.0, np.random.default_rng(2)), pitch_px=44, hole_px=20)
    picture = bent.render(np.random.default_rng(7))
    spots = find_spots(picture.image)
    whole = match_spots(spots.select((spots.flags & CUT) == 0), picture.truth)
    assert whole.over_crlb < 2.0
    assert whole.over_sigma < 1.6


def test_gradients_of_the_light_within_a_hole_are_fitted_where_they_show() -> None:
    lamp = Light(vignetting=0.7, uneven=0.1, peak=9000, background=1500)
    picture = scene(pitch_px=40, hole_px=22, light=lamp, camera=Camera(blur=2.5)).render(np.random.default_rng(7))
    score = match_spots(find_spots(picture.image), picture.truth)
    assert score.over_crlb < 4.0  # 15 without the gradient
    assert score.over_sigma < 2.2


def test_light_that_ends_within_small_holes_makes_them_as_unsure_as_it_moves_them() -> None:
    lamp = Light(6000.0, 200.0, penumbra=(57.0, 18.0))
    dim = scene(pitch_px=21.3, hole_px=6.5, field=BEND, light=lamp, camera=Camera(blur=1.1))
    picture = dim.render(np.random.default_rng(5))
    score = match_spots(find_spots(picture.image), picture.truth)
    assert score.recall > 0.93
    assert score.over_sigma < 1.3


def test_places_that_rest_on_assumptions_are_none() -> None:
    """Of a hole whose middle lies beyond the last rows only one rim is seen: where it is, only its size could tell."""
    picture = scene(field=BEND, pitch_px=44, hole_px=16).render(np.random.default_rng(3))
    spots = find_spots(picture.image)
    cut = spots.select((spots.flags & SpotFlag.BORDER) > 0)
    assert len(cut) > 5
    score = match_spots(cut, picture.truth)
    assert score.over_sigma < 1.3
    assert score.over_crlb < 2.7


def test_hot_pixels_and_missing_holes() -> None:
    dirty = scene(field=BEND, faults=Faults(missing=0.08, zingers=500, hot_columns=1, seed=4))
    picture = dirty.render(np.random.default_rng(9))
    spots = find_spots(picture.image)
    score = match_spots(spots, picture.truth)
    assert score.recall > 0.98
    assert score.precision > 0.97
    assert (spots.flags & SpotFlag.CLIPPED).any()


def test_clusters_of_hot_pixels_as_large_as_holes_do_not_hide_them() -> None:
    one = CASES["bright"]
    picture = one.render(np.random.default_rng(8))
    rng, image = np.random.default_rng(4), picture.image.astype(float)
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    for middle in rng.uniform(9, np.array(SHAPE) - 9, (90, 2)):
        disk = (y - middle[0]) ** 2 + (x - middle[1]) ** 2 < rng.uniform(2.5, 5.5) ** 2
        image[disk] = np.minimum(image[disk] + 20 * one.light.peak, 65535)
    score = match_spots(find_spots(image), picture.truth)
    assert score.recall > 0.75  # what lies on holes hides them
    assert score.over_sigma < 1.6


def test_what_holds_little_of_the_contrast_is_no_reason_to_search_again(monkeypatch: pytest.MonkeyPatch) -> None:
    searches, first = [], detection._found
    y, x = np.mgrid[:410, :370]
    away = np.hypot(y - 200, x - 130)
    rings = 50 + 3000 * np.exp(-((away % 83 - 40) ** 2) / 8) / (1 + away / 100)
    monkeypatch.setattr(detection, "_found", lambda *args, **options: searches.append(1) or first(*args, **options))
    with pytest.raises(IndexingError, match="form no lattice"):
        find_spots(np.random.default_rng(5).poisson(rings))
    assert len(searches) == 1


def test_border_and_gap_spots_are_used_with_what_they_show() -> None:
    picture = scene(field=BEND).render(np.random.default_rng(3))
    mask = np.zeros(SHAPE, bool)
    mask[250:256] = True
    image = np.where(mask, 0, picture.image)
    spots = find_spots(image, mask=mask)
    gap = (spots.flags & SpotFlag.MASKED) > 0
    border = (spots.flags & SpotFlag.BORDER) > 0
    assert gap.sum() > 8
    assert border.sum() > 14
    for which in (gap, border):
        score = match_spots(spots.select(which), picture.truth)
        assert score.over_sigma < 1.6
        assert score.worst_px < 0.3


def test_rows_and_columns_are_not_mixed_up() -> None:
    picture = scene(field=BEND).render(np.random.default_rng(3))
    one, other = find_spots(picture.image), find_spots(picture.image.T.copy())
    off, near = cKDTree(other.yx[:, ::-1]).query(one.yx)
    # a cut hole more or less is a matter of the last digit
    assert np.count_nonzero(off > 1) < 3
    assert abs(len(one) - len(other)) < 3
    np.testing.assert_allclose(one.yx[off < 1], other.yx[near[off < 1], ::-1], atol=0.05)


def test_hints_are_followed() -> None:
    picture = scene().render(np.random.default_rng(3))
    spots = find_spots(picture.image, polarity="bright", hole_px=9.0)
    assert spots.polarity == "bright"
    assert spots.hole_px == pytest.approx(9.0, rel=0.1)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((0, 5)), "expected two dimensions"),
        (np.zeros(100), "expected two dimensions"),
        (np.full((90, 80), 5), "blank"),
    ],
)
def test_what_is_no_image_is_refused(image: np.ndarray, message: str) -> None:
    with pytest.raises(PickingError, match=message):
        find_spots(image)


def test_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(PickingError, match=r"mask of shape \(3, 4\)"):
        find_spots(np.zeros((90, 80)), mask=np.zeros((3, 4), bool))


class TestProfile:
    def test_blurred_disk_keeps_its_area(self) -> None:
        r = np.linspace(0, 15, 3000)
        value = blurred_disk(4.2, 1.1, r)
        assert integrate.trapezoid(2 * np.pi * r * value, r) == pytest.approx(np.pi * 4.2**2, rel=1e-3)
        assert value[0] == pytest.approx(1, abs=2e-3)

    def test_disk_and_blur_are_recovered(self) -> None:
        r = np.hypot(*np.meshgrid(np.arange(-40, 41) / 4, np.arange(-40, 41) / 4))
        table = blurred_disk(4.2, 1.1, r.ravel()).reshape(r.shape)
        profile = type(disk_profile(4, 1, 9))(table, 4)
        radius, blur = disk_and_blur(profile)
        assert radius == pytest.approx(4.2, abs=0.03)
        assert blur == pytest.approx(1.1, abs=0.03)


def test_nothing_grows_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = demo_scene((300, 372), pitch_px=24.3, seed=3).render(np.random.default_rng(3))
    settings = Settings(pitch=1e-3, angle=88.0)
    exposure = take_exposure(picture.image, settings)
    looked, real = [], indexing.local_lattices
    monkeypatch.setattr(indexing, "local_lattices", lambda *given: (looked.append(1), real(*given))[1])
    find_spots(picture.image)
    alone = len(looked)
    spots, points = spots_and_points(exposure, settings)
    assert len(looked) == 2 * alone
    fresh = indexing.index_spots(spots.select(np.arange(len(spots))), angle_deg=88.0)
    for name in ("yx", "sigma_yx", "ij", "spot", "flags", "angle_deg", "seam_doubt"):
        np.testing.assert_array_equal(getattr(points, name), getattr(fresh, name))
    # the mean vectors are those of the candidates
    np.testing.assert_allclose(points.basis_px, fresh.basis_px, atol=0.02)


def test_another_lattice_is_indexed_anew() -> None:
    picture = demo_scene((300, 372), pitch_px=24.3, seed=3).render(np.random.default_rng(3))
    found = search_spots(picture.image)
    assert found.points(lattice="oblique", angle_deg=88.0).angle_deg == 88.0
    with pytest.raises(IndexingError, match="hexagonal"):
        found.points(lattice="hexagonal")


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "reads"), [(0, 0), (2, 0), (3, 65535)])
def test_columns_do_not_tell_the_size_of_the_holes(seed: int, reads: int) -> None:
    image = plate_image((400, 440), pitch=38.0, radius=6.5)
    rng = np.random.default_rng(seed)
    for column in rng.integers(0, 440, 8):
        image[rng.integers(0, 200) :, column] = reads
    found = search_spots(image)
    assert 10 < found.spots.hole_px < 15
    assert len(found.points(lattice="auto")) > 85


def test_the_guess_with_most_contrast_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies between the holes forms a denser lattice than they do, and comes first here."""
    image = plate_image((340, 400), pitch=36.0, radius=12.0)
    guesses = (HoleGuess("dark", 7.0), HoleGuess("bright", 9.0))
    monkeypatch.setattr(detection, "survey", lambda *_, **__: guesses)
    assert find_spots(image).polarity == "bright"


@pytest.mark.parametrize(("centres", "least"), [(0.0, 0.0), (0.5, 0.7)])
def test_holes_of_a_second_kind_are_seen(centres: float, least: float) -> None:
    passed_over = find_spots(plate_image(centres=centres, radius=7.0)).passed_over
    assert least <= passed_over <= least + 0.3


@pytest.mark.parametrize("turn_deg", [pytest.param(3.0, marks=pytest.mark.slow), 13.0])
def test_holes_of_a_second_kind_are_no_marks(turn_deg: float) -> None:
    """Found by their rims, as holes with a mark in their middle are, all were taken for the same kind."""
    image = plate_image((360, 420), pitch=46.0, radius=8.5, centres=0.7, blur=1.2, turn_deg=turn_deg)
    assert calibrate(image, pitch=1e-3).verdict.level == "doubtful"


def test_holes_in_the_dark_are_not_passed_over() -> None:
    y, x = np.mgrid[:330, :420]
    lit = 0.004 + expit((y - 130) / 3) * expit((x - 170) / 3)
    rng = np.random.default_rng(5)
    image = rng.poisson(plate_image(pitch=27.0, peak=5000.0) * lit) + rng.normal(100, 14, lit.shape)
    assert find_spots(image).passed_over < 0.2


@pytest.mark.parametrize("aspect", [3.0, pytest.param(1 / 3, marks=pytest.mark.slow)])
def test_a_lattice_on_long_pixels_is_that_of_real_lengths(aspect: float) -> None:
    shape = (220, 600) if aspect > 1 else (600, 220)
    image = plate_image(shape, aspect=aspect, radius=8.0, turn_deg=40.0)
    points = search_spots(image, aspect=aspect).points(lattice="auto")
    real = points.basis_px * np.sqrt([aspect, 1 / aspect])
    assert np.hypot(*real.T) == pytest.approx(30, rel=0.01)
    assert abs(real[0] @ real[1]) < 0.02 * 30**2
    assert len(points) > 120


def test_rims_are_judged_with_the_sizes_that_holes_have() -> None:
    """Holes that grow over the image look as if their rims were steps as long as that is not known, and as if light
    grew, which moves them."""
    base = demo_scene((430, 520), pitch_px=23.0, seed=4)
    bright = replace(base, light=Light(30000.0, 700.0, vignetting=0.0), camera=Camera(1.1))
    picture = replace(bright, faults=Faults(size_trend=(0.02, 0.0), seed=2)).render(np.random.default_rng(7))
    spots = find_spots(picture.image)
    found = match_spots(spots, picture.truth)
    assert 0.65 < found.over_sigma < 1.25
    assert found.rms_px < 0.015
    assert np.median(spots.sigma_yx) < 0.006
