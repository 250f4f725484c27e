"""Rings as judge: how straight powder rings are without a calibration and with it.

The same points of the rings are taken both times, and the geometry is refined both times by pyFAI, so that nothing but
the detector differs. What then is left along the azimuth holds the noise of the points; the *error that is gone* does
not, for the noise is the same both times::

    gone² = rms² without - rms² with
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..base.arrays import AnyArray, Bools, Floats, Ints, freeze, in_a_line
from ..base.errors import FileFormatError, FittingError, UsageError
from ..base.frames import raster_places
from ..base.progress import Progress, untold
from ..base.robust import rms, shares, spread
from ..base.silence import quiet
from ..fitting.tiles.seams import labels_of_mask
from ..io.images.images import load_image
from ..io.kinds.kinds import read_distortion
from ..io.kinds.poni import geometry_with, read_experiment
from ..io.nexus.detector import to_detector
from ..io.nexus.groups import no_displacement
from ..records.distortion import Distortion
from ..records.field import TiledField, label_at
from ..records.jobs import Validate, corrections_of
from .geometry import NAMES, best_geometry, numbers_of, places_of
from .picking import calibrant_of, pick_rings
from .points import RingPoints, require_rings, ring_angles

#: Part of the azimuth, degrees, that counts as one observation in the test: distortions are alike within it.
_BLOCK = 10.0
#: The difference is told when chance brings it once in 2000 times (normal, one-sided)
_SURE = 3.3
#: Points farther off than this many robust standard deviations, both times, are of something else.
_OUTLIER = 6.0
#: Points off by more than this part of the way to the next ring, rms, are not all of the ring that they say.
_APART = 0.1
#: Steps of pyFAI's refinement, which ends in some ten, or in none.
_STEPS = 10
#: Of the table of residuals, which are told without -> with the calibration.
COLUMNS = ("", "points", "rms, mdeg", "rms, px", "width, mdeg")


@dataclass(frozen=True, eq=False)
class Straightness:
    """The rings seen through one detector.

    Attributes
    ----------
    geometry : refined, metres and radians
    left : (N,) measured minus expected scattering angle of the points, rad
    off : (N,) the same along the radius, px
    sigma : (N,) uncertainty of the points, px: those known badly count less in what is said of all
    widths : (R,) full width at half maximum of the integrated rings, rad; NaN where there is none
    """

    geometry: Mapping[str, float]
    left: Floats
    off: Floats
    sigma: Floats
    widths: Floats

    def __post_init__(self) -> None:
        freeze(self, 1, "left", "off", "sigma", "widths")

    def rms(self, which: AnyArray | slice = slice(None)) -> tuple[float, float]:
        """Of some points: rms in thousandths of a degree, and in px."""
        left, off = (rms(one[which], self.sigma[which]) for one in (self.left, self.off))
        return 1e3 * float(np.degrees(left)), off


@dataclass(frozen=True, eq=False)
class RingValidation:
    """What powder rings say of a calibration.

    Attributes
    ----------
    points : of the rings, without outliers
    azimuth : (N,) degrees
    module : (N,) number of the module, 0 where there is but one
    before, after : the rings without the calibration, and with it
    shape : (slow, fast) pixels
    """

    points: RingPoints
    azimuth: Floats
    module: Ints
    before: Straightness
    after: Straightness
    shape: tuple[int, int]

    __repr__ = in_a_line

    @property
    def gone(self) -> tuple[float, float]:
        """Error that the calibration takes away: rms in thousandths of a degree, and in px; negative: that it adds."""
        both = zip(self.before.rms(), self.after.rms(), strict=True)
        square = [b * b - a * a for b, a in both]
        return tuple(float(np.sign(s) * np.sqrt(abs(s))) for s in square)  # type: ignore[return-value]

    @cached_property
    def significance(self) -> float:
        """Of the difference, in standard deviations of chance: positive, where the calibration helps."""
        block = np.floor(self.azimuth / _BLOCK).astype(int)
        _, of = np.unique(np.stack([self.points.ring, block], axis=1), axis=0, return_inverse=True)
        gain = (self.before.off**2 - self.after.off**2) * shares(self.points.sigma)
        each = np.bincount(of.ravel(), gain)
        count = len(each)
        mean, scatter = each.mean(), each.std(ddof=1) if count > 1 else 0.0
        # what is no more than rounding is no difference
        if count < 3 or scatter <= 1e-12 or abs(gain.mean()) < 1e-8:
            return 0.0
        return float(mean / scatter * np.sqrt(count))

    @property
    def verdict(self) -> str:
        """ "helps", "no difference" or "harms"."""
        sure = self.significance
        return "no difference" if abs(sure) < _SURE else "helps" if sure > 0 else "harms"

    def parts(self, kind: str) -> Iterator[tuple[int, Bools]]:
        """Number and points (N,) of each "ring" or "module", or of "all"."""
        of = {"ring": self.points.ring, "module": self.module}.get(kind, np.zeros(len(self.points), int))
        yield from ((int(k), of == k) for k in np.unique(of))

    def summary(self) -> dict[str, Any]:
        """Figures for a machine."""
        both = {"before": self.before, "after": self.after}

        def told(which: AnyArray | slice = slice(None)) -> dict[str, dict[str, Any]]:
            return {name: dict(zip(("rms_mdeg", "rms_px"), one.rms(which), strict=True)) for name, one in both.items()}

        widths = {
            name: [None if np.isnan(w) else float(1e3 * np.degrees(w)) for w in one.widths]
            for name, one in both.items()
        }
        return {
            "verdict": self.verdict,
            "significance_sigma": self.significance,
            "points": len(self.points),
            "calibrant": self.points.calibrant,
            **{name: {**rows, "geometry": dict(both[name].geometry)} for name, rows in told().items()},
            "gone_mdeg": self.gone[0],
            "gone_px": self.gone[1],
            "width_mdeg": widths,
            **{
                f"{kind}s": [{kind: k, "points": int(w.sum()), **told(w)} for k, w in self.parts(kind)]
                for kind in ("ring", "module")
            },
        }

    @property
    def sentence(self) -> str:
        """Whether the calibration helps."""
        gone, gone_px = self.gone
        told = {
            "helps": f"the calibration helps: it takes away {gone:.3g} mdeg ({gone_px:.3g} px)",
            "harms": f"the calibration harms: it adds {-gone:.3g} mdeg ({-gone_px:.3g} px)",
            "no difference": "these rings show no difference",
        }[self.verdict]
        return f"{told} ({self.significance:+.1f} sigma)"

    def rows(self) -> Iterator[tuple[str, str, str, str, str]]:
        """Of all, each ring and each module, as in the head: :data:`COLUMNS`."""
        widths = 1e3 * np.degrees([self.before.widths, self.after.widths])
        for kind, k, which in ((one, *part) for one in ("all", "ring", "module") for part in self.parts(one)):
            (b, b_px), (a, a_px) = self.before.rms(which), self.after.rms(which)
            wide = widths[:, k] if kind == "ring" and k < widths.shape[1] else np.full(2, np.nan)
            width = "" if np.isnan(wide).any() else f"{wide[0]:.2f} -> {wide[1]:.2f}"
            name = kind if kind == "all" else f"{kind} {k}"
            yield name, f"{which.sum()}", f"{b:.3f} -> {a:.3f}", f"{b_px:.4f} -> {a_px:.4f}", width

    def report(self) -> str:
        """Figures for a person."""
        out = [
            f"points of rings     {len(self.points)} on {len(np.unique(self.points.ring))} of {self.points.calibrant}",
            f"verdict             {self.sentence}",
            "",
            *("{:11}{:>7}  {:>18}  {:>18}  {:>18}".format(*row).rstrip() for row in (COLUMNS, *self.rows())),
        ]
        return "\n".join(out)


def validate_rings(
    distortion: Distortion,
    image: AnyArray,
    geometry: Mapping[str, float],
    *,
    wavelength: float,
    calibrant: str = "CeO2",
    before: Distortion | None = None,
    mask: Bools | None = None,
    name: str = "rings",
    progress: Progress | None = None,
) -> RingValidation:
    """Measure what a calibration does for the powder rings of an image.

    Parameters
    ----------
    distortion : the calibration
    image : (ny, nx) with rings, as recorded
    geometry : dist, poni1, poni2, rot1, rot2, rot3 that belong to `before`, metres and radians
    wavelength : metres
    calibrant : pyFAI's name of it
    before : what the calibration is compared with; perfect pixels of its size when omitted
    mask : (ny, nx) more pixels to ignore
    name : of the image, for messages
    progress : called with a fraction and what is being done

    Raises
    ------
    UsageError
        An image of another shape, or no such calibrant.
    PickingError, FittingError
        No rings, or not where the geometry has them.
    """
    say = progress or untold
    shape = distortion.shape
    if np.shape(image) != shape:
        raise UsageError(f"an image of shape {np.shape(image)}", expected=f"{shape} as the detector")
    if before is None:
        before = Distortion(no_displacement(shape), shape, distortion.pixel_size)
    hidden = [m for m in (mask, distortion.mask) if m is not None]
    bad = np.any(hidden, axis=0) if hidden else None
    say(0.0, "looking for rings")
    detectors = to_detector(before), to_detector(distortion)
    points = pick_rings(image, detectors[0], geometry, wavelength, calibrant, mask=bad, name=name)
    require_rings(points, before)
    say(0.5, "refining the geometry")
    starts = dict(geometry), geometry_with(distortion, before, geometry, force=True)
    points, views = _straight(points, list(zip((before, distortion), detectors, starts, strict=True)))
    say(0.8, "integrating")
    views = [
        replace(view, widths=_widths(image, detector, view.geometry, points, bad))
        for view, detector in zip(views, detectors, strict=True)
    ]
    say(1.0, "validated")
    module = label_at(_modules(distortion, bad), points.yx)
    azimuth = points.azimuth(before, numbers_of(views[0].geometry))
    return RingValidation(points, azimuth, module, views[0], views[1], shape)


def _straight(
    points: RingPoints, pairs: Sequence[tuple[Distortion, Any, Mapping[str, float]]]
) -> tuple[RingPoints, list[Straightness]]:
    """The points that are of their rings, without or with the calibration, and what they tell."""
    while True:
        views = [seen(points, one, refined(points, one, *more)) for one, *more in pairs]
        off = np.array([view.off - np.median(view.off) for view in views])
        far = np.all([np.abs(one) > _OUTLIER * max(spread(one), 1e-3) for one in off], axis=0)
        if not far.any():
            _require_straight(views, points, pairs[0][0])
            return points, views
        points = points.select(~far)


def validate_ring_files(job: Validate, *, progress: Progress | None = None) -> RingValidation:
    """The same of what is in files; see :func:`validate_rings`.

    Raises
    ------
    UsageError
        No PONI file, or one without wavelength.
    """
    if job.detector_file is None:
        raise FileFormatError("no detector file to validate")
    if job.poni is None:
        raise UsageError("rings without a geometry", expected="--poni, the PONI file of that image")
    distortion = read_distortion(job.detector_file)
    image = load_image(job.rings, **corrections_of(job))
    told, before = read_experiment(Path(job.poni), distortion.shape)
    if "wavelength" not in told.geometry:
        raise UsageError(f"{job.poni} tells no wavelength", expected="one, for the rings to be where they are")
    named = next((r.rpartition(":")[2].split()[0] for r in told.remarks if "alibrant" in r), None)
    calibrant = job.calibrant or named or "CeO2"
    places = raster_places(*(np.linspace(0, n - 1, 7) for n in distortion.shape)).reshape(-1, 2)
    same = np.allclose(before.correct(places), distortion.correct(places), atol=1e-4)
    return validate_rings(
        distortion,
        image.data,
        {name: value for name, value in told.geometry.items() if name != "wavelength"},
        wavelength=told.geometry["wavelength"],
        calibrant=calibrant,
        before=None if same else before,
        mask=image.mask,
        name=Path(str(job.rings)).name,
        progress=progress,
    )


def refined(points: RingPoints, distortion: Distortion, detector: Any, start: Mapping[str, float]) -> dict[str, float]:
    """The geometry that pyFAI refines, all but the rotation about the beam, brought to the very minimum.

    pyFAI stops when the sum of squares changes by less than 1e-12 rad²: up to some per cent before the end.
    """
    from pyFAI.geometryRefinement import GeometryRefinement

    weight = np.sqrt(shares(points.sigma))
    with quiet("pyFAI"):
        known = calibrant_of(points.calibrant, points.wavelength)
        rows = np.column_stack([points.yx, points.ring, weight])
        fit = GeometryRefinement(rows, calibrant=known, detector=detector, wavelength=points.wavelength, **start)
        fit.refine3(maxiter=_STEPS, fix=["wavelength", "rot3"])
    start_at = [getattr(fit, name) for name in NAMES]
    numbers = best_geometry(places_of(distortion, points.yx), points.two_theta, start_at, weight**2)
    return {**start, **dict(zip(NAMES, map(float, numbers), strict=True))}


def seen(points: RingPoints, distortion: Distortion, geometry: Mapping[str, float]) -> Straightness:
    left, off = points.left(distortion, numbers_of(geometry))
    return Straightness(geometry, left, off, points.sigma, np.zeros(0))


def _require_straight(views: Sequence[Straightness], points: RingPoints, before: Distortion) -> None:
    """Refuse points of which many are of other rings: no geometry makes rings of them, without and with it."""
    if len(np.unique(points.ring)) < 2:
        raise FittingError(
            f"there are points of a single ring in {points.name}",
            expected="two rings: of one nobody knows which it is",
            hint="is the PONI file that of this image, and the calibrant right?",
        )
    off, apart = min(rms(one.off) for one in views), points.apart_px(before)
    if off > max(1.0, _APART * apart):
        raise FittingError(
            f"points of {points.name} are off their rings by {off:.3g} px rms with the best geometry",
            expected=f"less than a tenth of the {apart:.3g} px to the next ring, without or with the calibration",
            hint="is the PONI file that of this image, and the calibrant right?",
        )


def _modules(distortion: Distortion, mask: Bools | None) -> Ints:
    """(ny, nx) number of the module of each pixel: the tiles of the field, else what gaps in the mask leave."""
    if isinstance(distortion.field, TiledField):
        return np.asarray(distortion.field.labels)
    if mask is None or not mask.any():
        return np.zeros(distortion.shape, dtype=int)
    return np.asarray(labels_of_mask(mask))


def _widths(
    image: AnyArray, detector: Any, geometry: Mapping[str, float], points: RingPoints, mask: Bools | None
) -> Floats:
    """Full width at half maximum (rad) of each ring in pyFAI's integration: area over height, as of a Gaussian."""
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    out = np.full(int(points.ring.max()) + 1, np.nan)
    with quiet("pyFAI"):
        integrator = AzimuthalIntegrator(detector=detector, wavelength=points.wavelength, **geometry)
        bins = 2 * int(np.hypot(*np.shape(image)))
        done = integrator.integrate1d(
            np.asarray(image, float), bins, unit="2th_rad", mask=mask, method=("no", "histogram", "cython"),
            correctSolidAngle=False,
        )  # fmt: skip
        angles = ring_angles(calibrant_of(points.calibrant, points.wavelength))
    at, counts = np.asarray(done.radial, float), np.asarray(done.intensity, float)
    for ring in np.unique(points.ring):
        room = np.nanmin(np.abs(np.delete(angles, ring) - angles[ring]), initial=0.1) / 3
        t = at - angles[ring]
        near, edge = np.abs(t) < room, (np.abs(t) < room) & (np.abs(t) > 0.8 * room)
        if near.sum() < 8 or edge.sum() < 2:
            continue
        height = counts[near] - np.median(counts[edge])
        top = np.partition(height, -3)[-3:].mean()
        if top > 0:
            # 2 sqrt(ln 2 / pi)
            out[ring] = 0.9394 * max(float(height.sum() * (at[1] - at[0])) / top, 0.0)
    return out
