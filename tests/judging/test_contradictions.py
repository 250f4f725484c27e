"""Holes beside each other that are not where the field has them leave a place that is not known."""

from __future__ import annotations

import numpy as np

from pyfai_gridcal.fitting.fitting import fit_distortion
from pyfai_gridcal.judging.contradictions import without_contradicted
from pyfai_gridcal.records.fit import DistortionFit
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.records.spots import Spots

SHAPE, PITCH = (330, 420), 23.1
BASIS = PITCH * np.array([[0.99, -0.12], [0.12, 0.99]])
DROP, LONE, DIRT = np.array([131.0, 270.0]), np.array([250.0, 90.0]), np.array([250.0, 190.0])


def seen() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes, places as all but the displaced holes have them, and as they are seen: a drop on the window draws some
    holes towards its middle, and one hole elsewhere is drilled wrongly."""
    ij = np.stack([v.ravel() for v in np.mgrid[-25:26, -25:26]], axis=1)
    flat = ij @ BASIS + (161.3, 215.7)
    flat = flat + 1.5 * np.sin(flat[:, ::-1] / 150)
    inside = ((flat > 8) & (flat < np.array(SHAPE) - 8)).all(axis=1)
    ij, flat = ij[inside], flat[inside]
    away = flat - DROP
    yx = flat - 0.45 * away * np.exp(-((np.hypot(*away.T) / (1.1 * PITCH)) ** 2))[:, None]
    yx[np.argmin(np.hypot(*(flat - LONE).T))] += (5.0, -4.0)
    return ij, flat, yx


def fitted(
    ij: np.ndarray, flat: np.ndarray, yx: np.ndarray, labels: np.ndarray | None = None
) -> tuple[DistortionFit, Spots]:
    """A fit to what fits, as indexing leaves it, and all spots, with some dirt between the holes."""
    good = np.hypot(*(yx - flat).T) < 0.5
    n = int(good.sum())
    rows = np.flatnonzero(good)
    points = ControlPoints(yx[good], np.full((n, 2), 0.02), ij[good], rows, np.zeros(n, np.uint8), BASIS)
    middle = flat[np.argsort(np.hypot(*(flat - DIRT).T))[:5]] + 0.5 * (BASIS[0] + BASIS[1])
    model = "auto" if labels is None else "tiles"
    fit = fit_distortion(points, plate=Plate(1.1e-3), shape=SHAPE, labels=labels, model=model)
    return fit, Spots.from_positions(np.concatenate([yx, middle]))


def test_what_a_drop_covers_is_not_known() -> None:
    ij, flat, yx = seen()
    fit, spots = fitted(ij, flat, yx)
    assert 6 <= (np.hypot(*(yx - flat).T) >= 0.5).sum() <= 30
    before = fit.distortion.mask
    assert before is not None
    assert before[131, 270] == before[250, 90] == before[250, 190] == np.False_
    found = without_contradicted(fit, (spots,))
    mask = found.distortion.mask
    assert mask is not None
    displaced = np.rint(flat[np.hypot(*(yx - flat).T) >= 0.5]).astype(int)
    in_drop = np.hypot(*(displaced - DROP).T) < 3 * PITCH
    assert mask[tuple(displaced[in_drop].T)].all()
    assert not mask[tuple(displaced[~in_drop].T)].any()
    assert not mask[240:260, 180:200].any()
    assert (mask & ~before).mean() < 0.2
    assert "contradict the field" in found.notes[-1]


def test_a_crease_is_not_known_along_all_of_it() -> None:
    ij, flat, _ = seen()
    along, across = np.array([0.81, 0.59]), np.array([0.59, -0.81])
    from_it = (flat - (150.0, 180.0)) @ across
    every_third = np.arange(len(ij)) % 3 == 0
    yx = flat + 3.0 * ((np.abs(from_it) < 0.45 * PITCH) & every_third)[:, None] * across
    fit, spots = fitted(ij, flat, yx)
    found = without_contradicted(fit, (spots,)).distortion.mask
    assert found is not None
    line = np.rint((150.0, 180.0) + np.arange(-110.0, 100.0)[:, None] * along).astype(int)
    assert found[tuple(line.T)].mean() > 0.95
    aside = np.rint((150.0, 180.0) + 3 * PITCH * across + np.arange(-60.0, 60.0)[:, None] * along).astype(int)
    assert not found[tuple(aside.T)].any()


def test_holes_that_a_seam_cuts_contradict_nothing() -> None:
    ij, flat, yx = seen()
    labels = np.zeros(SHAPE, int)
    labels[:, 204:] = 1
    near = np.abs(flat[:, 1] - 203.5) < 0.35 * PITCH
    yx = yx + (0.3, 0.2) * near[:, None]
    fit, spots = fitted(ij, flat, yx, labels)
    assert fit.distortion.is_tiled
    mask = without_contradicted(fit, (spots,)).distortion.mask
    assert mask is not None
    assert mask[131, 270]
    assert fit.distortion.mask is not None
    assert not (mask & ~fit.distortion.mask)[215:, 150:260].any()


def test_a_field_that_explains_its_holes_stays_as_it_is() -> None:
    ij, flat, _ = seen()
    fit, spots = fitted(ij, flat, flat)
    assert without_contradicted(fit, (spots,)) is fit
