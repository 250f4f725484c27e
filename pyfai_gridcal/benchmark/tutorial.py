"""The procedure of pyFAI's tutorial "CCD calibration", to compare with.

It is what many people do by hand in a notebook: convolution with a disk, watershed, a threshold from a histogram,
second-order peaks, neighbours from the matrix of all distances, an affine grid, cubic interpolation of the rest. Its
numbers (size of the kernel, threshold, range of distances) are set by a person who looks at pictures; here they are
given, and well. The matrix of distances is made in blocks of rows where it would not fit into memory: the same
arithmetic, and memory that the procedure does not really have.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..base.arrays import AnyArray, Bools, Floats, Ints

if TYPE_CHECKING:
    from pyFAI.detectors import Detector


Say = Callable[[str], None]

#: Bytes that the matrix of distances may take.
MATRIX_LIMIT = 2 * 2**30


@dataclass(frozen=True)
class HandSet:
    """What the tutorial reads off pictures and histograms.

    Attributes
    ----------
    kernel : side of the disk, px, odd
    threshold : counts of the convolved image above which a region is a spot
    near, far : range of distances of first neighbours, px
    centre : (y, x) px, near which the origin is chosen
    pitch_m : distance of the holes, metres
    """

    kernel: int
    threshold: float
    near: float
    far: float
    centre: tuple[float, float]
    pitch_m: float


@dataclass(frozen=True, eq=False)
class TutorialResult:
    """What comes out.

    Attributes
    ----------
    yx : (N, 2) spots, px
    ij : (N, 2) their indices
    detector : pyFAI detector
    matrix_bytes : of the matrix of all distances, whether it was made or not
    """

    yx: Floats
    ij: AnyArray
    detector: Detector
    matrix_bytes: int


def tutorial(image: AnyArray, hand: HandSet, say: Say = lambda name: None) -> TutorialResult:
    """Run the procedure, saying the name of each stage when it begins."""
    say("convolution")
    smooth = _convolved(image, hand.kernel)
    say("watershed")
    peaks = _regions(smooth, hand)
    say("second-order peaks")
    yx = _refined(smooth, peaks)
    say("neighbours")
    axes, origin = _axes(yx, hand)
    say("affine grid")
    fitted = _optimised(yx, origin, axes)
    cells = _cells(fitted, yx)
    ideal = fitted[:2] + np.rint(cells) @ fitted[2:].reshape(2, 2)
    say("interpolation")
    dy, dx, unknown = _interpolated(yx, ideal - yx, image.shape)
    say("detector")
    detector = _detector(dy, dx, unknown, fitted[2:].reshape(2, 2), hand.pitch_m)
    return TutorialResult(yx, np.rint(cells).astype(np.int64), detector, 8 * len(yx) ** 2)


def disk(size: int) -> Floats:
    """Normalised disk in a square of that odd side."""
    half = (size - 1) // 2
    y, x = np.ogrid[-half : half + 1, -half : half + 1]
    inside: Floats = (y * y + x * x <= (half + 0.5) ** 2).astype(float)
    return inside / inside.sum()


def _convolved(image: AnyArray, size: int) -> AnyArray:
    from scipy.signal import convolve2d

    return np.asarray(convolve2d(image.astype(float), disk(size), mode="same"))


def _regions(smooth: AnyArray, hand: HandSet) -> list[tuple[int, int]]:
    """Highest pixels of the regions that are large and bright enough."""
    from pyFAI.ext.watershed import InverseWatershed

    flood = InverseWatershed(smooth.astype(np.float32))
    flood.init()
    flood.merge_singleton()
    smallest = np.count_nonzero(disk(hand.kernel))
    width = smooth.shape[1]
    return [
        divmod(region.index, width)
        for region in set(flood.regions.values())
        if region.size > smallest and region.maxi > hand.threshold
    ]


def _refined(smooth: AnyArray, peaks: list[tuple[int, int]]) -> Floats:
    from pyFAI.ext.bilinear import Bilinear

    surface = Bilinear(smooth.astype(np.float32))
    return np.array([surface.local_maxi(peak) for peak in peaks], dtype=float).reshape(-1, 2)


def _axes(yx: Floats, hand: HandSet) -> tuple[Floats, Floats]:
    """Mean vectors (2, 2) to the neighbours along fast and slow, and the origin; from spots with four neighbours."""
    fast, slow, centres = [], [], []
    for k, others in _neighbours(yx, hand):
        if len(others) != 4:
            continue
        away = yx[others] - yx[k]
        centres.append(yx[k])
        fast.append(away[np.argmax(away[:, 1])])
        slow.append(away[np.argmax(away[:, 0])])
    if not centres:
        raise ValueError("no spot has four neighbours in the range of distances")
    middle = np.array(centres)
    origin = middle[np.argmin(((middle - hand.centre) ** 2).sum(axis=1))]
    return np.array([np.mean(slow, axis=0), np.mean(fast, axis=0)]), origin


def _neighbours(yx: Floats, hand: HandSet) -> Iterator[tuple[int, Ints]]:
    """(number of a spot, numbers of its neighbours), from the distances of all to all."""
    distances = _distances()
    rows = len(yx) if 8 * len(yx) ** 2 <= MATRIX_LIMIT else max(1, MATRIX_LIMIT // (32 * len(yx)))
    for start in range(0, len(yx), rows):
        distance = distances(yx[start : start + rows], yx)
        near: Bools = (distance > hand.near) & (distance < hand.far)
        for k, row in enumerate(near):
            yield start + k, np.flatnonzero(row)


def _distances() -> Callable[[Floats, Floats], Floats]:
    """The notebook's way to the distances, which scipy has until 1.19; from then on `cdist`, an eighth of the time."""
    with warnings.catch_warnings(action="ignore"):
        try:
            from scipy.spatial import distance_matrix
        except ImportError:
            from scipy.spatial.distance import cdist

            return cdist

    def distances(a: Floats, b: Floats) -> Floats:
        with warnings.catch_warnings(action="ignore"):
            return np.asarray(distance_matrix(a, b))

    return distances


