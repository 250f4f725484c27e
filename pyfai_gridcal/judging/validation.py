"""Closed loop: correct the image of the grid, look at it again, and see how straight the grid has become.

Nothing of the calibration but the distortion is used: pyFAI corrects the image, the spots are found and indexed anew,
and the plate is laid on them by a turn and a shift, with the pixel size of the corrected raster. What then remains is
the error of everything together.
"""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..base.arrays import AnyArray, Bools, Floats, frozen_array, in_a_line
from ..base.errors import FileFormatError, IndexingError, UsageError
from ..base.geometry import as_pair
from ..base.progress import Progress, part_of, untold
from ..base.robust import rms
from ..base.units import as_lengths
from ..correction.table import CorrectedImage, correct_known
from ..finding.detection import search_spots
from ..fitting.rigid import place
from ..io.images.images import load_image
from ..io.kinds.kinds import read_distortion
from ..io.nexus.contents import holds_result
from ..io.nexus.result import load_result
from ..records.distortion import Distortion
from ..records.fit import DistortionFit, Pose
from ..records.jobs import Validate, corrections_of
from ..records.plate import Plate, without_errors
from ..records.points import ControlPoints
from ..records.spots import Polarity, SpotFlag

if TYPE_CHECKING:
    from ..records.result import Result

__all__ = ["Validation", "read_to_validate", "validate", "validate_files"]


#: Spots whose place is not that of a whole hole.
_PARTIAL = int(SpotFlag.BORDER | SpotFlag.MASKED | SpotFlag.SATURATED)
#: Fewest whole spots on which a plate is laid, as few as a lattice is found in.
_FEWEST = 9
#: A corrected spot is that of the calibration nearer than this part of the pitch to it.
_NEAR = 0.3


@dataclass(frozen=True, eq=False)
class Validation:
    """What the grid looks like in the corrected image.

    Attributes
    ----------
    corrected : the corrected image
    points : control points found in it, px of the corrected raster, index frame
    residual_yx : (M, 2) found minus where the plate says, after a turn and a shift, px
    counted : (M,) False for spots cut by the border of what is known, saturated ones, and those that the fit left out
    pitch_m : distance of neighbouring holes, metres
    pose : of the plate on the corrected raster
    expected : number of control points of the calibration, None when not known
    """

    corrected: CorrectedImage
    points: ControlPoints
    residual_yx: Floats
    counted: Bools
    pitch_m: tuple[float, float]
    pose: Pose
    expected: int | None = None

    __repr__ = in_a_line

    def __post_init__(self) -> None:
        object.__setattr__(self, "residual_yx", frozen_array(self.residual_yx, np.float64, 2))
        object.__setattr__(self, "counted", frozen_array(self.counted, np.bool_, 1))

    @property
    def misplacement(self) -> Floats:
        """(M,) distance of each spot from its place, in units of the (smaller) pitch."""
        return np.hypot(*(self.residual_yx * self.corrected.pixel_size).T) / min(self.pitch_m)

    @property
    def mean_misplacement(self) -> float:
        """Mean over the whole spots, in pitch."""
        return float(self.misplacement[self.counted].mean())

    @property
    def max_misplacement(self) -> float:
        """Largest of the whole spots, in pitch."""
        return float(self.misplacement[self.counted].max())

    @property
    def displacement_left_px(self) -> tuple[float, float]:
        """Lowest and highest coordinate of what is left, px."""
        left = self.residual_yx[self.counted]
        return float(left.min()), float(left.max())

    @property
    def rms_px(self) -> float:
        """Rms of what is left, px per axis."""
        return rms(self.residual_yx[self.counted])

    def summary(self) -> dict[str, object]:
        """Figures for a machine."""
        low, high = self.displacement_left_px
        return {
            "spots": len(self.points),
            "spots_counted": int(self.counted.sum()),
            "spots_expected": self.expected,
            "misplacement_mean_pitch": self.mean_misplacement,
            "misplacement_max_pitch": self.max_misplacement,
            "displacement_left_px": [low, high],
            "rms_px": self.rms_px,
            "corrected_shape": list(self.corrected.data.shape),
            "corrected_offset_px": list(self.corrected.offset),
        }

    def report(self) -> str:
        """Figures for a person."""
        low, high = self.displacement_left_px
        mean, largest = self.mean_misplacement, self.max_misplacement
        counted = int(self.counted.sum())
        of = f", of {self.expected} in the calibration" if self.expected else ""
        aside = len(self.points) - counted
        more = f"; {aside} more are cut, saturated or left out by the fit" if aside else ""
        return "\n".join(
            (
                f"spots in the corrected image  {counted}{of}{more}",
                f"misplacement                  mean {mean:.5f}, max {largest:.5f} pitch",
                f"displacement left             {low:+.3f} to {high:+.3f} px, rms {self.rms_px:.4f} px",
            )
        )


