"""Distortion <-> pyFAI detector, in memory.

The detector is a plain one with pixel corners, never of a class of our own: every pyFAI reads it without this package.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...base.arrays import AnyArray, Bools
from ...base.errors import FileFormatError
from ...base.frames import CORNERS
from ...base.threads import processors
from ...records.distortion import Distortion
from .groups import detector_nodes, distortion_of_corners

if TYPE_CHECKING:
    from pyFAI.detectors import Detector

__all__ = ["check_detector", "from_detector", "preload", "to_detector"]

_BLOCK = 16  # rows at a time, for the sake of the cache
_LARGE = 1 << 25  # bytes of corners from which on it takes two threads
_CLOSE_PX = 1e-3  # what a detector read back may differ from what was written


@cache
def preload() -> threading.Thread:
    """Import pyFAI's detectors in the background (more than a second), to have them when they are needed; the same
    thread however often it is asked for."""

    def fetch() -> None:
        import pyFAI.detectors  # noqa: F401

    thread = threading.Thread(target=fetch, name="import of pyFAI.detectors", daemon=True)
    thread.start()
    return thread


def corners_of_nodes(nodes: AnyArray) -> AnyArray:
    """Pixel corners (ny, nx, 4, 3) in pyFAI's form from what :func:`~pyfai_gridcal.io.nexus.groups.detector_nodes`
    returns."""
    tiled = nodes.ndim == 4
    ny, nx = nodes.shape[:2] if tiled else (nodes.shape[0] - 1, nodes.shape[1] - 1)
    corners = np.empty((ny, nx, 4, 3), np.float32)

    def fill(start: int) -> None:
        stop = min(ny, start + _BLOCK)
        corners[start:stop, ..., 0] = 0
        for corner, (down, right) in enumerate(CORNERS):
            part = nodes[start:stop, :, corner] if tiled else nodes[start + down : stop + down, right : nx + right]
            for axis in (0, 1):  # one at a time: pairs are copied one by one
                corners[start:stop, :, corner, 1 + axis] = part[..., axis]

    starts = range(0, ny, _BLOCK)
    if corners.nbytes < _LARGE:
        for start in starts:
            fill(start)
    else:  # the time goes into new pages of memory, which two threads get in half of it
        with ThreadPoolExecutor(min(2, processors())) as pool:
            list(pool.map(fill, starts))
    return corners


def to_detector(distortion: Distortion, *, name: str = "calibrated") -> Detector:
    """A pyFAI detector with this distortion: corners in metres, orientation 3, always with a mask.

    It is what pyFAI makes of a detector file, without the file, so that it can be copied and saved. A PONI file names
    a detector by its file:
    one that is written from a detector in memory cannot be read again, so save the detector first
    (:func:`~pyfai_gridcal.io.nexus.result.save_result`) and take the file.
    """
    from pyFAI.detectors import NexusDetector

    nodes = detector_nodes(distortion)
    detector = NexusDetector(orientation=3)  # a plain Detector forgets that it is distorted when it is copied
    detector.aliases = [name]
    detector._pixel1, detector._pixel2 = distortion.pixel_size
    detector.max_shape = detector.shape = distortion.shape
    detector._binning = (1, 1)
    detector.set_pixel_corners(corners_of_nodes(nodes))
    detector.uniform_pixel = False
    detector.IS_CONTIGUOUS = nodes.ndim == 3
    mask = np.zeros(distortion.shape, bool) if distortion.mask is None else distortion.mask
    detector.mask = mask.astype(np.int8)
    return detector


def from_detector(detector: Detector) -> Distortion:
    """The distortion of any flat pyFAI detector of quadrilateral pixels, relative to its own pixel size.

    Raises
    ------
    FileFormatError
        Not flat, hexagonal pixels, no shape, or an orientation other than 3 (pyFAI does not treat the others alike
        everywhere).
    """
    what = f"detector {detector.name}"
    orientation = int(detector.orientation)
    if orientation not in (0, 3):
        raise FileFormatError(f"{what} has orientation {orientation}", expected="orientation 3")
    if not detector.shape:
        raise FileFormatError(f"{what} has no shape", expected="max_shape=(slow, fast)")
    if detector.pixel1 is None or detector.pixel2 is None:
        raise FileFormatError(f"{what} has no pixel size")
    corners = np.asarray(detector.get_pixel_corners(correct_binning=True))
    size = float(detector.pixel1), float(detector.pixel2)
    mask = detector.mask
    if mask is not None and np.shape(mask) != corners.shape[:2]:
        mask = None
    return distortion_of_corners(corners, size, mask, gauge=f"as in {detector.name}", what=what)


def check_detector(
    path: str | PathLike[str], nodes: AnyArray, pixel_size: tuple[float, float], mask: Bools | None
) -> None:
    """Read a detector file with pyFAI and compare it with what it should be.

    Parameters
    ----------
    path : file
    nodes : what :func:`~pyfai_gridcal.io.nexus.groups.detector_nodes` returned
    pixel_size : (slow, fast) metres
    mask : (ny, nx), or None for a detector without bad pixels

    Raises
    ------
    FileFormatError
        pyFAI does not read it, or reads something else.
    """
    from pyFAI.detectors import NexusDetector

    try:
        got: Any = NexusDetector(str(Path(path)))
    except Exception as error:
        raise FileFormatError(f"pyFAI cannot read back what was written ({type(error).__name__}: {error})") from error
    trouble = []
    shared = int(nodes.ndim == 3)
    shape = nodes.shape[0] - shared, nodes.shape[1] - shared
    if tuple(got.shape) != shape:
        trouble.append(f"shape {got.shape}, not {shape}")
    elif (far := _farthest(got.get_pixel_corners(), nodes, pixel_size)) > _CLOSE_PX:
        trouble.append(f"corners off by {far:.2g} px")
    expected = np.zeros(shape, bool) if mask is None else mask
    if got.mask is None or not np.array_equal(np.asarray(got.mask) != 0, expected):
        trouble.append("another mask")
    if int(got.orientation) != 3:
        trouble.append(f"orientation {int(got.orientation)}")
    if not np.allclose((got.pixel1, got.pixel2), pixel_size, rtol=1e-12, atol=0):
        trouble.append(f"pixel size {got.pixel1}, {got.pixel2} m")
    if trouble:
        raise FileFormatError(f"pyFAI reads back {'; '.join(trouble)}", hint="the file was not put in place")


def _farthest(corners: AnyArray, nodes: AnyArray, pixel_size: tuple[float, float]) -> float:
    """Largest difference of a coordinate, px; NaN in both is no difference."""
    tiled = nodes.ndim == 4
    if corners.shape != (len(nodes) - (not tiled), nodes.shape[1] - (not tiled), 4, 3):
        return float("inf")
    far = 0.0
    for start in range(0, len(corners), 64):  # small parts stay in the cache
        got = corners[start : start + 64]
        true = corners_of_nodes(nodes[start : start + len(got) + (not tiled)])
        if np.array_equal(got, true):
            continue
        gap = np.abs(got - true)
        gap[np.isnan(got) & np.isnan(true)] = 0
        worst = gap.max(axis=(0, 1, 2)) / (min(pixel_size), *pixel_size)
        far = max(far, float(np.nan_to_num(worst, nan=np.inf).max()))
    return far
