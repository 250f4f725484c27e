"""The whole way: images of a plate in, a calibrated detector out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

import numpy as np

from .base.arrays import Floats
from .base.errors import CalibrationError, FileFormatError, ImageError, UsageError
from .base.progress import Progress, part_of, untold
from .base.units import Length, Lengths
from .exposure import Exposure, common_mask, nominal_of, plate_of, prior_of, take_exposure, with_traits, witness_of
from .finding.detection import search_spots
from .fitting.fitting import fit_distortion
from .fitting.plates.beside import MakeWitness
from .indexing.indexing import index_spots
from .judging.assessment import assess
from .judging.contradictions import without_contradicted
from .judging.tilt import tilt_words
from .records.budget import PlateBudget
from .records.distortion import Distortion, Gauge
from .records.plate import LatticeKind, Plate
from .records.points import ControlPoints
from .records.result import Result
from .records.settings import Settings
from .records.spots import Spots

if TYPE_CHECKING:
    from pyFAI.detectors import Detector

    from .io.kinds.splinefit import SplineFit
    from .judging.validation import Validation
    from .report.plots import Plots

__all__ = ["Calibration", "assemble", "calibrate", "index", "load", "spots_and_points"]


@dataclass(frozen=True, eq=False, repr=False)
class Calibration(Result):
    """A calibrated detector with all that it was made from, and the doors to what can be done with it.

    The fields are those of :class:`~pyfai_gridcal.records.result.Result`.

    Examples
    --------
    >>> import numpy as np
    >>> from pyfai_gridcal import calibrate
    >>> from pyfai_gridcal.synthetic import demo_scene
    >>> picture = demo_scene((260, 300), pitch_px=24.0).render(np.random.default_rng(3))
    >>> calibration = calibrate(picture.image, pitch="1mm", pixel="42um")
    >>> calibration.detector().shape, calibration.pixel_size
    ((260, 300), (4.2e-05, 4.2e-05))
    """

    def detector(self) -> Detector:
        """A plain pyFAI detector."""
        from .io.nexus.detector import to_detector

        return to_detector(self.distortion)

    def save(self, path: str | Path, *, name: str = "calibrated", progress: Progress | None = None) -> Path:
        """Write the detector, of this name, with all else to HDF5; an old file goes once the new one is good."""
        from .io.nexus.contents import result_name
        from .io.nexus.result import save_result

        return save_result(self, result_name(path), name=name, progress=progress)

    def validate(self, *, progress: Progress | None = None) -> Validation:
        """Correct the image and look at the grid again; see :func:`pyfai_gridcal.judging.validation.validate`."""
        from .judging.validation import validate

        return validate(self, progress=progress)

    def to_spline(self, *, tolerance: float = 0.01) -> SplineFit:
        """Fit2D spline of the displacement, with deviations below `tolerance` px."""
        from .io.kinds.splinefit import fit_spline

        return fit_spline(self.distortion, tolerance=tolerance)

    def report(self) -> str:
        """What was found, for a person."""
        return self._words

    @cached_property
    def _words(self) -> str:
        from .report import text_report

        return text_report(self)

    def summary(self) -> dict[str, Any]:
        """What was found, for a machine (JSON)."""
        from .report import summary

        return summary(self)

    @property
    def plot(self) -> Plots:
        """Pictures: ``.spots()``, ``.displacement()``, ``.residuals()``, ``.before_after()``."""
        from .report.plots import Plots

        return Plots(self)

    def _repr_html_(self) -> str:
        from .report import html_card

        return html_card(self)


def calibrate(
    image: Any,
    *,
    pitch: Lengths,
    pixel: Lengths | None = None,
    detector: str | None = None,
    plate: Plate | str | Path | None = None,
    lattice: LatticeKind = "auto",
    angle: float | None = None,
    polarity: str = "auto",
    hole: Length | None = None,
    origin: tuple[float, float] | None = None,
    model: str = "auto",
    gauge: Gauge = "least displacement",
    max_sigma: float | None = None,
    positions: Sequence[tuple[Length, Length]] | str | None = None,
    rings: Sequence[str] | str | None = None,
    distances: str | None = None,
    depths: bool = False,
    sensor: str | None = None,
    serial: str | None = None,
    comment: str | None = None,
    prior: Result | Distortion | str | Path | None = None,
    tilt: float | str | None = None,
    source: Length | None = None,
    gap: Length | None = None,
    pitch_tolerance: float | str | None = None,
    expansion: float | str | None = None,
    temperature: float | tuple[float, float] | str | None = None,
    mask: Any = None,
    dark: Any = None,
    flat: Any = None,
    progress: Progress | None = None,
    **unknown: Never,
) -> Calibration:
    """Find the distortion of a detector from the image of a plate of holes.

    Lengths are metres, or texts with their unit: ``5e-3``, ``"5mm"``, ``"3mm,2mm"``.

    Parameters
    ----------
    image : (ny, nx) array, file or silx URL, :class:`~pyfai_gridcal.io.images.images.Image`, or a list of these
        Several are exposures of the same plate, shifted and turned by unknown amounts.
    pitch : distance of neighbouring holes; two for a rectangular plate (axis nearest to slow, nearest to fast)
    pixel : nominal pixel size, one length or (slow, fast); None: the one that makes the displacement smallest
    detector : name of a pyFAI detector, from which nominal pixel size, gaps, modules and sensor come
    plate : a plate whose hole errors are known, or a file that holds one
    lattice : "auto", "square", "rectangular", "oblique" or "hexagonal"
    angle : between the axes of an oblique plate, degrees
    polarity : "auto", "bright" or "dark" holes
    hole : diameter of the holes
    origin : (y, x) px: the hole nearest to it gets the index (0, 0)
    model : "auto" or the name of a recipe, see :func:`~pyfai_gridcal.fitting.fitting.fit_distortion`
    gauge : what fixes the corrected frame: "least displacement", "centre", or the pixel (y, x) that stays in place
    max_sigma : uncertainty beyond which pixels are masked, px; None: by the data
    positions : where motors had the plate in each of several exposures, (slow, fast): a weak hint
    rings : points of powder rings as witnesses beside the plate, "FILE.npt:GEOMETRY.poni" for each image
    distances, depths : of these images by a motor, "100mm,200mm ± 1um"; whether modules may be tilted and out of plane
    sensor : material and thickness, such as "CdTe,1mm", for pyFAI's parallax correction
    serial, comment : of the detector, for the report
    prior : older calibration of the same camera, or its file: only what has changed since is fitted
    tilt : uncertainty of the tilt of the plate about each axis, "0.2deg" or degrees; this and what follows only change
        the uncertainty with the plate, see :mod:`pyfai_gridcal.records.budget`
    source : its distance, or "parallel" (assumed)
    gap : known distance of the plate from the sensor
    pitch_tolerance : relative uncertainty of the pitch, 2e-5 or "20ppm"
    expansion, temperature : of the plate, per kelvin, and degrees Celsius with their uncertainty: 16.5e-6, "20±2"
    mask : pixels to ignore (True), for all images
    dark, flat : image without light, image of uniform light
    progress : called with a fraction and what is being done; may raise to cancel

    Returns
    -------
    Calibration
        With a verdict: look at ``.verdict`` before trusting it.

    Raises
    ------
    ImageError, PickingError, IndexingError, FittingError
        There is nothing to calibrate with, with the reason.
    UsageError
        An argument that cannot be meant so, or a setting that there is not.

    Notes
    -----
    Spots are fitted with the profile of the holes that is learned from the image itself [1]_ and indexed by growth. The
    smoothness of the field is that of the largest restricted likelihood [2]_.

    References
    ----------
    .. [1] J. Anderson, I. R. King, PASP 112 (2000) 1360, doi:10.1086/316632
    .. [2] S. N. Wood, M. Fasiolo, Biometrics 73 (2017) 1071, doi:10.1111/biom.12666

    Examples
    --------
    >>> import numpy as np
    >>> from pyfai_gridcal import calibrate
    >>> from pyfai_gridcal.synthetic import demo_scene
    >>> picture = demo_scene((260, 300), pitch_px=24.0).render(np.random.default_rng(3))
    >>> calibration = calibrate(picture.image, pitch="1mm")
    >>> calibration.shape, calibration.verdict.level
    ((260, 300), 'good')
    """
    if unknown:
        raise UsageError(
            f"unknown setting {', '.join(sorted(unknown))}", expected=", ".join(f.name for f in fields(Settings))
        )
    given = locals()
    chosen = Settings(**{f.name: given[f.name] for f in fields(Settings)})
    say = progress or untold
    exposures = [take_exposure(one, chosen, mask=mask, dark=dark, flat=flat) for one in _images(image, chosen)]
    # what cannot be read is told before the work
    told = prior_of(chosen), witness_of(chosen, _common_shape(exposures))
    found, points = [], []
    try:
        for k, one in enumerate(exposures):
            low, high = 0.7 * k / len(exposures), 0.7 * (k + 1) / len(exposures)
            spots, nodes = spots_and_points(one, chosen, part_of(say, low, high))
            found.append(spots)
            points.append(nodes)
        return assemble(chosen, exposures, found, points, told=told, progress=part_of(say, 0.72, 1.0))
    except CalibrationError as error:
        for note in dict.fromkeys(note for one in exposures for note in one.notes):
            error.add_note(note)  # which may be the reason
        raise


def _images(image: Any, settings: Settings) -> list[Any]:
    """The images, one or more, as many as there are positions."""
    images = list(image) if isinstance(image, list | tuple) else [image]
    if not images:
        raise ImageError("no image given")
    if settings.positions is not None and len(settings.positions) != len(images):
        raise UsageError(f"{len(settings.positions)} positions for {len(images)} exposures", expected="one for each")
    return images


def load(path: str | PathLike[str]) -> Calibration:
    """Read a calibration back from its file, with equal fields.

    Raises
    ------
    FileFormatError
        There is no such file, it is not complete, or it holds something else: the text says what opens that.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from pyfai_gridcal import calibrate, load
    >>> from pyfai_gridcal.synthetic import demo_scene
    >>> picture = demo_scene((260, 300), pitch_px=24.0).render(np.random.default_rng(3))
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = calibrate(picture.image, pitch="1mm").save(pathlib.Path(folder.name, "detector.h5"))
    >>> load(path).verdict.level
    'good'
    >>> folder.cleanup()
    """
    from .io.kinds.conversion import what_opens
    from .io.nexus.result import load_result

    file = Path(path)
    if os.path.isdir(file):
        raise FileFormatError(f"{file} is a folder", expected="a file written by calibrate")
    try:
        found = load_result(file)
    except FileFormatError as error:
        opens = what_opens(file) if os.path.exists(file) else None
        if opens is None:
            raise
        text = f"{file} holds no calibration"
        raise FileFormatError(text, expected="a file written by calibrate", hint=opens) from error
    if not isinstance(found, Calibration):
        name = type(found).__name__
        raise FileFormatError(
            f"{file} holds a {name} only",
            expected="the result of a calibration",
            hint=f"pyfai_gridcal.io.nexus.result.load_result gives the {name}",
        )
    return found


def assemble(
    settings: Settings,
    exposures: Sequence[Exposure],
    spots: Sequence[Spots],
    points: Sequence[ControlPoints],
    *,
    told: tuple[Distortion | None, MakeWitness | None] | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Fit the distortion to the points of all exposures, judge it, and collect everything.

    `told` is the prior and the witness that the settings name; they are read if it is omitted.
    """
    say = progress or untold
    shape = _common_shape(exposures)
    prior, witness = told or (prior_of(settings), witness_of(settings, shape))
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
        prior=prior,
        budget=PlateBudget.of(settings),
        witness=witness,
        hole_diameter_px=float(np.nan_to_num(np.mean([one.hole_px for one in spots]))),
        progress=part_of(say, 0.0, 0.93),
    )
    fit, remarks = with_traits(without_contradicted(fit, spots), settings)
    verdict = assess(
        fit, tuple(spots), pitch_given=int(np.size(settings.pitch)), pixel_given=nominal is not None, mask=every
    )
    say(1.0, "calibrated")
    notes = (*(note for one in exposures for note in one.notes), *remarks, *tilt_words(fit, nominal or (1.0, 1.0)))
    sources = tuple(source for one in exposures for source in one.sources)
    return Calibration(settings, tuple(e.data for e in exposures), masks, tuple(spots), fit, verdict, sources, notes)


