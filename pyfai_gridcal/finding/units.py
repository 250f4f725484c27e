"""Readings in units that leave room: counts over a monitor, or over their own sum, are as small as squares of rounding
errors, and squares of squares of some large ones do not fit into single precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from ..base.arrays import AnyArray
from ..records.spots import Noise, Spots

#: Largest readings of images that are taken as they are, and what others are brought near to.
_LEAST, _MOST, _USUAL = 1e-2, 1e7, 1e4


P = ParamSpec("P")
Found = TypeVar("Found")


def unit_of(image: AnyArray) -> float:
    """What to multiply the readings by before they are looked at: 1, or a power of two, which changes no digit."""
    if image.dtype.kind != "f" or not image.size:
        return 1.0
    largest = _largest(image)
    if not np.isfinite(largest):
        largest = _largest(image[np.isfinite(image)])
    if largest == 0.0 or _LEAST <= largest <= _MOST:
        return 1.0
    return float(2.0 ** np.round(np.log2(_USUAL / largest)))


def _largest(values: AnyArray) -> float:
    return max(abs(float(extreme.reduce(values, axis=None, initial=0.0))) for extreme in (np.fmax, np.fmin))


def noise_in(noise: Noise, unit: float) -> Noise:
    """The noise of readings that are multiplied by `unit`."""
    return replace(noise, gain=noise.gain * unit, readout=noise.readout * unit, pedestal=noise.pedestal * unit)


def spots_in(spots: Spots, unit: float) -> Spots:
    """Spots of an image whose readings are multiplied by `unit`."""
    noise = None if spots.noise is None else noise_in(spots.noise, unit)
    return replace(spots, amplitude=spots.amplitude * unit, background=spots.background * unit, noise=noise)


def in_usual_units(search: Callable[Concatenate[AnyArray, P], Found]) -> Callable[Concatenate[AnyArray, P], Found]:
    """A search for spots by whatever readings; what it is told of them (`saturation`, `noise`) is in their unit."""

    @wraps(search)
    def in_any(image: AnyArray, /, *none: P.args, **options: P.kwargs) -> Found:
        if (unit := unit_of(np.asarray(image))) == 1.0:
            return search(image, *none, **options)
        told: dict[str, Any] = dict(options)
        if told.get("saturation") is not None:
            told["saturation"] *= unit
        if told.get("noise") is not None:
            told["noise"] = noise_in(told["noise"], unit)
        found: Any = search(np.multiply(image, unit, dtype=float), *none, **told)
        return replace(found, spots=spots_in(found.spots, 1 / unit))

    return in_any
