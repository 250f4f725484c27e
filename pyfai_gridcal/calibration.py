"""The whole way: images of a plate in, a calibrated detector out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .base.errors import ImageError, UsageError
from .base.progress import Progress, untold
from .exposure import Exposure, common_mask, nominal_of, take_exposure
from .finding.detection import search_spots
from .fitting.fitting import fit_distortion
from .indexing.indexing import index_spots
from .judging.assessment import assess
from .records.plate import Plate
from .records.points import ControlPoints
from .records.result import Result
from .records.settings import Settings
from .records.spots import Spots

if TYPE_CHECKING:
    from pyFAI.detectors import Detector

__all__ = ["Calibration", "assemble", "calibrate", "index", "plate_of", "spots_and_points"]


@dataclass(frozen=True, eq=False)
class Calibration(Result):
    """A calibrated detector with all that it was made from, and the doors to what can be done with it.

    The fields are those of :class:`~pyfai_gridcal.records.result.Result`.
    """

    def detector(self) -> Detector:
        """A plain pyFAI detector."""
        from .io.nexus.detector import to_detector

        return to_detector(self.distortion)

    def save(self, path: str | Path, *, progress: Progress | None = None) -> Path:
        """Write the detector, with everything else, to an HDF5 file; an old file goes once the new one is good."""
        from .io.nexus.result import save_result

        return save_result(self, path, progress=progress)

    def validate(self, *, progress: Progress | None = None) -> Any:
        """Correct the image with pyFAI and look at the grid again; see
        :func:`pyfai_gridcal.judging.validation.validate`."""
        from .judging.validation import validate

        return validate(self, progress=progress)

    def to_spline(self, *, tolerance: float = 0.01) -> Any:
        """Fit2D spline of the displacement, with deviations below `tolerance` px."""
        from .io.kinds.splinefit import fit_spline

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
        from .report.plots import Plots

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
    image : (ny, nx) array, file or silx URL, :class:`~pyfai_gridcal.io.images.images.Image`, or a list of these
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
    say = progress or untold
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
    say = progress or untold
    shape = _common_shape(exposures)
    nominal, _ = nominal_of(settings, shape)
    masks = tuple(one.mask for one in exposures)
    say(0.0, "fitting the distortion")
    every = masks[0] if all(m is masks[0] for m in masks) else common_mask(masks)
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
        from .io.nexus.result import load_result

        plate = load_result(plate).plate
    if isinstance(plate, Plate):
        return plate
    if plate is not None:
        raise UsageError(f"plate={type(plate).__name__}", expected="a Plate, or a file that holds one")
    angle = settings.angle if settings.angle is not None else points.angle_deg
    return Plate(settings.pitches, angle, settings.hole)


def _as_list(image: Any) -> list[Any]:
    if isinstance(image, list | tuple):
        if not image:
            raise ImageError("no image given")
        return list(image)
    return [image]


def _hole_px(settings: Settings, nominal: tuple[float, float] | None) -> float | None:
    if settings.hole is None or nominal is None:
        return None
    return settings.hole / float(np.sqrt(nominal[0] * nominal[1]))


def spots_and_points(
    one: Exposure, settings: Settings, progress: Progress | None = None
) -> tuple[Spots, ControlPoints]:
    """Both of one exposure. A hole of known size, but on pixels of unknown size, is compared by its share of the
    pitch."""

    hole_px = _hole_px(settings, nominal_of(settings, one.data.shape)[0])

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