def validate(
    result: Result | DistortionFit | Distortion,
    image: AnyArray | None = None,
    *,
    plate: Plate | None = None,
    mask: AnyArray | None = None,
    polarity: Polarity | None = None,
    hole_px: float | None = None,
    exposure: int = 0,
    progress: Progress | None = None,
) -> Validation:
    """Correct an image of the grid and measure how far its spots are from a perfect grid.

    Parameters
    ----------
    result : Result (such as a Calibration), DistortionFit or Distortion
    image : (ny, nx) as recorded; the one of the calibration when omitted
    plate : needed for a Distortion alone
    mask : (ny, nx) more pixels to ignore; the one of the calibration when omitted
    polarity, hole_px : as for :func:`~pyfai_gridcal.finding.detection.find_spots`
    exposure : which one, when the calibration has several
    progress : called with a fraction and what is being done

    Raises
    ------
    UsageError
        No image or no plate, or an image of another shape.
    PickingError, IndexingError
        There is no grid in the corrected image.
    """
    say = progress or untold
    distortion, fit = _parts(result)
    image, mask = _image(result, image, mask, exposure)
    if plate is None and fit is None:
        raise UsageError("a distortion without a plate", expected="plate=Plate(pitch)")
    plate = plate if plate is not None else fit.plate  # type: ignore[union-attr]
    # The image without its distortion: from here on, nothing but it and the plate counts.
    correcting = part_of(say, 0.0, 0.45)
    corrected = correct_known(image, distortion, mask=mask, progress=correcting)
    # The spots of a straight grid, found and indexed as if nobody had seen it before.
    points = _found(corrected, plate, polarity, hole_px, part_of(say, 0.45, 0.9))
    say(0.92, "comparing with the plate")
    # Which hole is which, where the plate lies as in the calibration: then the errors of its holes are known.
    known = fit.points[exposure] if fit is not None and exposure < len(fit.points) else None
    tied = None if known is None else _same_nodes(points, known, distortion.correct(known.yx) - corrected.offset)
    if tied is None:
        plate = without_errors(plate)
    points = points if tied is None else tied
    # Whole spots, and of them those that the fit believed.
    counted = (points.flags & _PARTIAL) == 0
    if tied is not None and fit is not None and known is not None:
        counted &= _among(points.ij, known.ij[fit.used[exposure]])
    if counted.sum() < _FEWEST:
        raise IndexingError(f"{int(counted.sum())} whole spots in the corrected image", expected="at least 9")
    points, pose, residual = _laid_on(plate, points, counted, corrected.pixel_size, free=tied is None)
    say(1.0, "validated")
    expected = None if tied is None or known is None else len(known)
    return Validation(corrected, points, residual, counted, plate.pitch_m, pose, expected)


def _parts(result: object) -> tuple[Distortion, DistortionFit | None]:
    """The distortion of a result, and the fit that it comes from where there is one."""
    fit = result if isinstance(result, DistortionFit) else getattr(result, "fit", None)
    distortion = result if isinstance(result, Distortion) else getattr(fit, "distortion", None)
    if distortion is None:
        raise TypeError(f"{type(result).__name__} given, expected a Calibration, DistortionFit or Distortion")
    return distortion, fit


def _found(
    corrected: CorrectedImage, plate: Plate, polarity: Polarity | None, hole_px: float | None, progress: Progress
) -> ControlPoints:
    """Spots of the corrected image with nodes of a lattice as the plate has it."""
    found = search_spots(corrected.data, mask=corrected.mask, polarity=polarity, hole_px=hole_px, progress=progress)
    hexagonal = abs(plate.angle_deg - 60) < 1 or abs(plate.angle_deg - 120) < 1
    return found.points(lattice="hexagonal" if hexagonal else "auto", angle_deg=plate.angle_deg)


def read_to_validate(
    path: str | PathLike[str],
    *,
    pitch: tuple[float, float] | None = None,
    angle: float | None = None,
    images: bool = False,
) -> tuple[Result | DistortionFit | Distortion, Plate | None]:
    """What a file holds and the plate to lay on it, the first arguments of :func:`validate`.

    Parameters
    ----------
    path : result of a calibration, or distortion file of any kind
    pitch : of the plate (along i, along j), metres; needed where the file knows of no plate
    angle : between the axes of the plate, degrees; by default that of the file, else 90
    images : read the images of the calibration too

    Returns
    -------
    The result, and None where its own plate is meant, which knows the errors of its holes too.

    Raises
    ------
    FileFormatError
        There is no such file, or it is none of the kinds.
    UsageError
        Neither the file nor the caller knows of a plate.
    """
    plateless = UsageError(f"{path} knows of no plate", hint="give its --pitch")
    try:
        result = load_result(path, images=images)
    except FileFormatError as error:
        if not Path(path).exists() or holds_result(path):  # which is damaged, or too new
            raise
        other = read_distortion(path)
        if pitch is None:
            raise plateless from error
        return other, Plate(pitch, angle or 90.0)
    own: Plate | None = getattr(getattr(result, "fit", result), "plate", None)
    if own is None:
        if pitch is None:
            raise plateless
        return result, Plate(pitch, angle or 90.0)
    asked = Plate(pitch or own.pitch_m, angle or own.angle_deg)
    same = np.allclose((*own.pitch_m, own.angle_deg), (*asked.pitch_m, asked.angle_deg), rtol=1e-6, atol=0)
    return result, None if same else asked


