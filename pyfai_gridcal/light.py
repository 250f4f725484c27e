"""The light behind the plate, as the spots themselves see it: amplitude and background as smooth functions of the
place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ._typing import AnyArray, Floats
from .spots import Polarity

__all__ = ["Light", "light_of"]


@dataclass(frozen=True, eq=False)
class Light:
    """Amplitude and background that the neighbourhood expects of N spots.

    Attributes
    ----------
    amplitude, background : (N,) counts, holes positive
    amplitude_sigma, background_sigma : how far single spots scatter around them, counts
    slope_a, slope_b : (N, 2) relative gradients along (y, x), per px
    """

    amplitude: Floats
    background: Floats
    amplitude_sigma: float
    background_sigma: float
    slope_a: Floats
    slope_b: Floats


def light_of(
    yx: Floats, amplitude: Floats, background: Floats, *, at: Floats, spacing: float, polarity: Polarity
) -> Light:
    """Smooth fields through the amplitudes and backgrounds of good spots, evaluated at other places.

    Parameters
    ----------
    yx, amplitude, background : (M, 2), (M,), (M,) of whole spots, px and counts (holes positive)
    at : (N, 2) where the light is wanted, px
    spacing : distance of neighbouring spots, px: the fields are smooth over some three of them
    polarity : dark dots absorb a share of the light, so their amplitude follows the background; bright holes have
        their own
    """
    value_a, gradient_a, spread_a = _smooth(yx, amplitude, at, spacing)
    value_b, gradient_b, spread_b = _smooth(yx, background, at, spacing)
    least = 0.2 * float(np.median(amplitude))
    slope_b = gradient_b / np.copysign(np.maximum(np.abs(value_b), 1e-6), value_b)[:, None]
    slope_a = gradient_a / np.maximum(value_a, least)[:, None] if polarity == "bright" else slope_b
    return Light(
        np.maximum(value_a, least), value_b, spread_a, spread_b, np.clip(slope_a, -0.05, 0.05), np.clip(slope_b, -1, 1)
    )


def _smooth(yx: Floats, values: Floats, at: Floats, cell: float) -> tuple[Floats, Floats, float]:
    """Value (N,), gradient (N, 2) per px and robust scatter of a Gaussian-weighted local linear fit on a raster of
    cells."""
    typical = np.median(values)
    spread = 1.4826 * float(np.median(np.abs(values - typical))) + 1e-12
    clean = np.clip(values, typical - 8 * spread, typical + 8 * spread) - typical
    low = np.minimum(yx.min(axis=0), at.min(axis=0)) - 4 * cell
    size = np.ceil((np.maximum(yx.max(axis=0), at.max(axis=0)) - low) / cell).astype(int) + 5
    k = (yx - low) / cell
    flat = np.rint(k).astype(int) @ np.array([size[1], 1])
    y, x = k[:, 0], k[:, 1]
    ones = np.ones(len(y))
    sums = {
        "1": ones,
        "y": y,
        "x": x,
        "yy": y * y,
        "xx": x * x,
        "yx": y * x,
        "v": clean,
        "vy": clean * y,
        "vx": clean * x,
    }
    rasters = {}
    for name, v in sums.items():
        raster = np.bincount(flat, weights=v, minlength=int(size[0] * size[1])).reshape(size)
        # the wide tail serves places with few spots around; it does not count where there are many
        rasters[name] = ndimage.gaussian_filter(raster, 1.0, truncate=4) + 1e-3 * ndimage.gaussian_filter(raster, 3.0)

    def evaluate(places: AnyArray) -> tuple[Floats, Floats]:
        p = (places - low) / cell
        near = tuple(np.rint(p).astype(int).T)
        weight = np.maximum(rasters["1"][near], 1e-12)
        m = {name: rasters[name][near] / weight for name in rasters}
        ridge = 0.05
        cyy, cxx = m["yy"] - m["y"] ** 2 + ridge, m["xx"] - m["x"] ** 2 + ridge
        cyx = m["yx"] - m["y"] * m["x"]
        cvy, cvx = m["vy"] - m["v"] * m["y"], m["vx"] - m["v"] * m["x"]
        det = cyy * cxx - cyx**2
        slope = np.stack([(cxx * cvy - cyx * cvx) / det, (cyy * cvx - cyx * cvy) / det], axis=1)
        value = m["v"] + slope[:, 0] * (p[:, 0] - m["y"]) + slope[:, 1] * (p[:, 1] - m["x"])
        return value + typical, slope / cell

    own, _ = evaluate(yx)
    scatter = 1.4826 * float(np.median(np.abs(values - own))) + 1e-9 * abs(typical) + 1e-12
    value, gradient = evaluate(at)
    return value, gradient, 1.3 * scatter
