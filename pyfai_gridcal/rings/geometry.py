"""Where powder rings are: the scattering angle of a place on a detector, and how it follows the place and the geometry.

frame, order, unit
    Places are (p1, p2, p3) metres, along slow, fast and away from the sample, as pyFAI has them; a geometry is
    (dist, poni1, poni2, rot1, rot2): metres and radians. The rotation about the beam (rot3) moves no ring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..base.arrays import Floats
from ..base.frames import edge_from_index
from ..records.distortion import Distortion

#: What a ring depends on, in the order of the columns below.
NAMES = ("dist", "poni1", "poni2", "rot1", "rot2")


def numbers_of(geometry: Mapping[str, float]) -> Floats:
    """(5,) of a geometry by names."""
    return np.array([geometry[name] for name in NAMES])


def places_of(distortion: Distortion, yx: Floats) -> Floats:
    """(N, 3) places, metres, of observed points (N, 2), px."""
    flat = edge_from_index(distortion.correct(yx)) * distortion.pixel_size
    if distortion.depth is None:
        return np.column_stack([flat, np.zeros(len(flat))])
    row, column = (np.clip(np.rint(at).astype(int), 0, n - 1) for at, n in zip(yx.T, distortion.shape, strict=True))
    return np.column_stack([flat, distortion.depth[row, column]])


def two_theta(places: Floats, geometry: Floats | Sequence[float]) -> Floats:
    """(N,) scattering angle, rad."""
    from_sample, beam, _ = _arms(places, geometry)
    along = from_sample @ beam
    across = np.linalg.norm(np.cross(from_sample, beam), axis=1)
    return np.arctan2(across, along)


def slopes(places: Floats, geometry: Floats | Sequence[float]) -> tuple[Floats, Floats]:
    """How the scattering angle follows the place, (N, 3) rad/m, and the geometry, (N, 5)."""
    arm, beam, turned = _arms(places, geometry)
    length = np.linalg.norm(arm, axis=1)[:, None]
    unit = arm / length
    cosine = unit @ beam
    sine = np.maximum(np.linalg.norm(np.cross(unit, beam), axis=1), 1e-12)[:, None]
    place = (cosine[:, None] * unit - beam) / (length * sine)
    # the distance moves the detector away, the PONI moves against it, rotations move the beam
    turn = -(unit @ turned.T) / sine
    return place, np.column_stack([place[:, 2], -place[:, :2], turn])


def _arms(places: Floats, geometry: Floats | Sequence[float]) -> tuple[Floats, Floats, Floats]:
    """From the sample to the places (N, 3), the beam (3,), and its derivatives by rot1 and rot2 (2, 3): in the frame of
    the detector."""
    dist, poni1, poni2, rot1, rot2 = geometry
    (s1, s2), (c1, c2) = np.sin([rot1, rot2]), np.cos([rot1, rot2])
    turned = np.array([[0.0, -c2 * c1, -s1 * c2], [c2, s2 * s1, -c1 * s2]])
    return places + (-poni1, -poni2, dist), np.array([s2, -c2 * s1, c1 * c2]), turned


def best_geometry(
    places: Floats, angles: Floats, start: Floats | Sequence[float], weight: Floats | None = None
) -> Floats:
    """(5,) the geometry that brings places (N, 3) nearest to scattering angles (N,), rad, by Gauss-Newton steps.

    Without weights (N,), px or rad to the power of -2, points that are far off count less.
    """
    numbers, root = np.array(start, float), np.sqrt(np.ones(len(places)) if weight is None else weight)
    for _ in range(12):
        left = two_theta(places, numbers) - angles
        if weight is None:
            root = 1 / np.sqrt(1 + (left / (3 * np.median(np.abs(left)) + 1e-15)) ** 2)
        step = np.linalg.lstsq(slopes(places, numbers)[1] * root[:, None], left * root, rcond=None)[0]
        numbers = numbers - step
        if np.abs(step).max() < 1e-12:
            break
    return numbers
