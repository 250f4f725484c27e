"""Pictures of a calibration: functions that draw on a matplotlib ``Axes``.

Each takes the records it shows, `ax` (a new one when omitted) and returns the ``Axes``, so that a caller can go on with
it. Positions are drawn in the index frame (the centre of the first pixel is at 0), slow upwards and fast to the right,
as pyFAI shows its images.
"""

from __future__ import annotations

from .accessor import Plots
from .maps import before_after, displacement, image, sigma, spots, vectors
from .quality import (
    contrast,
    held_out,
    pulls,
    residual_against_sigma,
    residual_directions,
    residual_histogram,
    residuals,
    subpixel_bias,
)

__all__ = [
    "Plots",
    "before_after",
    "contrast",
    "displacement",
    "held_out",
    "image",
    "pulls",
    "residual_against_sigma",
    "residual_directions",
    "residual_histogram",
    "residuals",
    "sigma",
    "spots",
    "subpixel_bias",
    "vectors",
]
