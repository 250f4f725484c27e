"""A grid that is seen from the side is told from one whose pitches are not what was told."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.fitting.fitting import fit_distortion
from pyfai_gridcal.judging.assessment import assess
from pyfai_gridcal.judging.tilt import tilted_view
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.records.spots import Spots

SHAPE = (330, 420)
PITCH_M, PITCH_PX = 1.1e-3, 23.1


def seen(angle_deg: float, about_deg: float, distance: float, *, ratio: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and places (px) of a plate with pitches of this ratio that is tilted about an axis in the image, before a
    pinhole at so many diagonals."""
    ij = np.stack([v.ravel() for v in np.mgrid[-25:26, -25:26]], axis=1)
    turn, tilt, about = np.deg2rad([11.0, angle_deg, about_deg])
    flat = PITCH_PX * (ij * [ratio, 1.0]) @ [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    along, across = flat @ [np.cos(about), np.sin(about)], flat @ [-np.sin(about), np.cos(about)]
    far = distance * np.hypot(*SHAPE)
    along, across = (v * far / (far + across * np.sin(tilt)) for v in (along, across * np.cos(tilt)))
    yx = np.stack(
        [along * np.cos(about) - across * np.sin(about), along * np.sin(about) + across * np.cos(about)], axis=1
    )
    yx = yx + (np.array(SHAPE) - 1) / 2
    yx = yx + 0.4 * np.sin(yx[:, ::-1] / 150)
    inside = ((yx > 8) & (yx < np.array(SHAPE) - 8)).all(axis=1)
    return ij[inside], yx[inside]


def points_of(ij: np.ndarray, yx: np.ndarray) -> ControlPoints:
    n, basis = len(ij), PITCH_PX * np.eye(2)
    return ControlPoints(yx, np.full((n, 2), 0.02), ij, np.arange(n), np.zeros(n, np.uint8), basis)


@pytest.mark.parametrize(("angle", "about", "distance"), [(37.0, 63.0, 2.2), (22.0, -118.0, 3.5), (29.0, 5.0, 1.6)])
def test_the_tilt_is_found(angle: float, about: float, distance: float) -> None:
    ij, yx = seen(angle, about, distance)
    tilt = tilted_view(points_of(ij, yx), Plate(PITCH_M), SHAPE)
    assert tilt is not None
    assert tilt.angle_deg == pytest.approx(angle, abs=0.7)
    assert tilt.anisotropy < 1.01


def test_pixels_that_are_not_square() -> None:
    ij, yx = seen(33.0, 63.0, 2.2)
    size = np.array([1.0, 1.4])
    points, shape = points_of(ij, yx / size), (SHAPE[0], round(SHAPE[1] / 1.4))
    tilt = tilted_view(points, Plate(PITCH_M), shape, (1.0, 1.4))
    assert tilt is not None
    assert tilt.angle_deg == pytest.approx(33.0, abs=0.7)
    assert tilted_view(points, Plate(PITCH_M), shape) is None


@pytest.mark.parametrize("about", [90.0, 63.0, 20.0])
def test_a_wrong_ratio_of_the_pitches_is_no_tilt(about: float) -> None:
    """Also of a plate that leans a little, by whatever axis but the one across the longer pitch."""
    flat, leaning = (seen(angle, about, 2.0, ratio=1.2) for angle in (0.0, 4.0))
    assert tilted_view(points_of(*flat), Plate(PITCH_M), SHAPE) is None
    assert tilted_view(points_of(*leaning), Plate(PITCH_M), SHAPE) is None


def test_a_tilted_view_alone_is_no_reason_for_doubt() -> None:
    found = []
    for ij, yx in (seen(36.0, 63.0, 2.2), seen(0.0, 0.0, 2.2, ratio=1.2)):
        points = points_of(ij, yx)
        fit = fit_distortion(points, plate=Plate(PITCH_M), shape=SHAPE)
        n, grey = len(ij), np.full(len(ij), 900.0)
        spots = Spots(yx, np.full((n, 2), 0.02), grey, grey / 5, np.ones(n), np.zeros(n, np.uint8), hole_px=8.0)
        checks = {c.name: c.level for c in assess(fit, (spots,)).checks}
        found.append(checks["aspect of the lattice"])
    assert found == ["good", "doubtful"]
