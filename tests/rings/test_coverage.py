"""Sigmas are right: over many drawings of the same points, errors are within them as often as they say."""

from __future__ import annotations

import logging
import os
from dataclasses import replace

import numpy as np
import pytest
from ringdrawing import PIXEL, bent, modular, perfect, three_images, without_noise

from pyfai_gridcal.base.arrays import Floats
from pyfai_gridcal.base.frames import raster_places
from pyfai_gridcal.base.robust import rms
from pyfai_gridcal.fitting.spline.basis import uniform_axes
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import TiledField
from pyfai_gridcal.rings import solution
from pyfai_gridcal.rings.geometry import NAMES, best_geometry, numbers_of, places_of, slopes
from pyfai_gridcal.rings.points import RingPoints
from pyfai_gridcal.rings.solution import fit_rings, witness_of

pytestmark = pytest.mark.usefixtures("not_left_out")

SHAPE = (220, 250)
#: Drawings of the slow tests: 500 were tried by hand, of all of them.
SETS = int(os.environ.get("PYFAI_GRIDCAL_SETS", "60"))


def redrawn(images: list[RingPoints], truth: Distortion, rng: np.random.Generator, sigma: float) -> list[RingPoints]:
    """The same points with new noise."""
    out = []
    for points in images:
        unit = slopes(places_of(truth, points.yx), numbers_of(points.geometry))[0][:, :2]
        unit = unit / np.linalg.norm(unit, axis=1)[:, None]
        noise = rng.normal(0, sigma, len(points))[:, None] * unit
        out.append(replace(points, yx=points.yx + noise, sigma=np.full(len(points), sigma)))
    return out


def nodes_of(labels: Floats | None) -> Floats:
    """Where the common motion is looked at."""
    at = raster_places(*(np.linspace(0, n - 1, int(np.ceil(n / (max(SHAPE) / 40))) + 1) for n in SHAPE)).reshape(-1, 2)
    if labels is None:
        return at
    near = np.rint(at).astype(int)
    return at[labels[near[:, 0], near[:, 1]] >= 0]


def less_motion(yx: Floats, value: Floats, nodes: Floats, there: Floats, *, scaled: bool = False) -> Floats:
    """Displacements (N, 2) at points less the best motion, and scale, of displacements `there` at the nodes."""

    def rigid(at: Floats) -> Floats:
        (v, u), one, zero = (at - nodes.mean(axis=0)).T, np.ones(len(at)), np.zeros(len(at))
        modes = ((one, zero), (zero, one), (u, -v), (v, u))
        return np.stack([np.concatenate(m) for m in modes[: 4 if scaled else 3]], axis=1)

    motion = np.linalg.lstsq(rigid(nodes), there.T.ravel(), rcond=None)[0]
    return value - (rigid(yx) @ motion).reshape(2, -1).T


def pulls_of_modules(sets: int) -> Floats:
    """The whole way once, for sigma; then no more than the solution."""
    rng = np.random.default_rng(11)
    truth, mask = modular(SHAPE, rng)
    images = three_images(truth, rng, seen=~mask, degrees=5.0)
    images = [without_noise(p, truth, p.geometry) for p in images]
    found = fit_rings(redrawn(images, truth, rng, 0.05), shape=SHAPE, pixel_size=PIXEL, mask=mask)
    assert isinstance(found.distortion.field, TiledField)
    labels = found.distortion.field.labels
    sigma, nodes = np.array([m.shift_sigma for m in found.modules]), nodes_of(labels)
    centres = np.array([np.argwhere(labels == k).mean(axis=0) for k in range(len(found.modules))])
    expected = less_motion(centres, truth.displacement(centres), nodes, truth.displacement(nodes))
    y, x = uniform_axes((0.0, 0.0), SHAPE, 2, 3)
    out = []
    for _ in range(sets):
        start = witness_of(redrawn(images, truth, rng, 0.05), SHAPE, PIXEL, mask=mask)
        field = solution._solved(start, y, x, lambda *_: None)[0].present
        out.append((less_motion(centres, field.at(centres), nodes, field.at(nodes)) - expected) / sigma)
    return np.concatenate(out).ravel()


