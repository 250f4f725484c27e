"""Whether a grid looks oblong because a camera sees it from the side.

A tilted plane is shortened along one direction and grows narrower along the same one; a grid whose pitches are not what
was told is longer along one direction, and as wide everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..base.arrays import Floats
from ..records.fit import DistortionFit
from ..records.plate import Plate
from ..records.points import ControlPoints

__all__ = ["Tilt", "tilt_words", "tilted_view"]

#: Distances of a camera, in diagonals of its sensor behind the lens: a lens of less has a field of 90 degrees, and of
#: one of more the two sides of a plate look alike.
_NEAREST, _FARTHEST = 0.5, 10.0
#: Part of an anisotropy that a tilt may leave, if it is to explain it: chance puts the direction in which a grid grows
#: narrower so near to that in which it is shortened once in twelve times.
_LEFT = 0.25
#: Smallest anisotropy that is worth an explanation: a plate that leans by 14 degrees.
_LEAST = 1.03
#: So many points tell eight numbers.
_ENOUGH = 4000


@dataclass(frozen=True)
class Tilt:
    """A view from the side.

    Attributes
    ----------
    angle_deg : between the plate and the sensor
    anisotropy : ratio of the longer and shorter direction of the grid that it does not explain, 1 or more
    """

    angle_deg: float
    anisotropy: float


def tilted_view(
    points: ControlPoints, plate: Plate, shape: tuple[int, int], pixel_size: tuple[float, float] = (1.0, 1.0)
) -> Tilt | None:
    """The tilt that explains why a grid is longer along one direction, if one does.

    A homography is fitted to the points; with the axis through the middle of the image, its columns (a, k) of a grid
    with two equal pitches at right angles obey a_i . a_j + f² k_i k_j = s delta_ij, f being the distance of the lens
    from the sensor [1]_. These are two equations for f².

    Parameters
    ----------
    shape : (slow, fast) of the image
    pixel_size : in any unit; equal ones if pixels may be taken for square

    References
    ----------
    .. [1] Z. Zhang, IEEE Trans. Pattern Anal. Mach. Intell. 22 (2000) 1330.
    """
    points = points.select(np.arange(0, len(points), len(points) // _ENOUGH + 1))
    diagonal = float(np.hypot(*np.multiply(shape, pixel_size)))
    seen = (points.yx - (np.array(shape) - 1) / 2) * pixel_size / diagonal
    node = plate.positions(points.ij)
    node = (node - node.mean(axis=0)) / float(np.ptp(node))
    # seen (1 + k . node) = a node + shift is linear in all eight numbers
    one, none = np.column_stack([node, np.ones(len(node))]), np.zeros((len(node), 3))
    rows = [np.column_stack([*pair, -seen[:, [axis]] * node]) for axis, pair in enumerate([(one, none), (none, one)])]
    found = np.linalg.lstsq(np.concatenate(rows), seen.T.ravel())[0]
    a, k = found[:6].reshape(2, 3)[:, :2], found[6:]
    # what is not isotropic, of both, as vectors
    square, turn = a.T @ a, np.outer(k, k)
    uneven, grows = (np.array([(m[0, 0] - m[1, 1]) / 2, m[0, 1]]) for m in (square, turn))
    distance2 = -float(uneven @ grows) / max(float(grows @ grows), 1e-30)
    if not _NEAREST**2 < distance2 < _FARTHEST**2:
        return None
    before, left = (_anisotropy(m) for m in (square, square + distance2 * turn))
    if before < _LEAST or left - 1 > _LEFT * (before - 1):
        return None
    first, second = np.column_stack([a.T / np.sqrt(distance2), k])
    normal = np.cross(first, second)
    return Tilt(float(np.degrees(np.arccos(abs(normal[2]) / np.linalg.norm(normal)))), left)


def _anisotropy(square: Floats) -> float:
    low, high = np.linalg.eigvalsh(square)
    return float(np.sqrt(high / max(low, 1e-30)))


def tilt_words(fit: DistortionFit, pixel_size: tuple[float, float] = (1.0, 1.0)) -> Iterator[str]:
    """What is to be said of the exposures that look tilted."""
    for points in fit.points:
        tilt = tilted_view(points, fit.plate, fit.distortion.shape, pixel_size)
        if tilt is not None:
            yield (
                f"the grid looks like one that a camera sees from the side, by {tilt.angle_deg:.0f}°: places are those "
                "in the plane of the plate"
            )
