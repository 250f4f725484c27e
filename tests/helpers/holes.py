"""Pictures of blurred disks with known places, light and noise, and what a fit of them starts from."""

from __future__ import annotations

import numpy as np
from scipy.special import erfc

from pyfai_gridcal.finding.holes.model import SpotState, start_from
from pyfai_gridcal.finding.holes.windows import PreparedImage
from pyfai_gridcal.records.spots import HoleProfile, Polarity

RADIUS, BLUR, REACH, SHAPE = 3.4, 1.1, 8, (190, 260)
NOISE = 4.0


def lattice(pitch: tuple[float, float] = (20.3, 23.7), seed: int = 0) -> np.ndarray:
    """Places (N, 2) of holes, off their nodes by some tenths of a pixel."""
    y, x = (np.arange(14.0, n - 13, step) for n, step in zip(SHAPE, pitch, strict=True))
    yx = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
    return yx + np.random.default_rng(seed).uniform(-0.5, 0.5, yx.shape)


def _hole(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return 0.5 * erfc((np.hypot(y, x) - RADIUS) / (np.sqrt(2) * BLUR))


def picture(yx: np.ndarray, *, polarity: Polarity = "bright", slope: float = 0.0, seed: int = 1) -> np.ndarray:
    """Holes of 1000 counts on a ground of 300 that rises by `slope` counts per px along x."""
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    hole = np.zeros(SHAPE)
    for a, b in yx:  # nothing is left of one as far off as ten times its blur
        here = tuple(slice(max(0, int(c) - 15), int(c) + 17) for c in (a, b))
        hole[here] += _hole(y[here[0]] - a, x[:, here[1]] - b)
    sign = 1 if polarity == "bright" else -1
    ground = 300 + slope * x + (0 if sign > 0 else 1200)
    return ground + sign * 1000 * hole + np.random.default_rng(seed).normal(0, NOISE, SHAPE)


def profile() -> HoleProfile:
    offset = np.arange(-4 * (REACH + 1), 4 * (REACH + 1) + 1) / 4
    return HoleProfile(_hole(offset[:, None], offset), 4)


def started(yx: np.ndarray, **options: object) -> tuple[PreparedImage, SpotState]:
    """The picture of holes at `yx`, and spots that start some tenths of a pixel off."""
    prepared = PreparedImage(picture(yx, **options), None, options.get("polarity", "bright"))  # type: ignore[arg-type]
    off = np.random.default_rng(5).uniform(-0.6, 0.6, yx.shape)
    return prepared, start_from(prepared, yx + off, REACH, RADIUS)
