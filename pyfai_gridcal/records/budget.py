"""What one image cannot know of its plate: tilt, pitch and temperature, as known shapes of error.

With p a place on the detector from its middle, where the plate is taken to touch it and below which the source stands
at the distance D; t = (t_y, t_x) the tilt, by how much the plate rises along each axis; s the relative error of the
pitch::

    error(p) = p (p · t) / D - t (t · p) / 2 + s p

The first part is projective, the second shortens one axis (anisotropy), the third is a scale. What is known are the
standard uncertainties of t_y, t_x and s; a rigid motion is no error of a calibration and is taken out of each shape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..base.arrays import Floats, freeze
from ..base.geometry import leaning, rigid_columns
from ..base.robust import rms
from ..base.units import format_length
from .fit import DistortionFit
from .plate import Plate
from .settings import Settings

__all__ = ["PlateBudget", "PlateErrors", "tilt_error"]

#: Temperature at which lengths are stated (ISO 1), degrees Celsius.
_REFERENCE = 20.0
#: Second moments of (t_y², t_y t_x, t_x²) for two normal numbers of unit variance. Such products are peaked, with long
#: tails: a normal distribution that covers as much within one sigma, and within two, has 0.8 of their rms.
_SQUARES = 0.8**2 * np.array([[3.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 3.0]])
#: A tilt that hardly anybody sees by eye, degrees, and a source at a usual distance, metres: what they would do is said
#: where the user says nothing.
_EXAMPLE_DEG, _EXAMPLE_M = 0.1, 10.0
#: What is taken for granted of a plate where nothing is told of tilt, source and pitch.
_ASSUMED = ("parallel to the detector", "in a parallel beam", "exactly of its pitch")


@dataclass(frozen=True)
class PlateBudget:
    """Standard uncertainties of a plate, and what is known of its scale.

    Attributes
    ----------
    tilt_rad : of the tilt about each of two axes
    source_m : distance of the source, infinite for a parallel beam
    scale : relative, of the pitch
    stretch : known factor of the pitch: temperature, and the gap before the sensor
    words : what was told
    assumed : what was not

    Examples
    --------
    >>> from pyfai_gridcal import Settings
    >>> from pyfai_gridcal.records.budget import PlateBudget
    >>> PlateBudget.of(Settings("1mm", tilt="0.2deg", source="10m", pitch_tolerance="20ppm")).words
    ('tilt ± 0.2°', 'source at 10 m', 'pitch ± 20 ppm')
    """

    tilt_rad: float = 0.0
    source_m: float = math.inf
    scale: float = 0.0
    stretch: float = 1.0
    words: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> PlateBudget:
        """What the settings tell."""
        source = settings.source if isinstance(settings.source, float) else math.inf
        words, scale, stretch = [], settings.pitch_tolerance or 0.0, 1.0
        if settings.tilt is not None:
            words.append(f"tilt ± {settings.tilt:.3g}°")
        if settings.source is not None:
            words.append("parallel beam" if math.isinf(source) else f"source at {format_length(source)}")
        if scale:
            words.append(f"pitch ± {1e6 * scale:.3g} ppm")
        if settings.temperature is not None and settings.expansion is not None:
            degrees, sigma = settings.temperature
            scale = math.hypot(scale, settings.expansion * sigma)
            stretch += settings.expansion * (degrees - _REFERENCE)
            words.append(f"{degrees:g} ± {sigma:g} °C")
        if settings.gap is not None:
            stretch /= 1 - settings.gap / source
            words.append(f"{format_length(settings.gap)} before the sensor")
        told = settings.tilt, settings.source, settings.pitch_tolerance or settings.temperature
        assumed = tuple(text for text, value in zip(_ASSUMED, told, strict=True) if value is None)
        return cls(math.radians(settings.tilt or 0.0), source, scale, stretch, tuple(words), assumed)

    @property
    def told(self) -> bool:
        """Whether there is any uncertainty in it."""
        return self.tilt_rad > 0 or self.scale > 0

    @property
    def covariance(self) -> Floats:
        """(6, 6) of the amplitudes of the shapes: t_y, t_x; t_y², t_y t_x, t_x²; s."""
        out = np.zeros((6, 6))
        out[0, 0] = out[1, 1] = self.tilt_rad**2
        out[2:5, 2:5] = self.tilt_rad**4 * _SQUARES
        out[5, 5] = self.scale**2
        return out

    def stretched(self, plate: Plate) -> Plate:
        """The plate as large as it appears."""
        return plate if self.stretch == 1 else plate.scaled(self.stretch)


@dataclass(frozen=True, eq=False)
class PlateErrors:
    """The shapes of error on a detector, px, without the rigid motion that fits each best at some places.

    Attributes
    ----------
    budget : sizes of the shapes
    pixel_size : (slow, fast) metres
    middle : (2,) px, index frame
    rigid : (3, 6) shift y, shift x (metres) and turn that are taken out
    """

    budget: PlateBudget
    pixel_size: tuple[float, float]
    middle: Floats
    rigid: Floats

    def __post_init__(self) -> None:
        freeze(self, 1, "middle")
        freeze(self, 2, "rigid")

    @classmethod
    def of(
        cls, budget: PlateBudget, yx: Floats, shape: tuple[int, int], pixel_size: tuple[float, float]
    ) -> PlateErrors:
        """Those on a detector; a rigid motion is what fits best at the places `yx` (N, 2), px."""
        middle = (np.asarray(shape) - 1) / 2
        p = (yx - middle) * pixel_size
        plain = _shapes(p, budget.source_m).transpose(1, 0, 2).reshape(-1, 6)
        rigid, *_ = np.linalg.lstsq(rigid_columns(p), plain, rcond=None)
        return cls(budget, pixel_size, middle, np.asarray(rigid))

    def shapes(self, yx: Floats) -> Floats:
        """(N, 2, 6) of a unit amplitude at places (N, 2), px."""
        p = (yx - self.middle) * self.pixel_size
        moved = (rigid_columns(p) @ self.rigid).reshape(2, -1, 6).transpose(1, 0, 2)
        return np.asarray((_shapes(p, self.budget.source_m) - moved) / np.asarray(self.pixel_size)[:, None])

    def covariance(self, a: Floats, b: Floats) -> Floats:
        """(N, M, 2, 2) covariance of the errors at places a (N, 2) with those at b (M, 2), px²."""
        return np.einsum("nck,kl,mdl->nmcd", self.shapes(a), self.budget.covariance, self.shapes(b))

    def variance(self, yx: Floats) -> Floats:
        """(N, 2) px²."""
        shapes = self.shapes(yx)
        return np.maximum(np.einsum("nck,kl,ncl->nc", shapes, self.budget.covariance, shapes), 0.0)


def _shapes(p: Floats, source: float) -> Floats:
    """(N, 2, 6) metres, at places (N, 2) from the middle, metres."""
    y, x, none = p[:, 0], p[:, 1], np.zeros(len(p))
    projective = p[:, :, None] * p[:, None, :] / source
    shorter = -0.5 * np.stack([np.stack([y, x, none], 1), np.stack([none, y, x], 1)], axis=1)
    return np.concatenate([projective, shorter, p[:, :, None]], axis=2)


def tilt_error(yx: Floats, pixel_size: tuple[float, float], tilt: Floats, source_m: float) -> Floats:
    """(N, 2) px by which a plate of this tilt (rad) misplaces places (N, 2) px about its middle, but for a motion."""
    p = (yx - yx.mean(axis=0)) * pixel_size
    off = (leaning(p, tilt, source_m) - p).T.ravel()
    motions = rigid_columns(p)
    left = off - motions @ np.linalg.lstsq(motions, off, rcond=None)[0]
    return np.asarray(left.reshape(2, -1).T / pixel_size)


def plate_figures(fit: DistortionFit, budget: PlateBudget) -> dict[str, object]:
    """What the plate adds, rms per axis over the calibrated pixels among the holes, px.

    Returns
    -------
    ``with_plate_px`` (the field, as far as its uncertainty is known, with the plate), ``plate_px`` (the plate alone),
    ``scale_px`` (its part that is a common scale), ``told`` and ``assumed`` (words), ``tilt_px`` (pairs of the distance
    of the source, None for a parallel beam, and what a tilt of 0.1° would do)
    """
    at, sigma = fit.among_holes()
    size, shape = fit.distortion.pixel_size, fit.distortion.shape
    plate = scale = np.zeros_like(at)
    if budget.told:
        errors = PlateErrors.of(budget, at, shape, size)
        plate, scale = (e.variance(at) for e in (errors, replace(errors, budget=replace(budget, tilt_rad=0.0))))
    sources = [math.inf, _EXAMPLE_M] if _ASSUMED[1] in budget.assumed else [budget.source_m]
    tilt = np.array([math.radians(_EXAMPLE_DEG), 0.0])
    return {
        "with_plate_px": rms(np.hypot(np.nan_to_num(sigma), np.sqrt(plate))),
        "plate_px": rms(np.sqrt(plate)),
        "scale_px": rms(np.sqrt(scale)),
        "told": budget.words,
        "assumed": budget.assumed,
        "tilt_px": [
            (None if math.isinf(source) else source, rms(tilt_error(at, size, tilt, source))) for source in sources
        ],
    }