def _common_shape(exposures: Sequence[Exposure]) -> tuple[int, int]:
    shape = exposures[0].data.shape
    if any(one.data.shape != shape for one in exposures):
        raise ImageError(f"images of shapes {[one.data.shape for one in exposures]}", expected="one shape")
    for k, one in enumerate(exposures):
        for other in exposures[:k]:
            if np.array_equal(one.data, other.data):
                name = getattr(next(iter(one.sources), None), "url", "") or f"image {k + 1}"
                raise UsageError(
                    f"{name} is one of the images before",
                    expected="exposures between which the plate was moved",
                    hint="the same image twice tells nothing about the holes",
                )
    return shape[0], shape[1]


def _hole_px(settings: Settings, nominal: tuple[float, float] | None) -> float | None:
    if settings.hole is None or nominal is None:
        return None
    return settings.hole / float(np.sqrt(nominal[0] * nominal[1]))


def spots_and_points(
    one: Exposure, settings: Settings, progress: Progress | None = None
) -> tuple[Spots, ControlPoints]:
    """Both of one exposure. A hole of known size, but on pixels of unknown size, is compared by its share of the
    pitch."""

    nominal = nominal_of(settings, one.data.shape)[0]
    hole_px = _hole_px(settings, nominal)

    def look(size: float | None) -> tuple[Spots, ControlPoints]:
        found = search_spots(
            one.data,
            mask=one.mask,
            saturation=one.saturation,
            polarity=None if settings.polarity == "auto" else settings.polarity,  # type: ignore[arg-type]
            hole_px=size,
            lattice=settings.lattice,
            aspect=1.0 if nominal is None else nominal[0] / nominal[1],
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


def index(spots: Spots, settings: Settings, hand: Floats | None = None) -> ControlPoints:
    """Give the spots their nodes, with the origin that is wished; from a hole and two neighbours by `hand` (3, 2)."""
    points = index_spots(spots, lattice=settings.lattice, angle_deg=settings.angle, hand=hand)
    return points.counted_from(settings.origin)
