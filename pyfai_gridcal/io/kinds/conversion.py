"""From one kind of distortion file to another, with the loss measured by reading back what was written."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import numpy as np

from ...base.errors import GridcalError, UsageError
from ...base.progress import Progress
from ...records.distortion import Distortion
from ...records.jobs import Convert, Reading
from .kinds import KINDS, DistortionFile, kind_for_output, locate, open_distortion, read_distortion
from .options import Writing
from .pointers import NO_SENSOR, pointed, wants_parallax
from .poni import keeping

__all__ = ["Conversion", "convert", "convert_files", "corner_deviation", "export", "what_opens"]


@dataclass(frozen=True)
class Conversion:
    """What was written and what it lost.

    Attributes
    ----------
    written : files
    kind : name of the kind
    largest, rms : distance of the pixel corners from the ones that were meant, px, pixels known to both
    remarks : what the kind could not hold, in words
    source : where it came from, None for a distortion in memory
    """

    written: tuple[Path, ...]
    kind: str
    largest: float
    rms: float
    remarks: tuple[str, ...] = ()
    source: DistortionFile | None = None

    def report(self) -> str:
        """The same in words."""
        lines = []
        if self.source is not None:
            names = ", ".join(str(p) for p in self.source.paths)
            d = self.source.distortion
            by = "binned {} x {} to ".format(*self.source.binning) if self.source.binning != (1, 1) else ""
            lines.append(f"read:    {names} ({KINDS[self.source.kind].title}, {by}{d.shape[0]} x {d.shape[1]} pixels)")
            said = f"note:    the input is for images in pyFAI's orientation {self.source.orientation}"
            lines += [said] if self.source.orientation != 3 else []
        lines.append(f"written: {', '.join(str(p) for p in self.written)} ({KINDS[self.kind].title})")
        lines.append(f"holds:   {KINDS[self.kind].statement}")
        lines.append(f"loss:    {self.largest:.2g} px at most, {self.rms:.2g} px rms, at the pixel corners")
        lines += [f"note:    {remark}" for remark in self.remarks]
        return "\n".join(lines)


def convert(
    source: str | PathLike[str] | Sequence[str | PathLike[str]],
    target: str | PathLike[str],
    *,
    kind: str | None = None,
    reading: Reading | None = None,
    writing: Writing | None = None,
    like: str | PathLike[str] | None = None,
) -> Conversion:
    """Read a distortion file and write it as another kind.

    Parameters
    ----------
    source : file, or both maps of a pair (x, then y)
    target : file to write; its suffix tells the kind
    kind : name of the kind to write, when the suffix does not tell it (see :data:`pyfai_gridcal.io.kinds.kinds.KINDS`)
    reading : what the source does not tell about itself
    writing : wanted deviation of a spline, force, name of the detector
    like : PONI file whose experiment a new one keeps; the detector is for the same images, turned to orientation 3
        where the reading tells in which they are

    Raises
    ------
    FileFormatError, FittingError, UsageError
        The source is damaged or lacks something; the kind cannot hold the field; the target is the source.
    """
    out = kind_for_output(target, kind)
    opened = open_distortion(source, reading)
    if any(Path(target).resolve() == p.resolve() for p in opened.paths):
        raise UsageError(f"{target} is the input", hint="choose another name")
    writing = writing or Writing()
    if like is not None and out.name != "poni":
        raise UsageError(f"{target} like {like}", expected="a .poni: other files hold no geometry")
    plain = reading is None or replace(reading, kind=None, shape=None, sensor=None) == Reading()
    if opened.kind == "nexus" and plain and opened.orientation == 3 and writing.source is None:
        writing = replace(writing, source=opened.paths[0])
    if like is not None:
        turned = None if reading is None else reading.orientation
        writing = replace(writing, told=keeping(like, opened.distortion, turned=turned, force=writing.force))
    result = export(opened.distortion, target, kind=out.name, writing=writing)
    return replace(result, source=opened)


def convert_files(job: Convert, *, progress: Progress | None = None) -> Conversion:
    """Convert what a job names; see :func:`convert`."""
    source = job.detector_file if len(job.detector_file) > 1 else job.detector_file[0]
    writing = Writing(job.tolerance, job.force, job.name, progress=progress, relative=job.relative)
    return convert(source, job.output, kind=job.kind, reading=job.reading, writing=writing, like=job.like_poni)


def export(
    distortion: Distortion, target: str | PathLike[str], *, kind: str | None = None, writing: Writing | None = None
) -> Conversion:
    """Write a distortion as one of the kinds and read it back to say what was lost; see :func:`convert`."""
    out = kind_for_output(target, kind)
    written = tuple(out.write(distortion, Path(target), writing or Writing()))
    told = Reading(kind=out.name, shape=distortion.shape, pixel_size=distortion.pixel_size)
    pair = written if out.pair else written[-1:]
    back = open_distortion(list(pair), told).distortion
    largest, rms = corner_deviation(distortion, back)
    remarks = []
    if distortion.mask is not None and distortion.mask.any() and back.mask is None:
        remarks.append(f"the mask of {int(np.sum(distortion.mask))} pixels is not in the file")
    if distortion.sigma is not None and out.name not in ("nexus", "poni", "json"):
        remarks.append("the uncertainty is not in the file")
    if distortion.depth is not None and back.depth is None:
        remarks.append(
            f"the depth of the pixels, up to {1e6 * np.abs(distortion.depth).max():.3g} µm, is not in the file"
        )
    there = back.traits.words()
    remarks += [f"{words} is not in the file" for words in distortion.traits.words() if words not in there]
    if not out.keeps_size:
        slow, fast = (1e6 * p for p in distortion.pixel_size)
        remarks.append(f"the pixel size, {slow:.6g} x {fast:.6g} µm (slow, fast), is not in the file")
    if out.name in ("poni", "json"):
        path = written[-1]
        remarks += [NO_SENSOR] if wants_parallax(path) and back.traits.sensor is None else []
        remarks += [f"pyFAI finds the detector only from {path.absolute().parent}"] if pointed(path).relative else []
    return Conversion(written, out.name, largest, rms, tuple(remarks))


def corner_deviation(a: Distortion, b: Distortion, *, rows: int = 256) -> tuple[float, float]:
    """(largest, rms) distance of corresponding pixel corners, px of `a`, over the pixels that neither masks.

    Positions on the detector plane are compared, so another pixel size counts. NaN when there is no such pixel.
    """
    if a.shape != b.shape:
        raise UsageError(f"detectors of {a.shape} and {b.shape} pixels", expected="the same shape")
    corners = [d.pixel_corners(np.float64) for d in (a, b)]
    known = np.ones(a.shape, bool)
    for d in (a, b):
        if d.mask is not None:
            known &= ~np.asarray(d.mask)
    largest, total, count = 0.0, 0.0, 0
    for start in range(0, a.shape[0], rows):
        part = slice(start, start + rows)
        gap = (corners[0][part] - corners[1][part])[known[part]][..., 1:] / a.pixel_size
        square = (gap**2).sum(axis=-1)
        largest = max(largest, float(square.max(initial=0)))
        total, count = total + float(square.sum()), count + square.size
    return (float(np.sqrt(largest)), float(np.sqrt(total / count))) if count else (float("nan"), float("nan"))


def what_opens(file: Path) -> str | None:
    """What opens a file that is no calibration, in words; None of an HDF5 file of which the first error says it all."""
    from ...base.opening import is_hdf5
    from ..images.images import load_image
    from ..nexus.contents import holds_detector, holds_result

    if holds_result(file):  # damaged, or too new
        return None
    if file.suffix.lower() == ".poni":
        return "pyFAI.load opens PONI files"
    if holds_detector(file):
        return "it is a detector of other origin: pyFAI.detectors.detector_factory opens it"
    with suppress(GridcalError):
        load_image(file)
        return "it is an image: pyfai_gridcal.io.images.images.load_image reads it"
    with suppress(GridcalError):
        read_distortion(file)
        return f"it is a {locate(file)[0].title}: pyfai_gridcal.io.kinds.kinds.read_distortion reads it"
    return None if is_hdf5(file) else "it is nothing that this package reads"
