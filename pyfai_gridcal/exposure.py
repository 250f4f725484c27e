"""From a picture to what the stages take: read, corrected, and without pixels that are no use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .base.arrays import AnyArray, Bools, frozen_array
from .base.errors import UsageError
from .base.geometry import as_pair
from .finding.dead import dark_lines, dead_areas, dead_level
from .finding.survey import filled, survey
from .records.budget import PlateBudget
from .records.distortion import Distortion
from .records.fit import DistortionFit
from .records.plate import Plate
from .records.points import ControlPoints
from .records.settings import Settings
from .records.traits import Sensor

if TYPE_CHECKING:
    from .fitting.plates.beside import MakeWitness


@dataclass(frozen=True, eq=False)
class Exposure:
    """One image, ready to look for holes; see :class:`~pyfai_gridcal.io.images.images.Image`."""

    data: AnyArray
    mask: Bools | None
    sources: tuple[Any, ...]
    notes: tuple[str, ...]
    saturation: float | None = None


def take_exposure(image: Any, settings: Settings, *, mask: Any = None, dark: Any = None, flat: Any = None) -> Exposure:
    """Read an image (see :func:`calibrate`) and mask what is no use: gaps of the detector, dead areas."""
    one = _loaded(image, mask, dark, flat)
    return _without_dead(one, nominal_of(settings, one.data.shape)[1])


def _without_dead(one: Exposure, gaps: Bools | None) -> Exposure:
    """Mask the gaps, and what reads nothing but the pedestal."""
    mask = _united(one.mask, gaps)
    lines = dark_lines(one.data, mask)
    if lines is not None:
        note = f"{int(lines.all(axis=1).sum())} rows and {int(lines.all(axis=0).sum())} columns are unlit: gaps, masked"
        mask, one = _united(mask, lines), replace(one, notes=(*one.notes, note))
    level = dead_level(one.data, mask)
    if level is None:
        return replace(one, mask=mask)
    live = filled(one.data, _united(mask, one.data < level))
    if np.ptp(live) <= 1e-4 * abs(float(live.max())):
        # a drawing in two levels: what is dark are the holes
        return replace(one, mask=mask)
    radius = survey(live)[0].radius_px
    dead = dead_areas(one.data, mask, larger_than=6 * radius, level=level)
    if dead is None:
        return replace(one, mask=mask)
    note = f"{100 * dead.mean():.2g} % of the pixels read below {level:.4g}, in areas larger than holes: dead, masked"
    return replace(one, mask=_united(mask, dead), notes=(*one.notes, note))


def _loaded(image: Any, mask: Any, dark: Any, flat: Any) -> Exposure:
    """Array, file or Image -> what the stages need."""
    from .io.images.images import load_image

    given: dict[str, Any] = {"dark": dark, "flat": flat, "mask": mask}
    read = load_image(image, **{name: value for name, value in given.items() if value is not None})
    return Exposure(read.data, read.mask if read.mask.any() else None, read.sources, read.notes, read.saturation)


def _united(a: Bools | None, b: Bools | None) -> Bools | None:
    if a is None or b is None:
        both = b if a is None else a
        return both if both is not None and both.any() else None
    return frozen_array(a | b, np.bool_)


def common_mask(masks: Sequence[Bools | None]) -> Bools | None:
    """What no exposure shows."""
    if any(m is None for m in masks):
        return None
    out: Bools = np.logical_and.reduce([m for m in masks if m is not None])
    return out if out.any() else None


def nominal_of(settings: Settings, shape: tuple[int, int]) -> tuple[tuple[float, float] | None, Bools | None]:
    """Nominal pixel size and gaps, from the settings or from a pyFAI detector."""
    pixel: tuple[float, float] | None = None
    gaps: Bools | None = None
    if settings.detector is not None:
        from .io.images.masks import named_detector

        pixel, gaps = named_detector(settings.detector, shape)
    if settings.pixel is not None:
        pixel = as_pair(settings.pixel)
    return pixel, gaps


def with_traits(fit: DistortionFit, settings: Settings) -> tuple[DistortionFit, tuple[str, ...]]:
    """The fit of a detector with its sensor and what else belongs to it, by the settings or by a pyFAI detector, and
    remarks.
    """
    traits, remark = fit.distortion.traits, ""
    if settings.detector is not None:
        from .io.images.masks import named_traits

        traits, remark = named_traits(settings.detector, fit.distortion.shape)
    if settings.sensor is not None:
        traits, remark = replace(traits, sensor=Sensor.parse(settings.sensor)), ""
    return replace(fit, distortion=replace(fit.distortion, traits=traits)), (remark,) if remark else ()


def prior_of(settings: Settings) -> Distortion | None:
    """The older calibration that the settings name, of a camera of the same serial number where both tell it."""
    prior = settings.prior
    if prior is None or isinstance(prior, Distortion):
        return prior
    if not isinstance(prior, str | Path):
        raise UsageError(f"prior={type(prior).__name__}", expected="a calibration, or a file that holds one")
    from .io.nexus.result import load_result

    found = load_result(prior, images=False)
    old = getattr(getattr(found, "settings", None), "serial", None)
    if old and settings.serial and old != settings.serial:
        raise UsageError(f"a prior of the camera {old}", expected=f"one of {settings.serial}")
    return found if isinstance(found, Distortion) else found.distortion


def plate_of(settings: Settings, points: ControlPoints) -> Plate:
    """The plate that the settings speak of, on the lattice that was found."""
    from .io.kinds.certificate import is_certificate, read_certificate

    plate = settings.plate
    angle = settings.angle if settings.angle is not None else points.angle_deg
    ideal = Plate(settings.pitches, angle, settings.hole)
    if isinstance(plate, str | Path) and is_certificate(plate):
        plate = read_certificate(plate, ideal)
    elif isinstance(plate, str | Path):
        from .io.nexus.result import load_result

        found = load_result(plate)
        # as large as it is, not as it appeared there
        before = getattr(found, "settings", None)
        plate = found.plate if before is None else found.plate.scaled(1 / PlateBudget.of(before).stretch)
    budget = PlateBudget.of(settings)
    if isinstance(plate, Plate):
        return budget.stretched(plate)
    if plate is not None:
        raise UsageError(f"plate={type(plate).__name__}", expected="a Plate, or a file that holds one")
    return budget.stretched(ideal)


def witness_of(settings: Settings, shape: tuple[int, int]) -> MakeWitness | None:
    """The powder rings that settings tell of, None without."""
    if not settings.rings:
        return None
    from .rings.doors import rings_beside

    return rings_beside(settings, shape)
