"""The light behind the plate, as the spots themselves see it: amplitude and background as smooth functions of the
place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...base.arrays import Floats
from ...base.robust import cauchy_weights
from ...records.spots import Polarity
from .smoothing import LocalLines, smoothed

#: Relative gradients of the light that are believed at most, per px: steeper light makes no hole that can be measured.
STEEPEST = 0.3
#: Share of the usual amplitude below which light is taken for noise.
_LEAST_LIGHT = 0.2
#: The dark level is told where light is uneven by so much and makes amplitude and background alike to this correlation.
_UNEVEN, _ALIKE = 0.03, 0.97


@dataclass(frozen=True, eq=False)
class LocalLight:
    """Amplitude and background that the neighbourhood expects of N spots.

    Attributes
    ----------
    amplitude, background : (N,) counts, holes positive
    amplitude_sigma, background_sigma : (N,) and one number: how far single spots scatter around them, counts
    slope_a, slope_b : (N, 2) relative gradients along (y, x), per px
    dark : what pixels read without light, counts; 0 where the spots do not tell
    """

    amplitude: Floats
    background: Floats
    amplitude_sigma: Floats | float
    background_sigma: float
    slope_a: Floats
    slope_b: Floats
    dark: float = 0.0


def light_of(
    yx: Floats, amplitude: Floats, background: Floats, *, at: Floats, spacing: float, polarity: Polarity
) -> LocalLight:
    """Smooth fields through the amplitudes and backgrounds of good spots, evaluated at other places.

    Parameters
    ----------
    yx, amplitude, background : (M, 2), (M,), (M,) of whole spots, px and counts (holes positive)
    at : (N, 2) where the light is wanted, px
    spacing : distance of neighbouring spots, px: the fields are smooth over some three of them
    polarity : dark dots absorb a share of the light, so their amplitude follows the background; bright holes have
        their own
    """
    # both fields come from the same spots, so the moments of these are summed up once
    lines = LocalLines(yx, at, spacing)
    value_b, gradient_b, spread_b = smoothed(lines, background)
    if polarity == "dark":
        slope = gradient_b / _away_from_0(value_b)[:, None]
        value_a, _, spread_a = smoothed(lines, amplitude)
        least = _LEAST_LIGHT * float(np.median(amplitude))
        return LocalLight(
            np.maximum(value_a, least), value_b, spread_a, spread_b, np.clip(slope, -0.05, 0.05), np.clip(slope, -1, 1)
        )
    # Light multiplies: what falls off as a beam does is a parabola as a logarithm, and never below nothing.
    level = np.log(np.maximum(amplitude, 1e-3 * float(np.median(amplitude))))
    value, slope, scatter = smoothed(lines, level)
    value_a = np.exp(np.clip(value, level.min() - 1, level.max() + 0.5))
    slope = np.clip(slope, -STEEPEST, STEEPEST)
    # the ground is lit by the same light, but for what pixels read without any
    told = _ground_line(amplitude, background, (scatter * float(np.median(amplitude)), spread_b))
    if told is None:
        ground = np.clip(gradient_b / _away_from_0(value_b)[:, None], -1, 1)
        return LocalLight(value_a, value_b, scatter * value_a, spread_b, slope, ground)
    dark, share = told
    value_b = dark + share * value_a
    return LocalLight(
        value_a, value_b, scatter * value_a, spread_b, slope, slope * lit_share(value_b, dark)[:, None], dark
    )


def lit_share(background: Floats, dark: float) -> Floats:
    """Part of the backgrounds (N,), counts, that is light and not the dark level."""
    return np.clip(1 - dark / _away_from_0(background), -1.0, 1.0)


def _away_from_0(values: Floats) -> Floats:
    return np.copysign(np.maximum(np.abs(values), 1e-6), values)


def _ground_line(amplitude: Floats, background: Floats, noise: tuple[float, float]) -> tuple[float, float] | None:
    """What a pixel reads without light, counts, and the part of an amplitude that shines through the plate: a robust
    line through amplitudes and backgrounds, whose `noise` is known; None unless light makes both alike."""
    weight = np.ones(len(amplitude))
    ratio = (noise[1] / noise[0]) ** 2
    for _ in range(5):
        middle = [float(np.average(v, weights=weight)) for v in (amplitude, background)]
        a, b = amplitude - middle[0], background - middle[1]
        aa, bb, ab = (float(np.average(v, weights=weight)) for v in (a * a, b * b, a * b))
        if ab <= _ALIKE * np.sqrt(aa * bb) or aa <= (_UNEVEN * middle[0]) ** 2:
            return None
        # both have noise (W. E. Deming): a plain regression would find too small a slope, and too high a level
        lead = bb - ratio * aa
        slope = (lead + np.sqrt(lead**2 + 4 * ratio * ab**2)) / (2 * ab)
        weight = cauchy_weights(np.abs(b - slope * a))
    return middle[1] - slope * middle[0], float(slope)
