"""The place of a hole within which the field bends, against a picture of it added up point by point."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial import KDTree

from pyfai_gridcal.finding.holes.model import BentRims, SpotState, start_from, stretched
from pyfai_gridcal.finding.holes.profile import blurred_disk
from pyfai_gridcal.finding.holes.refinement import fit_spots
from pyfai_gridcal.finding.holes.templates import TemplateMaker
from pyfai_gridcal.finding.holes.windows import PreparedImage
from pyfai_gridcal.indexing.indexing import index_spots
from pyfai_gridcal.records.spots import HoleProfile, Noise, Spots

FINE, HALF = 10, 15
RADIUS, BLUR = 6.0, 1.2

#: Second derivatives [component, axis, axis] of a field, px per px².
BENDS = {
    "along": np.array([[[2e-3, 0], [0, 0]], [[0, 0], [0, 0]]]),
    "across": np.array([[[0, 0], [0, 2e-3]], [[0, 0], [0, 0]]]),
    "skew": np.array([[[0, 1e-3], [1e-3, 0]], [[0, 0], [0, 2e-3]]]),
}


def picture(bend: np.ndarray, stretch: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """A round hole seen at ``centre + stretch @ c + c bend c / 2``, blurred, read by square pixels."""
    at = (np.arange((2 * HALF + 1) * FINE) + 0.5) / FINE - HALF - 0.5
    seen = np.stack(np.meshgrid(at - centre[0], at - centre[1], indexing="ij"), axis=-1)
    back = np.linalg.inv(stretch).T
    c = seen @ back
    for _ in range(8):  # each takes two digits
        c = c - (c @ stretch.T + 0.5 * np.einsum("dij,...i,...j->...d", bend, c, c) - seen) @ back
    light = np.clip(0.5 + (RADIUS - np.hypot(c[..., 0], c[..., 1])) * FINE, 0, 1)
    m = 2 * HALF + 1
    blurred = gaussian_filter(light, BLUR * FINE, truncate=6).reshape(m, FINE, m, FINE)
    return np.asarray(9000 * blurred.mean(axis=(1, 3)) + 1500)


def rims(bend: np.ndarray, stretch: np.ndarray, radius: float) -> BentRims:
    back = np.linalg.inv(stretch)
    u = 0.5 * np.einsum("dij,ia,jb->dab", bend, back, back)
    return BentRims.of(np.stack([u[:, 0, 0], 2 * u[:, 0, 1], u[:, 1, 1]])[None], stretch[None], radius)


@pytest.mark.parametrize("noise", [None, Noise(1.0, 10.0, 0.0)], ids=["equal weights", "dark pixels believed more"])
@pytest.mark.parametrize(
    "stretch",
    [pytest.param(np.eye(2), id="round", marks=pytest.mark.slow), pytest.param(np.diag([0.9, 1.1]), id="oval")],
)
@pytest.mark.parametrize("name", BENDS)
def test_place_is_that_of_the_centre(name: str, stretch: np.ndarray, noise: Noise | None) -> None:
    """Which part of a rim is believed most makes no difference."""
    reach, samples = 11, 4
    offset = np.arange(-(reach + 1) * samples, (reach + 1) * samples + 1) / samples
    r = np.hypot(offset[:, None], offset[None, :])
    profile = HoleProfile(blurred_disk(RADIUS, np.hypot(BLUR, np.sqrt(1 / 12)), r.ravel()).reshape(r.shape), samples)
    maker = TemplateMaker(profile, reach)
    start = SpotState(
        np.full((1, 2), float(HALF)), np.array([8e3]), np.array([1e3]), *np.zeros((2, 1, 2)), np.zeros((1, 6))
    )
    miss, moved = [], []
    for centre in ([0.2, -0.3], [-0.2, 0.3], [0.4, 0.1], [-0.4, -0.1]):
        image = PreparedImage(picture(BENDS[name], stretch, np.array(centre)), None, "bright")
        for state, out in (
            (replace(start, stretch=stretch[None], bend=rims(BENDS[name], stretch, RADIUS)), miss),
            (replace(start, stretch=stretch[None]), moved),
        ):
            fitted = fit_spots(image, state, maker.bank(state.stretch, 1), noise, iterations=9, limit=2.0)
            out.append(fitted.yx[0] - HALF - centre)
    size = np.hypot(*np.mean(moved, axis=0))
    assert size > 8e-3
    assert np.hypot(*np.mean(miss, axis=0)) < 1e-3 + 0.03 * size


def test_the_noise_of_places_bends_no_hole_and_is_taken_back_once_places_are_known() -> None:
    ij = np.argwhere(np.ones((9, 10)))
    true = 30.0 + ij * (52.0, 55.0)
    points = index_spots(Spots.from_positions(true + np.random.default_rng(1).normal(0, 0.3, true.shape)))
    image = PreparedImage(np.zeros((520, 580)), None, "bright")
    rows = KDTree(true).query(points.yx)[1]
    state = start_from(image, points.yx, 24, 20.0)
    rough, _ = stretched(state, points, image, reach=24, radius=20.0)
    assert rough.bend is None
    turned = replace(rough, stretch=np.tile(1.01 * np.eye(2), (len(points), 1, 1)))
    known, _ = stretched(turned, points, image, reach=24, radius=20.0, places=true[rows])
    assert known.stretch is None
    # but a field that bends does
    centre = true.mean(axis=0)
    bent = true + 4e-5 * (true - centre)[:, ::-1] ** 2
    found, _ = stretched(state, points, image, reach=24, radius=20.0, places=bent[rows])
    assert found.bend is not None
    # and one that bends neighbours to and fro
    waves = true + 0.8 * np.sin(2 * np.pi * ij / 7) + np.random.default_rng(2).normal(0, 0.02, true.shape)
    found, _ = stretched(state, points, image, reach=24, radius=20.0, places=waves[rows])
    assert found.bend is not None


def test_frames_without_a_lattice_stretch_no_hole() -> None:
    """Each had a stretch of its own, and templates for it: half of the time of a search that finds no plate."""
    ij = np.argwhere(np.ones((9, 10)))
    true = 30.0 + ij * (52.0, 55.0)
    points = index_spots(Spots.from_positions(true))
    image = PreparedImage(np.zeros((520, 580)), None, "bright")
    state = start_from(image, points.yx, 24, 20.0)
    jittered = points.yx + np.random.default_rng(1).normal(0, 5.0, true.shape)
    torn = points.yx + np.random.default_rng(1).choice([0.0, 130.0], true.shape)
    for places, is_stretched in ((jittered, True), (torn, False)):
        found, error = stretched(state, points, image, reach=24, radius=20.0, places=places)
        assert (found.stretch is not None, error > 0) == (is_stretched, is_stretched)
