"""Each figure answers its question, and no other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfai_gridcal.judging import regularities
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import SampledField, TiledField
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.records.spots import HoleProfile, Noise, Spots

PITCH = 21.7
TURN = 0.13
BASIS = PITCH * np.array([[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]])


def points(ny: int = 14, nx: int = 19, *, basis: np.ndarray = BASIS, keep: np.ndarray | None = None) -> ControlPoints:
    ij = np.stack([v.ravel() for v in np.mgrid[0:ny, 0:nx]], axis=1) - (3, 5)
    ij = ij if keep is None else ij[keep]
    yx = ij @ basis + (200.3, 187.1)
    n = len(ij)
    return ControlPoints(yx, np.full((n, 2), 0.02), ij, np.arange(n), np.zeros(n, np.uint8), basis)


def spots_at(yx: np.ndarray, amplitude: np.ndarray | float = 1000.0) -> Spots:
    n = len(yx)
    level = np.broadcast_to(np.asarray(amplitude, float), n)
    return Spots(
        yx, np.full((n, 2), 0.02), level, np.full(n, 200.0), np.ones(n), np.zeros(n, np.uint8), noise=Noise(1.0, 5.0)
    )


# ------------------------------------------------------------------------------------------------- looks
def profile(corners: int, radius: float = 5.0, blur: float = 0.8, stretch: float = 1.0) -> HoleProfile:
    """A disk, or a regular polygon of the same width, with a soft rim."""
    t = np.arange(-48, 49) / 4
    y, x = t[:, None] * stretch, t[None, :]
    r = np.hypot(y, x)
    if corners:
        sector = 2 * np.pi / corners
        phi = np.mod(np.arctan2(y, x) + 0.21, sector) - sector / 2
        r = r * np.cos(phi) / np.cos(sector / 2) * 0.85
    return HoleProfile(1 / (1 + np.exp((r - radius) / (blur / 1.7))), 4)


def test_disks_are_round() -> None:
    assert max(regularities.angular_structure(profile(0)).values()) < 0.01


@pytest.mark.parametrize("corners", [4, 6])
def test_corners_are_counted(corners: int) -> None:
    found = regularities.angular_structure(profile(corners))
    assert max(found, key=found.__getitem__) == corners
    assert found[corners] > 0.01


def test_squares_have_more_corners_than_hexagons() -> None:
    assert regularities.angular_structure(profile(4))[4] > 2 * regularities.angular_structure(profile(6))[6]


@pytest.mark.parametrize("share", [0.0, 0.15, 0.4])
def test_a_copy_beside_each_spot_is_seen_with_its_share(share: float) -> None:
    """A profile that is symmetric about its centre has half of it on either side; ovals and corners are none."""
    one = profile(0)
    both = sum(0.5 * share * np.roll(one.table, (way * 23, way * -31), axis=(0, 1)) for way in (1, -1))
    twice = HoleProfile(one.table + both, one.oversampling)
    assert regularities.copy_share(twice, one.reach) == pytest.approx(share, abs=0.02)
    # what lies nearer to the next hole is the next hole
    assert regularities.copy_share(twice, 0.6 * np.hypot(23, 31) / one.oversampling) < 0.02
    for other in (profile(4), profile(6), profile(0, stretch=1.2)):
        assert regularities.copy_share(other, one.reach) < 0.1


def test_ovals_are_ovals() -> None:
    slight, strong = (regularities.angular_structure(profile(0, stretch=s)) for s in (1.1, 1.6))
    assert slight[4] < 0.03
    assert 0.05 < slight[2] < strong[2]


def test_misfit_is_free_of_noise_and_relative() -> None:
    spots = spots_at(points().yx)
    assert regularities.profile_misfit(spots).max() == 0
    # rms left over: chi2 - 1 noise variances; variance = 25 + (200 + 500)
    odd = Spots(
        spots.yx, spots.sigma_yx, spots.amplitude, spots.background, np.full(len(spots), 5.0), spots.flags,
        noise=spots.noise,
    )  # fmt: skip
    np.testing.assert_allclose(regularities.profile_misfit(odd), np.sqrt(4 * 725) / 1000)
    assert regularities.profile_misfit(Spots.from_positions(spots.yx)).max() == 0


def test_amplitudes_of_neighbours() -> None:
    p = points()
    smooth = 1000 * np.exp(-(((p.yx - 200) / 250) ** 2).sum(axis=1))
    rng = np.random.default_rng(0)
    assert regularities.amplitude_scatter(spots_at(p.yx, smooth)) < 0.03
    rough = smooth * np.exp(0.3 * rng.standard_normal(len(p)))
    assert regularities.amplitude_scatter(spots_at(p.yx, rough)) == pytest.approx(0.3, rel=0.35)
    assert regularities.amplitude_scatter(spots_at(p.yx[:3])) == 0


# ------------------------------------------------------------------------------------------------- lattice
def test_fill() -> None:
    assert regularities.lattice_fill(points()) == 1
    keep = np.random.default_rng(1).random(40 * 50) > 0.3
    assert regularities.lattice_fill(points(40, 50, keep=keep)) == pytest.approx(0.7, abs=0.04)


def test_a_bent_lattice_is_not_broken_and_a_shifted_row_is() -> None:
    p = points()
    bent = ControlPoints(p.yx + 4e-4 * (p.yx - 150) ** 2, p.sigma_yx, p.ij, p.spot, p.flags, p.basis_px)
    assert regularities.broken_share(bent) == 0
    moved = p.yx.copy()
    moved[p.ij[:, 0] == 2] += BASIS[1]  # one row counted wrongly
    broken = ControlPoints(moved, p.sigma_yx, p.ij, p.spot, p.flags, p.basis_px)
    assert 0.1 < regularities.broken_share(broken) < 0.5


def test_pieces() -> None:
    ij = np.stack([v.ravel() for v in np.mgrid[0:14, 0:19]], axis=1)
    assert regularities.pieces(points()) == 0
    assert regularities.pieces(points(keep=(ij[:, 1] < 8) | (ij[:, 1] > 9))) == 0  # two columns are bridged
    apart = regularities.pieces(points(keep=(ij[:, 1] < 5) | (ij[:, 1] > 10)))
    assert apart == pytest.approx(5 / 13)


def anisotropy(p: ControlPoints, plate: Plate, pixel: tuple[float, float]) -> float:
    return regularities.corrected_anisotropy(regularities.lattice_scale(p, plate, pixel))


def test_scale_of_the_lattice() -> None:
    scale = regularities.lattice_scale(points(basis=BASIS * [[1.3], [1.0]]), Plate(1e-3))
    np.testing.assert_allclose(scale, [[1.3 * PITCH / 1e-3, PITCH / 1e-3]] * len(scale))


@pytest.mark.parametrize("turn", [0.0, 0.4, np.pi / 4])
def test_a_wrong_ratio_of_pitches_is_seen_at_any_angle(turn: float) -> None:
    c, s = np.cos(turn), np.sin(turn)
    basis = PITCH * np.array([[1.4 * c, -1.4 * s], [s, c]])
    assert anisotropy(points(basis=basis), Plate(1e-3), (1, 1)) == pytest.approx(1.4)
    assert anisotropy(points(basis=basis), Plate((1.4e-3, 1e-3)), (1, 1)) == pytest.approx(1)


def test_known_pixels_are_not_taken_for_wrong_pitches() -> None:
    basis = BASIS / [1.25, 1.0]  # pixels longer along slow
    p = points(basis=basis)
    assert anisotropy(p, Plate(1e-3), (1, 1)) == pytest.approx(1.25, rel=0.02)
    assert anisotropy(p, Plate(1e-3), (1.25, 1)) == pytest.approx(1)


def test_distortion_is_not_taken_for_wrong_pitches() -> None:
    p = points()
    centre = p.yx.mean(axis=0)
    r2 = ((p.yx - centre) ** 2).sum(axis=1, keepdims=True) / 200**2
    barrel = ControlPoints(
        p.yx + (p.yx - centre) * -0.12 * r2, p.sigma_yx, p.ij, p.spot, p.flags, p.basis_px
    )  # fmt: skip
    assert np.median(np.divide(*regularities.lattice_scale(barrel, Plate(1e-3)).T)) > 1.1
    assert anisotropy(barrel, Plate(1e-3), (1, 1)) < 1.06


# ------------------------------------------------------------------------------------------------- off the lattice
def with_others(other: np.ndarray) -> tuple[ControlPoints, Spots]:
    p = points()
    return p, spots_at(np.concatenate([p.yx, other]))


def test_a_second_lattice() -> None:
    p, spots = with_others(points().yx[:200] + 0.4 * BASIS[0] + 0.3 * BASIS[1])
    assert regularities.second_lattice(p, spots) == pytest.approx(200 / len(p), rel=0.05)
    assert regularities.spots_between(p, spots) == pytest.approx(200 / len(p), rel=0.05)


def test_dirt_is_no_second_lattice() -> None:
    rng = np.random.default_rng(4)
    p, spots = with_others(points().yx[:120] + rng.uniform(-0.5, 0.5, (120, 2)) * PITCH)
    assert regularities.second_lattice(p, spots) == 0
    assert 0.2 < regularities.spots_between(p, spots) < 0.45


def test_an_island_of_the_same_lattice_is_no_second_one() -> None:
    p, spots = with_others(points().yx[:60] + 12 * BASIS[1])
    p = p.select(p.ij[:, 1] < 8)
    assert regularities.second_lattice(p, spots) == 0
    assert regularities.spots_between(p, spots) == 0


# ------------------------------------------------------------------------------------------------- residuals
@pytest.mark.parametrize("pitches", [2.2, 3.1])
def test_a_ripple_shows_though_neighbours_have_nothing_in_common(pitches: float) -> None:
    p = points(24, 31)
    rng = np.random.default_rng(7)
    used = rng.random(len(p)) > 0.1
    length = pitches * float(np.mean(p.pitch_px))
    phase = 2 * np.pi / length * (p.yx @ [0.6, 0.8])
    wave = 0.3 * np.stack([np.sin(phase), np.cos(phase)], axis=1)
    found = regularities.ripple(p, wave + 0.1 * rng.standard_normal(wave.shape), used)
    assert found == pytest.approx(0.3, rel=0.25)


def test_errors_of_single_holes_are_no_ripple() -> None:
    rng = np.random.default_rng(9)
    for n in (8, 24, 60):
        p = points(n, n + 5)
        error = 0.3 * rng.standard_normal((len(p), 2))
        assert regularities.ripple(p, error, rng.random(len(p)) > 0.05) == 0.0


def test_an_oval_in_long_pixels_may_be_round() -> None:
    y, x = (np.arange(-60, 61) / 5,) * 2
    table = 0.5 - 0.5 * np.tanh(np.hypot(2**0.5 * y[:, None], x[None, :] / 2**0.5) - 5)
    raw, real = (regularities.angular_structure(HoleProfile(table, 5), aspect)[2] for aspect in (1.0, 2.0))
    assert raw > 0.3
    assert real < 0.02


# ------------------------------------------------------------------------------------------------- tiles
def constant(yx: np.ndarray) -> SampledField:
    return SampledField(np.array([0.0, 300.0]), np.array([0.0, 400.0]), np.broadcast_to(yx, (2, 2, 2)))


def test_tiles_are_apart_by_nodes_not_pixels() -> None:
    labels = (np.arange(300)[:, None] > 120).astype(int) + 0 * np.arange(400)
    labels[:, 330:] = 2  # meets both
    moves = ((0.0, 0.0), -0.31 * BASIS[0] + 0.17 * BASIS[1], 0.08 * BASIS[0] + 0.22 * BASIS[1])
    field = TiledField(labels, tuple(map(constant, moves)))
    distortion = Distortion(field, (300, 400), (50e-6, 60e-6))
    assert regularities.tile_offset(distortion, points()) == pytest.approx(0.39)
    unknown = TiledField(labels, tuple(constant(np.full(2, s)) for s in (0.1, 0.1, 3.0)))
    assert regularities.tile_offset(replace(distortion, sigma=unknown), points()) == pytest.approx(0.31)
    assert regularities.tile_offset(replace(distortion, field=constant(moves[1])), points()) == 0.0
