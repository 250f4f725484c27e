"""The whole way: images of a plate in, a calibrated detector out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._typing import AnyArray, Bools, Floats, frozen_array
from .assessment import assess
from .dead import dead_areas, dead_level
from .detection import search_spots
from .distortion import Distortion
from .errors import ImageError, UsageError
from .fit import DistortionFit
from .fitting import fit_distortion
from .gauge import Gauge
from .indexing import LatticeKind, index_spots
from .plate import Plate
from .points import ControlPoints
from .spots import Spots
from .survey import filled, survey
from .verdict import Verdict

if TYPE_CHECKING:
    from pyFAI.detectors import Detector

    from .io.readback import Reader

__all__ = [
    "Calibration", "Exposure", "Settings", "assemble", "calibrate", "index", "plate_of", "spots_and_points",
    "take_exposure",
]  # fmt: skip

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Settings:
    """All that can be told to a calibration; only the pitch must be. Lengths are metres.

    Attributes
    ----------
    pitch : distance of neighbouring holes: one length, or two (along the lattice axis nearest to slow, nearest to fast)
    pixel : nominal pixel size, one length or (slow, fast); None: the one that makes the displacement smallest
    detector : name of a pyFAI detector, from which nominal pixel size, gaps and modules come
    plate : a plate whose hole errors are known, or a file that holds one
    lattice : "auto", "square", "rectangular", "oblique" or "hexagonal"
    angle : between the axes of an oblique plate, degrees
    polarity : "auto", "bright" or "dark" holes
    hole : diameter of the holes
    origin : (y, x) px: the hole nearest to it gets the index (0, 0)
    model : "auto" or the name of a recipe, see :func:`~pyfai_gridcal.fitting.fit_distortion`
    gauge : what fixes the corrected frame: "least displacement", "centre", or the pixel (y, x) that stays in place
    max_sigma : uncertainty beyond which pixels are masked, px; None: by the data
    positions : where motors had the plate in each of several exposures, (slow, fast): a weak hint
    """

    pitch: float | tuple[float, float]
    pixel: float | tuple[float, float] | None = None
    detector: str | None = None
    plate: Any = None
    lattice: LatticeKind = "auto"
    angle: float | None = None
    polarity: str = "auto"
    hole: float | None = None
    origin: tuple[float, float] | None = None
    model: str = "auto"
    gauge: Gauge = "least displacement"
    max_sigma: float | None = None
    positions: Sequence[tuple[float, float]] | None = None

    def __post_init__(self) -> None:
        pitch = np.atleast_1d(np.asarray(self.pitch, dtype=float))
        if pitch.size not in (1, 2) or not np.isfinite(pitch).all() or not (pitch > 0).all():
            raise UsageError(f"pitch={self.pitch!r}", expected="one or two positive lengths in metres")
        if (pitch > 1).any():
            raise UsageError(
                f"pitch={self.pitch!r} m", expected="a pitch below a metre", hint="lengths are in metres: 5e-3"
            )
        if self.polarity not in ("auto", "bright", "dark"):
            raise UsageError(f"polarity={self.polarity!r}", expected="'auto', 'bright' or 'dark'")
        if self.lattice not in ("auto", "square", "rectangular", "oblique", "hexagonal"):
            raise UsageError(
                f"lattice={self.lattice!r}", expected="'auto', 'square', 'rectangular', 'oblique' or 'hexagonal'"
            )
        if self.lattice == "oblique" and self.angle is None:
            raise UsageError("an oblique lattice without its angle", hint="give angle=, in degrees")
        if pitch.size == 2 and self.lattice in ("square", "hexagonal") and pitch[0] != pitch[1]:
            raise UsageError(f"two pitches {tuple(pitch)} m for a {self.lattice} lattice", expected="one pitch")

    @property
    def pitches(self) -> tuple[float, float]:
        """(along i, along j), metres."""
        pitch = np.broadcast_to(np.asarray(self.pitch, dtype=float), (2,))
        return float(pitch[0]), float(pitch[1])


@dataclass(frozen=True, eq=False)
class Calibration:
    """A calibrated detector with all that it was made from; one entry per exposure where there is a tuple.

    Attributes
    ----------
    settings : what was asked for
    images : (ny, nx) each, as they were used
    masks : (ny, nx) each or None, True = ignored
    spots : found in each image
    fit : the distortion, with residuals and poses
    verdict : whether it can be trusted
    sources : where the images came from
    notes : remarks, in words
    """

    settings: Settings
    images: tuple[AnyArray, ...]
    masks: tuple[Bools | None, ...]
    spots: tuple[Spots, ...]
    fit: DistortionFit
    verdict: Verdict
    sources: tuple[Any, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def distortion(self) -> Distortion:
        """Displacement of every pixel."""
        return self.fit.distortion

    @property
    def points(self) -> tuple[ControlPoints, ...]:
        """Control points of each exposure."""
        return self.fit.points

    @property
    def plate(self) -> Plate:
        """The plate, with the errors of its holes where they were determined."""
        return self.fit.plate

    @property
    def pixel_size(self) -> tuple[float, float]:
        """(slow, fast) metres."""
        return self.distortion.pixel_size

    @property
    def shape(self) -> tuple[int, int]:
        """(slow, fast) pixels."""
        return self.distortion.shape

    def displacement_maps(self) -> tuple[Floats, Floats]:
        """(dy, dx) at the pixel centres, each (ny, nx), px: corrected minus observed."""
        return self.distortion.displacement_maps()

    # -- doors to the outer rooms
    def detector(self) -> Detector:
        """A plain pyFAI detector."""
        from .io.detector import to_detector

        return to_detector(self.distortion)

    def save(self, path: str | Path, *, progress: Progress | None = None, reader: Reader | None = None) -> Path:
        """Write the detector, with everything else, to an HDF5 file; an old file goes once the new one is good."""
        from .io.result import save_result

        return save_result(self, path, progress=progress, reader=reader)

    def validate(self, *, progress: Progress | None = None) -> Any:
        """Correct the image with pyFAI and look at the grid again; see :func:`pyfai_gridcal.validation.validate`."""
        from .validation import validate

        return validate(self, progress=progress)

    def to_spline(self, *, tolerance: float = 0.01) -> Any:
        """Fit2D spline of the displacement, with deviations below `tolerance` px."""
        from .io.splinefit import fit_spline

        return fit_spline(self.distortion, tolerance=tolerance)

    def report(self) -> str:
        """What was found, for a person."""
        from .report import text_report

        return text_report(self)

    def summary(self) -> dict[str, Any]:
        """What was found, for a machine (JSON)."""
        from .report import summary

        return summary(self)

    @property
    def plot(self) -> Any:
        """Pictures: ``.spots()``, ``.displacement()``, ``.residuals()``, ``.before_after()``."""
        from .plots import Plots

        return Plots(self)

    def _repr_html_(self) -> str:
        from .report import html_card

        return html_card(self)


def calibrate(
    image: Any,
    *,
    pitch: float | tuple[float, float],
    mask: Any = None,
    dark: Any = None,
    flat: Any = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Calibration:
    """Find the distortion of a detector from the image of a plate of holes.

    Parameters
    ----------
    image : (ny, nx) array, file or silx URL, :class:`~pyfai_gridcal.io.images.Image`, or a list of these
        Several are exposures of the same plate, shifted and turned by unknown amounts.
    pitch : distance of neighbouring holes, metres; two for a rectangular plate (axis nearest to slow, nearest to fast)
    mask : pixels to ignore (True), for all images
    dark, flat : image without light, image of uniform light
    progress : called with a fraction and what is being done; may raise to cancel
    settings : any other field of :class:`Settings`

    Returns
    -------
    Calibration
        With a verdict: look at ``.verdict`` before trusting it.

    Raises
    ------
    ImageError, PickingError, IndexingError, FittingError
        There is nothing to calibrate with, with the reason.
    UsageError
        An argument that cannot be meant so.
    """
    unknown = set(settings) - {f.name for f in fields(Settings)}
    if unknown:
        raise UsageError(
            f"unknown setting {', '.join(sorted(unknown))}", expected=", ".join(f.name for f in fields(Settings))
        )
    chosen = Settings(pitch=pitch, **settings)
    say = progress or (lambda fraction, text: None)
    images = _as_list(image)
    if chosen.positions is not None and len(chosen.positions) != len(images):
        raise UsageError(f"{len(chosen.positions)} positions for {len(images)} exposures", expected="one for each")
    exposures = [take_exposure(one, chosen, mask=mask, dark=dark, flat=flat) for one in images]
    _common_shape(exposures)
    found, points = [], []
    for k, one in enumerate(exposures):
        low, high = 0.7 * k / len(exposures), 0.7 * (k + 1) / len(exposures)
        spots, nodes = spots_and_points(
            one,
            chosen,
            lambda f, text, low=low, high=high: say(low + f * (high - low), text),  # type: ignore[misc]
        )
        found.append(spots)
        points.append(nodes)
    return assemble(chosen, exposures, found, points, progress=lambda f, text: say(0.72 + 0.28 * f, text))


def assemble(
    settings: Settings,
    exposures: Sequence[Exposure],
    spots: Sequence[Spots],
    points: Sequence[ControlPoints],
    *,
    progress: Progress | None = None,
) -> Calibration:
    """Fit the distortion to the points of all exposures, judge it, and collect everything."""
    say = progress or (lambda fraction, text: None)
    shape = _common_shape(exposures)
    nominal, _ = _nominal(settings, shape)
    masks = tuple(one.mask for one in exposures)
    say(0.0, "fitting the distortion")
    every = masks[0] if all(m is masks[0] for m in masks) else _common(masks)
    fit = fit_distortion(
        points if len(points) > 1 else points[0],
        plate=plate_of(settings, points[0]),
        shape=shape,
        mask=every,
        pixel_size=nominal,
        model=settings.model,
        gauge=settings.gauge,
        max_sigma=settings.max_sigma,
        positions=settings.positions,
        progress=lambda f, text: say(0.93 * f, text),
    )
    verdict = assess(
        fit, tuple(spots), pitch_given=int(np.size(settings.pitch)), pixel_given=nominal is not None, mask=every
    )
    say(1.0, "calibrated")
    notes = tuple(note for one in exposures for note in one.notes)
    sources = tuple(source for one in exposures for source in one.sources)
    return Calibration(
        settings, tuple(one.data for one in exposures), masks, tuple(spots), fit, verdict, sources, notes
    )


def _common_shape(exposures: Sequence[Exposure]) -> tuple[int, int]:
    shape = exposures[0].data.shape
    if any(one.data.shape != shape for one in exposures):
        raise ImageError(f"images of shapes {[one.data.shape for one in exposures]}", expected="one shape")
    return shape[0], shape[1]


def plate_of(settings: Settings, points: ControlPoints) -> Plate:
    """The plate that the settings speak of, on the lattice that was found."""
    plate = settings.plate
    if isinstance(plate, str | Path):
        from .io.result import load_result

        plate = load_result(plate).plate
    if isinstance(plate, Plate):
        return plate
    if plate is not None:
        raise UsageError(f"plate={type(plate).__name__}", expected="a Plate, or a file that holds one")
    angle = settings.angle if settings.angle is not None else points.angle_deg
    return Plate(settings.pitches, angle, settings.hole)


@dataclass(frozen=True, eq=False)
class Exposure:
    """One image, ready to look for holes; see :class:`~pyfai_gridcal.io.images.Image`."""

    data: AnyArray
    mask: Bools | None
    sources: tuple[Any, ...]
    notes: tuple[str, ...]
    saturation: float | None = None


def take_exposure(image: Any, settings: Settings, *, mask: Any = None, dark: Any = None, flat: Any = None) -> Exposure:
    """Read an image (see :func:`calibrate`) and mask what is no use: gaps of the detector, dead areas."""
    one = _loaded(image, mask, dark, flat)
    return _without_dead(one, _nominal(settings, one.data.shape)[1])


def _without_dead(one: Exposure, gaps: Bools | None) -> Exposure:
    """Mask the gaps, and what reads nothing but the pedestal."""
    mask = _united(one.mask, gaps)
    level = dead_level(one.data, mask)
    if level is None:
        return replace(one, mask=mask)
    radius = survey(filled(one.data, _united(mask, one.data < level)))[0].radius_px
    dead = dead_areas(one.data, mask, larger_than=6 * radius, level=level)
    if dead is None:
        return replace(one, mask=mask)
    note = f"{100 * dead.mean():.2g} % of the pixels read below {level:.4g}, in areas larger than holes: dead, masked"
    return replace(one, mask=_united(mask, dead), notes=(*one.notes, note))


def _as_list(image: Any) -> list[Any]:
    if isinstance(image, list | tuple):
        if not image:
            raise ImageError("no image given")
        return list(image)
    return [image]


def _loaded(image: Any, mask: Any, dark: Any, flat: Any) -> Exposure:
    """Array, file or Image -> what the stages need."""
    plain = isinstance(image, np.ndarray) and image.ndim == 2 and image.dtype.kind in "fiu"
    if plain and dark is None and flat is None and (mask is None or isinstance(mask, np.ndarray)) and image.size:
        bad = None if image.dtype.kind in "iu" else ~np.isfinite(image)
        ignore = None if mask is None else np.asarray(mask).astype(bool)
        if ignore is not None and ignore.shape != image.shape:
            raise UsageError(f"mask of shape {ignore.shape}", expected=f"{image.shape}, as the image")
        return Exposure(frozen_array(image, image.dtype), _united(ignore, bad), (), ())
    from .io.images import load_image

    given: dict[str, Any] = {"dark": dark, "flat": flat, "mask": mask}
    read = load_image(image, **{name: value for name, value in given.items() if value is not None})
    return Exposure(read.data, read.mask if read.mask.any() else None, read.sources, read.notes, read.saturation)


def _united(a: Bools | None, b: Bools | None) -> Bools | None:
    if a is None or b is None:
        both = b if a is None else a
        return both if both is not None and both.any() else None
    return frozen_array(a | b, np.bool_)


def _common(masks: Sequence[Bools | None]) -> Bools | None:
    """What no exposure shows."""
    if any(m is None for m in masks):
        return None
    out: Bools = np.logical_and.reduce([m for m in masks if m is not None])
    return out if out.any() else None


def _nominal(settings: Settings, shape: tuple[int, int]) -> tuple[tuple[float, float] | None, Bools | None]:
    """Nominal pixel size and gaps, from the settings or from a pyFAI detector."""
    pixel: tuple[float, float] | None = None
    gaps: Bools | None = None
    if settings.detector is not None:
        from .io.masks import named_detector

        pixel, gaps = named_detector(settings.detector, shape)
    if settings.pixel is not None:
        size = np.broadcast_to(np.asarray(settings.pixel, dtype=float), (2,))
        pixel = float(size[0]), float(size[1])
    return pixel, gaps


def _hole_px(settings: Settings, nominal: tuple[float, float] | None) -> float | None:
    if settings.hole is None or nominal is None:
        return None
    return settings.hole / float(np.sqrt(nominal[0] * nominal[1]))


def spots_and_points(
    one: Exposure, settings: Settings, progress: Progress | None = None
) -> tuple[Spots, ControlPoints]:
    """Both of one exposure. A hole of known size, but on pixels of unknown size, is compared by its share of the
    pitch."""

    hole_px = _hole_px(settings, _nominal(settings, one.data.shape)[0])

    def look(size: float | None) -> tuple[Spots, ControlPoints]:
        found = search_spots(
            one.data,
            mask=one.mask,
            saturation=one.saturation,
            polarity=None if settings.polarity == "auto" else settings.polarity,  # type: ignore[arg-type]
            hole_px=size,
            lattice=settings.lattice,
            progress=progress,
        )
        points = found.points(lattice=settings.lattice, angle_deg=settings.angle)
        return found.spots, points.counted_from(settings.origin)

    spots, points = look(hole_px)
    if settings.hole is None or hole_px is not None:
        return spots, points
    wanted = settings.hole / min(settings.pitches) * min(points.pitch_px)
    if 0.6 < spots.hole_px / wanted < 1.6:
        return spots, points
    return look(wanted)


def index(spots: Spots, settings: Settings) -> ControlPoints:
    """Give the spots their nodes, with the origin that is wished."""
    points = index_spots(spots, lattice=settings.lattice, angle_deg=settings.angle)
    return points.counted_from(settings.origin)