def validate_files(job: Validate, *, progress: Progress | None = None) -> Validation:
    """Validate what is in files; see :func:`validate`.

    Parameters
    ----------
    job : names of the files, and what they do not tell
    progress : called with a fraction and what is being done
    """
    say = progress or untold
    if job.detector_file is None:
        raise FileFormatError("no detector file to validate")
    pitch = None if job.pitch is None else as_pair(as_lengths(job.pitch, name="pitch"))
    result, plate = read_to_validate(job.detector_file, pitch=pitch, angle=job.angle, images=not job.images)
    image, mask = None, None
    if job.images:
        read = load_image(job.images, combine=job.combine, progress=part_of(say, 0.0, 0.1), **corrections_of(job))
        image, mask = read.data, read.mask
    polarity = None if job.polarity == "auto" else job.polarity
    return validate(result, image, plate=plate, mask=mask, polarity=polarity, progress=part_of(say, 0.1, 1.0))


def _image(
    result: object, image: AnyArray | None, mask: AnyArray | None, exposure: int
) -> tuple[AnyArray, AnyArray | None]:
    """The image as recorded, and the pixels of it that are to be ignored."""
    if image is None:
        images = getattr(result, "images", ())
        if exposure >= len(images):
            raise UsageError("no image to validate with", expected="image=, as recorded")
        masks = getattr(result, "masks", ())
        own = masks[exposure] if exposure < len(masks) else None
        return np.asarray(images[exposure]), own if mask is None else mask
    image = np.asarray(image)
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        broken = ~np.isfinite(image)
        mask = broken if mask is None else np.asarray(mask, bool) | broken
    return image, mask


def _same_nodes(points: ControlPoints, known: ControlPoints, where: Floats) -> ControlPoints | None:
    """The points with the indices of the calibration, by the integer map that most of them agree on.

    `where` (N, 2) is where the `known` points should be. None when the plate lies elsewhere in this image.
    """
    from scipy.spatial import cKDTree

    far, k = (np.asarray(v) for v in cKDTree(np.nan_to_num(where, nan=1e9)).query(points.yx))
    near = far < _NEAR * min(points.pitch_px)
    if near.sum() < max(_FEWEST, 0.5 * len(points)):
        return None
    design = np.column_stack([points.ij[near], np.ones(near.sum())])
    target = known.ij[k[near]].astype(float)
    keep = np.ones(len(target), bool)
    for _ in range(5):  # a few wrong ones do not turn it
        affine = np.linalg.lstsq(design[keep], target[keep], rcond=None)[0]
        keep = np.abs(design @ affine - target).max(axis=1) < 0.5
        if keep.mean() < 0.5:
            return None
    whole = np.rint(affine).astype(np.int64)
    if abs(round(float(np.linalg.det(whole[:2])))) != 1:
        return None
    return points.reindexed(whole[:2], whole[2])


def _among(ij: AnyArray, others: AnyArray) -> Bools:
    """Which of the nodes are in another list of nodes."""
    table = {(int(i), int(j)) for i, j in others}
    return np.fromiter(((int(i), int(j)) in table for i, j in ij), np.bool_, len(ij))


def _laid_on(
    plate: Plate, points: ControlPoints, counted: Bools, pixel_size: tuple[float, float], *, free: bool
) -> tuple[ControlPoints, Pose, Floats]:
    """Lay the plate on the points; when nothing ties the indices to the plate, in the best of the ways that its
    lattice allows."""
    turns = [np.eye(2, dtype=np.int64)]
    if free:
        step = np.array([[1, 1], [-1, 0]] if points.angle_deg < 75 else [[0, 1], [-1, 0]])
        turns = [np.linalg.matrix_power(step, k) for k in range(6 if points.angle_deg < 75 else 4)]
    best: tuple[float, ControlPoints, Pose, Floats] | None = None
    for turn in turns:
        turned = points.reindexed(turn)
        positions = plate.positions(turned.ij)
        weights = counted.astype(float) + 1e-12
        placement = place(positions, turned.yx, weights=weights, pixel_size=pixel_size)
        residual = turned.yx - placement.pose.corrected(positions, pixel_size)
        size = rms(residual[counted])
        if best is None or size < 0.999 * best[0]:
            best = size, turned, placement.pose, residual
    assert best is not None
    return best[1:]