def _cells(parameters: Floats, yx: Floats) -> Floats:
    """Position in units of the grid, (along slow, along fast)."""
    return np.asarray((yx - parameters[:2]) @ np.linalg.inv(parameters[2:].reshape(2, 2)))


def _optimised(yx: Floats, origin: Floats, axes: Floats) -> Floats:
    """Origin and axes for which the positions are nearest to whole numbers."""
    from scipy.optimize import minimize

    def misplaced(parameters: Floats) -> float:
        cells = _cells(parameters, yx)
        return float(((cells - np.rint(cells)) ** 2).sum())

    return np.asarray(minimize(misplaced, np.concatenate([origin, axes.ravel()])).x)


def _interpolated(yx: Floats, delta: Floats, shape: tuple[int, ...]) -> tuple[Floats, Floats, Bools]:
    """Displacement at whole numbers 0 to n, and where it is not known; filled with the nearest value there."""
    from scipy.interpolate import griddata
    from scipy.ndimage import distance_transform_edt

    nodes = tuple(np.mgrid[0 : shape[0] + 1, 0 : shape[1] + 1])
    out = []
    for k in range(2):
        values = griddata(yx, delta[:, k], nodes, method="cubic")
        unknown = np.isnan(values)
        nearest = distance_transform_edt(unknown, return_distances=False, return_indices=True)
        out.append(values[tuple(nearest)])
    return out[0], out[1], unknown


def _detector(dy: Floats, dx: Floats, unknown: Bools, axes: Floats, pitch_m: float) -> Detector:
    from pyFAI.detectors import Detector

    # Both axes are one pitch long: p1^2 axis_y^2 + p2^2 axis_x^2 = pitch^2, for two unknown squares.
    square = np.linalg.solve(axes**2, np.full(2, pitch_m**2))
    detector = Detector(*(float(p) for p in np.sqrt(square)), orientation=3)
    shape = dy.shape[0] - 1, dy.shape[1] - 1
    detector.max_shape = detector.shape = shape
    detector.set_dx(dx)
    detector.set_dy(dy)
    detector.mask = unknown[: shape[0], : shape[1]].astype(np.int8)
    return detector
