"""Other programs on the same images, where they are installed; as their manuals show it, with default settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..base.arrays import AnyArray, Floats
from ..base.frames import raster_places
from ..records.distortion import Distortion

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class ForeignResult:
    """What another program found.

    Attributes
    ----------
    yx : (N, 2) spots, px
    distortion : None where it gives none
    note : what is to be known about it
    """

    yx: Floats
    distortion: Distortion | None = None
    note: str = ""

    @property
    def sigma_yx(self) -> Floats:
        """(N, 2) NaN: other programs do not tell how well they know their spots."""
        return np.full_like(self.yx, np.nan)

    def __len__(self) -> int:
        return len(self.yx)


@dataclass(frozen=True)
class _Radial:
    """discorpy's backward model, as a displacement of observed points: distorted = factor(ideal radius) * ideal."""

    centre: tuple[float, float]
    factors: tuple[float, ...]

    def at(self, yx: AnyArray) -> Floats:
        away = np.asarray(yx, float).reshape(-1, 2) - self.centre
        observed = np.hypot(*away.T)
        ideal = observed.copy()
        for _ in range(30):
            ideal = observed / np.polynomial.polynomial.polyval(ideal, self.factors)
        return np.asarray(away * (ideal / np.maximum(observed, 1e-9) - 1)[:, None])

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        grid = raster_places(y, x)
        return self.at(grid.reshape(-1, 2)).reshape(grid.shape)


def discorpy_dots(image: AnyArray, dark: bool, pixel: tuple[float, float], say: Say) -> ForeignResult:
    """Spots and radial model by discorpy, with the steps of its first demonstration."""
    import discorpy.prep.preprocessing as prep
    import discorpy.proc.processing as proc

    say("dots")
    flat = image.astype(np.float32)
    if dark:
        flat = float(flat.max()) - flat
    binary = prep.binarization(flat)
    size, distance = prep.calc_size_distance(binary)
    binary = prep.select_dots_based_ratio(prep.select_dots_based_size(binary, size))
    say("lines")
    slopes = prep.calc_hor_slope(binary), prep.calc_ver_slope(binary)
    rows = prep.group_dots_hor_lines(binary, slopes[0], distance)
    columns = prep.group_dots_ver_lines(binary, slopes[1], distance)
    rows = prep.remove_residual_dots_hor(rows, slopes[0])
    columns = prep.remove_residual_dots_ver(columns, slopes[1])
    yx = np.concatenate([np.asarray(line, float) for line in rows])
    say("model")
    # In single precision, its search for the centre stands still.
    rows, columns = ([np.asarray(line, np.float64) for line in lines] for lines in (rows, columns))
    xc, yc = proc.find_cod_coarse(rows, columns)
    factors = proc.calc_coef_backward(rows, columns, xc, yc, 5)
    field = _Radial((float(yc), float(xc)), tuple(float(f) for f in factors))
    shape = image.shape[0], image.shape[1]
    distortion = Distortion(field, shape, pixel, gauge="discorpy")
    return ForeignResult(yx, distortion, "radial; no scale: compared with the best one")


def opencv_circles(image: AnyArray, dark: bool, pattern: tuple[int, int], say: Say) -> ForeignResult:
    """Spots by OpenCV: ``findCirclesGrid`` with its blob detector, which must be told rows and columns."""
    import cv2

    say("blobs")
    low, high = np.percentile(image, (1, 99.9))
    grey = np.clip(255 * (image.astype(np.float32) - low) / (high - low), 0, 255).astype(np.uint8)
    if not dark:
        grey = 255 - grey
    settings: Any = cv2.SimpleBlobDetector_Params()
    settings.minArea, settings.maxArea = 4.0, 1e4
    settings.minDistBetweenBlobs = 4.0
    detector = cv2.SimpleBlobDetector_create(settings)
    blobs = np.array([p.pt[::-1] for p in detector.detect(grey)], float).reshape(-1, 2)
    say("grid")
    good, centres = cv2.findCirclesGrid(grey, pattern[::-1], flags=cv2.CALIB_CB_SYMMETRIC_GRID, blobDetector=detector)
    if not good:
        return ForeignResult(blobs, None, f"blobs only; no grid of {pattern[0]} x {pattern[1]} found")
    return ForeignResult(np.asarray(centres, float).reshape(-1, 2)[:, ::-1], None, "spots only")


def best_scaled(distortion: Distortion, truth: Distortion, *, step: int = 20) -> Distortion:
    """The distortion with the one pixel size for which it agrees best with the truth, for programs without a scale."""
    axes = [np.arange(0, n, step, dtype=float) for n in truth.shape]
    base = raster_places(*axes)
    got = ((base + distortion.field.on_grid(*axes)) * distortion.pixel_size).reshape(-1, 2)
    true = ((base + truth.field.on_grid(*axes)) * truth.pixel_size).reshape(-1, 2)
    spread = [float(np.sqrt(((p - p.mean(axis=0)) ** 2).sum())) for p in (true, got)]
    scale = spread[0] / spread[1]
    return replace(distortion, pixel_size=(scale * distortion.pixel_size[0], scale * distortion.pixel_size[1]))
