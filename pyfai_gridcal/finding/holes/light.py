"""The light behind the plate, as the spots themselves see it: amplitude and background as smooth functions of the
place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...base.arrays import Floats, largest_of
from ...base.robust import cauchy_weights
from ...records.spots import Polarity
from .smoothing import LocalLines, SmoothField, smoothed

#: Relative gradients of the light that are believed at most, per px: steeper light makes no hole that can be measured.
STEEPEST = 0.3
#: Share of the usual amplitude below which light is taken for noise.
_LEAST_LIGHT = 0.2
#: The dark level is told where light is uneven by so much and makes amplitude and background alike to this correlation.
_UNEVEN, _ALIKE = 0.03, 0.97
#: Spots that say so by chance; and how many times more than the light on the holes a ground climbs that has light of
#: its own. Contrast that varies with the place, by blur or size, makes it seem so, too: 99 % of the dots of photographs
#: stay below 1.8.
_FEW, _TWICE = 9, 2.0


@dataclass(frozen=True, eq=False)
class LocalLight:
    """Amplitude and background that the neighbourhood expects of N spots.

    Attributes
    ----------
    amplitude, background : (N,) counts, holes positive
    amplitude_sigma, background_sigma : (N,) and one number: how far single spots scatter around them, counts
    slope_a, slope_b : (N, 2) relative gradients along (y, x), per px
    unsure : (N,) how far the first may be off
    dark : what pixels read without light, counts; 0 where the spots do not tell, None where the ground has light of its
        own
    """

    amplitude: Floats
    background: Floats
    amplitude_sigma: Floats | float
    background_sigma: float
    slope_a: Floats
    slope_b: Floats
    unsure: Floats
    dark: float | None = 0.0


@dataclass(frozen=True, eq=False)
class Light:
    """Smooth fields through the amplitudes and backgrounds of good spots.

    Attributes
    ----------
    level : amplitude of dark dots, of bright holes its logarithm
    ground : background
    limits : least and largest value of the `level` that is believed
    line : what a pixel reads without light, counts, and the part of an amplitude that shines through the plate, of
        bright holes whose ground is lit by the same light; else None
    own : whether the ground has light of its own
    polarity : dark dots absorb a share of the light, so their amplitude follows the background; bright holes have
        their own
    """

    level: SmoothField
    ground: SmoothField
    limits: tuple[float, float]
    line: tuple[float, float] | None
    own: bool
    polarity: Polarity

    def at(self, yx: Floats) -> LocalLight:
        """What is expected at places (N, 2) px."""
        slope, turned = self.level.gradient(yx)
        unsure = largest_of(turned)
        value, scatter = np.clip(self.level.value(yx), *self.limits), self.level.scatter
        if self.line is None:
            value_b, gradient_b = self.ground.value(yx), self.ground.gradient(yx)[0]
            slope_b, dark = np.clip(gradient_b / _away_from_0(value_b)[:, None], -1, 1), None if self.own else 0.0
            if self.polarity == "dark":
                own = slope / value[:, None] if self.own else slope_b
                steep = np.clip(own, -0.05, 0.05)
                return LocalLight(value, value_b, scatter, self.ground.scatter, steep, slope_b, unsure / value, dark)
        # Light multiplies: what falls off as a beam does is a parabola as a logarithm, and never below nothing.
        value, slope = np.exp(value), np.clip(slope, -STEEPEST, STEEPEST)
        if self.line is not None:
            # the ground is lit by the same light, but for what pixels read without any
            dark, share = self.line
            value_b = dark + share * value
            slope_b = slope * lit_share(value_b, dark)[:, None]
        return LocalLight(value, value_b, scatter * value, self.ground.scatter, slope, slope_b, unsure, dark)


def light_of(yx: Floats, amplitude: Floats, background: Floats, *, spacing: float, polarity: Polarity) -> Light:
    """The light that good spots see.

    Parameters
    ----------
    yx, amplitude, background : (M, 2), (M,), (M,) of whole spots, px and counts (holes positive)
    spacing : distance of neighbouring spots, px: the fields are smooth over some three of them
    polarity : of the holes
    """
    # both fields come from the same spots, so the moments of these are summed up once
    lines, usual = LocalLines(yx, spacing), float(np.median(amplitude))
    ground = smoothed(lines, background)
    if polarity == "dark":
        field, least = smoothed(lines, amplitude), _LEAST_LIGHT * usual
        slope = field.gradient(yx)[0] / np.maximum(amplitude, least)[:, None]
        own = _has_own_light(amplitude, slope, ground, spacing=spacing, noise=field.scatter / usual)
        return Light(field, ground, (least, np.inf), None, own, polarity)
    level = np.log(np.maximum(amplitude, 1e-3 * usual))
    field = smoothed(lines, level)
    line = _ground_line(amplitude, background, (field.scatter * usual, ground.scatter))
    own = line is None and _has_own_light(
        amplitude, field.gradient(yx)[0], ground, spacing=spacing, noise=field.scatter
    )
    return Light(field, ground, (float(level.min()) - 1, float(level.max()) + 0.5), line, own, polarity)


def lit_share(background: Floats, dark: float | None) -> Floats:
    """Part of the backgrounds (N,), counts, that is the light on the holes, and not the `dark` level or, where that is
    None, light of its own."""
    if dark is None:
        return np.zeros_like(background)
    return np.clip(1 - dark / _away_from_0(background), -1.0, 1.0)


def _away_from_0(values: Floats) -> Floats:
    return np.copysign(np.maximum(np.abs(values), 1e-6), values)


def _has_own_light(amplitude: Floats, slope: Floats, ground: SmoothField, *, spacing: float, noise: float) -> bool:
    """Whether the `ground` goes up or down from hole to hole, by a part of the amplitude that matters, where the
    relative `slope` (M, 2) of the amplitudes, of such a relative `noise`, says that it should not.
    """
    yx = ground.lines.yx
    usual = np.maximum(amplitude, _LEAST_LIGHT * np.median(amplitude))
    climb = largest_of(ground.gradient(yx)[0]) * spacing / usual
    # one light makes the ground go up by the share that it has of the light on a hole: around dark dots more than that
    lit = (largest_of(slope) * spacing + noise) * np.maximum(1.0, np.abs(ground.value(yx)) / usual)
    beyond = climb > np.maximum(_UNEVEN, _TWICE * lit)
    return int(np.count_nonzero(beyond)) > max(_FEW, _UNEVEN * len(amplitude))


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