def pulls_of_a_field(sets: int) -> Floats:
    rng = np.random.default_rng(12)
    truth = bent(SHAPE, 0.8, rng)
    images = three_images(truth, rng, degrees=5.0)
    images = [without_noise(p, truth, p.geometry) for p in images]
    nodes, yx = nodes_of(None), rng.uniform(25, 195, (40, 2))
    out = []
    for _ in range(sets):
        told = [p.geometry["dist"] + rng.normal(0, 1e-6) for p in images]
        drawn = redrawn(images, truth, rng, 0.05)
        found = fit_rings(drawn, shape=SHAPE, pixel_size=PIXEL, distances=(told, 1e-6))
        error = found.distortion.displacement(yx) - truth.displacement(yx)
        there = found.distortion.displacement(nodes) - truth.displacement(nodes)
        out.append(less_motion(yx, error, nodes, there) / found.distortion.sigma.at(yx))
    return np.concatenate(out).ravel()


def pulls_without_distances(sets: int, amplitude_px: float) -> tuple[Floats, float]:
    """Of fields that are drawn anew each time, and the rms error, px."""
    nodes, pulls, errors = nodes_of(None), [], []
    for seed in range(1000, 1000 + sets):
        rng = np.random.default_rng(seed)
        truth = bent(SHAPE, amplitude_px, rng)
        images = three_images(truth, rng, degrees=5.0, noise_px=0.05)
        # PONI files are of fits, which take up some of the distortion: farther off, rings would be refused
        plain = perfect(SHAPE)
        for k, p in enumerate(images):
            best = best_geometry(places_of(plain, p.yx), p.two_theta, numbers_of(p.geometry))
            images[k] = replace(p, geometry={**p.geometry, **dict(zip(NAMES, best, strict=True))})
        found = fit_rings(images, shape=SHAPE, pixel_size=PIXEL, max_sigma=9.0).distortion
        yx = rng.uniform(10, 210, (60, 2))
        error, there = (found.displacement(at) - truth.displacement(at) for at in (yx, nodes))
        # the whole moves as places are corrected
        corrected = yx + truth.displacement(yx), nodes + truth.displacement(nodes)
        errors.append(less_motion(corrected[0], error, corrected[1], there, scaled=True))
        pulls.append(errors[-1] / found.sigma.at(yx))
    return np.concatenate(pulls).ravel(), rms(np.concatenate(errors))


@pytest.mark.slow
def test_a_field_without_distances() -> None:
    """Inversions make circles of circles and go with the distances: they are no larger than other bends are."""
    pull, error = pulls_without_distances(SETS, 0.8)
    pull = np.abs(pull)
    logging.getLogger(__name__).info("%d: %.3f, %.3f", len(pull), np.mean(pull < 1), np.mean(pull < 1.96))
    # errors over a spread that four values tell are Student's: 72 and 93 % are within these
    assert np.mean(pull < 1) == pytest.approx(0.72, abs=0.06)
    assert np.mean(pull < 1.96) == pytest.approx(0.95, abs=0.06)
    assert error < 0.09


@pytest.mark.slow
@pytest.mark.parametrize("amplitude_px", [3.0, 8.0])
def test_a_strong_field_without_distances(amplitude_px: float) -> None:
    """There may be two solutions of which the points prefer neither: sigmas of one of them were half of the errors."""
    pull, error = pulls_without_distances(SETS, amplitude_px)
    pull = np.abs(pull)
    logging.getLogger(__name__).info("%d: %.3f, %.3f", len(pull), np.mean(pull < 1), np.mean(pull < 1.96))
    assert 0.63 < np.mean(pull < 1) < 0.84
    assert np.mean(pull < 1.96) > 0.86
    assert error < 0.05 * amplitude_px


@pytest.mark.parametrize(("sets", "within"), [(12, 0.15), pytest.param(SETS, 0.05, marks=pytest.mark.slow)])
def test_modules(sets: int, within: float) -> None:
    """68.4 and 95.1 % of 4000."""
    pull = np.abs(pulls_of_modules(sets))
    logging.getLogger(__name__).info("%d: %.3f, %.3f", len(pull), np.mean(pull < 1), np.mean(pull < 1.96))
    assert np.mean(pull < 1) == pytest.approx(0.683, abs=within)
    assert np.mean(pull < 1.96) == pytest.approx(0.95, abs=within)


@pytest.mark.slow
def test_a_field() -> None:
    """A smooth one, with steps of the distance."""
    pull = np.abs(pulls_of_a_field(SETS // 10))
    logging.getLogger(__name__).info("%d: %.3f, %.3f", len(pull), np.mean(pull < 1), np.mean(pull < 1.96))
    assert 0.63 < np.mean(pull < 1) < 0.82
    assert np.mean(pull < 1.96) > 0.90
