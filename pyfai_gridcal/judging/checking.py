"""What do the programs that will use a file make of it? Loaded by themselves, compared pixel by pixel with what is
meant.
"""

from __future__ import annotations

import importlib.util
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..base.arrays import AnyArray, Bools, Floats
from ..base.errors import GridcalError, UsageError
from ..base.frames import edge_from_index, index_from_edge, pixel_centres, raster_places
from ..base.robust import rms
from ..base.silence import quiet
from ..io.kinds.kinds import KINDS, DistortionFile, locate, open_distortion
from ..io.kinds.neighbours import lookup_error
from ..io.kinds.pointers import NO_SENSOR, detector_of, offset_files_of, wants_parallax
from ..records.distortion import Distortion
from ..records.jobs import Alignment, Reading
from .comparison import align, require_same_shape
from .dialects import Agreement, agreement
from .findings import Finding, Opinion
from .inspection import inspect

__all__ = ["Difference", "FileCheck", "check_file", "difference"]


#: What is said of files for images in another orientation than 3.
TURNED = (
    "for images in orientation {}: pyFAI's methods read such detectors in different ways; convert to .h5 mends that"
)


#: What is said of the maps for DIALS.
LOOKED_UP = (
    "DIALS looks up what belongs to where a point was seen where it should be: from mm to pixels it is up to {:.2g} px "
    "off, {:.2g} px rms; from pixels to mm it is right at the centres"
)


@dataclass(frozen=True)
class FileCheck:
    """What was found about one file.

    Attributes
    ----------
    source : the file and the distortion that it means; None when it cannot be read
    opinions : of the programs
    findings : about the file itself
    """

    path: Path
    source: DistortionFile | None
    opinions: tuple[Opinion, ...]
    findings: tuple[Finding, ...]

    @property
    def good(self) -> bool:
        """Nothing is wrong with the file."""
        return (
            self.source is not None
            and not any(o.wrong for o in self.opinions)
            and not any(f.wrong for f in self.findings)
        )

    def report(self) -> str:
        """The same in words."""
        lines = [str(self.path)]
        if self.source is not None:
            d = self.source.distortion
            slow, fast = (1e6 * p for p in d.pixel_size)
            kind = KINDS[self.source.kind]
            lines.append(f"  kind:      {kind.title}: {kind.statement}")
            lines.append(f"  detector:  {d.shape[0]} x {d.shape[1]} pixels of {slow:.6g} x {fast:.6g} µm (slow x fast)")
            lines += [f"  holds:     {words}" for words in d.traits.words()]
        for o in self.opinions:
            lines.append(f"  {o.program + ':':<10} {_words(o)}")
        lines += [f"  {'wrong' if f.wrong else 'note'}:{' ' * (5 if f.wrong else 6)}{f.text}" for f in self.findings]
        lines.append(f"  verdict:   {'good' if self.good else 'not as it should be'}")
        return "\n".join(lines)


def _words(o: Opinion) -> str:
    if o.found is None:
        return f"cannot read it by {o.way}: {o.trouble}"
    a = o.found
    text = (
        f"by {o.way}: mean ({a.mean[0]:+.4f}, {a.mean[1]:+.4f}) px, rms {a.rms:.2g} px, largest {a.largest:.2g} px off"
    )
    if a.agreed:
        return f"agrees, {text}"
    head = "DISAGREES" if o.intended else "differs (the file is not made for it)"
    return f"{head}, {text}" + (f"; {a.dialect} (left: {a.left:.2g} px)" if a.dialect else "")


def check_file(path: str | PathLike[str] | Sequence[str | PathLike[str]], reading: Reading | None = None) -> FileCheck:
    """Load a distortion file with the programs that will use it, and look at the file itself.

    Parameters
    ----------
    path : file, or both maps of a pair (x, then y)
    reading : what it does not tell about itself
    """
    kind, paths, files = locate(path, reading)
    findings = list(inspect(files[0]))
    source: DistortionFile | None = None
    try:
        source = open_distortion(path, reading)
    except UsageError:
        raise
    except GridcalError as error:
        findings.insert(0, Finding(f"it cannot be used: {error}", wrong=True))
        return FileCheck(paths[0], None, (), tuple(findings))
    meant = positions(source.distortion)
    known = None if source.distortion.mask is None else ~np.asarray(source.distortion.mask)
    plain = reading is None or (reading.binning, reading.orientation, reading.roi) == ((1, 1), None, None)
    if source.orientation != 3:
        findings.insert(0, Finding(TURNED.format(source.orientation), wrong=True))
    if kind.name in ("poni", "json") and wants_parallax(paths[0]) and source.distortion.traits.sensor is None:
        findings.insert(0, Finding(NO_SENSOR, wrong=True))
    if kind.name == "dials":
        off = lookup_error(source.distortion)
        off = off if known is None else off[known]
        findings.append(Finding(LOOKED_UP.format(float(off.max(initial=0)), rms(off.ravel()))))
    opinions: list[Opinion] = []
    if plain:
        heard = (ask(kind.name, paths, source, meant, known) for ask in (_pyfai, _imaged11))
        opinions = [o for o in heard if o]
    return FileCheck(paths[0], source, tuple(opinions), tuple(findings))


def positions(distortion: Distortion) -> Floats:
    """Corrected positions (ny, nx, 2) of the pixel centres, px, index frame.

    For pixels with their own corners it is the mean of the four, as all programs take it.
    """
    if distortion.is_tiled:
        corners = distortion.pixel_corners(np.float64)[..., 1:]
        return index_from_edge(corners.mean(axis=2) / distortion.pixel_size)
    dy, dx = distortion.displacement_maps()
    y, x = pixel_centres(distortion.shape)
    return np.stack([dy + y[:, None], dx + x[None, :]], axis=-1)


# -- pyFAI
def _pyfai(
    kind: str, paths: tuple[Path, ...], source: DistortionFile, meant: Floats, known: Bools | None
) -> Opinion | None:
    intended = kind in ("nexus", "spline", "spd", "poni", "json")
    way = "detector_factory"
    try:
        with quiet("pyFAI"), warnings.catch_warnings(action="ignore"):
            detector, way = _pyfai_detector(kind, paths, source)
            if detector is None:
                return None
            p1, p2, _ = detector.calc_cartesian_positions()
    except Exception as error:  # whatever pyFAI stumbles over is the answer
        return Opinion("pyFAI", way, None, f"{type(error).__name__}: {error}", intended)
    if p1.shape != source.distortion.shape:
        return Opinion("pyFAI", way, None, f"it takes the detector for one of {p1.shape} pixels", intended)
    theirs = index_from_edge(np.stack([p1, p2], axis=-1) / source.distortion.pixel_size)
    return Opinion("pyFAI", way, agreement(meant, theirs, known), intended=intended)


def _pyfai_detector(kind: str, paths: tuple[Path, ...], source: DistortionFile) -> tuple[Any, str]:
    from pyFAI.detectors import Detector, detector_factory

    if kind == "nexus":
        return detector_factory(str(paths[0])), "detector_factory"
    if kind == "json":
        offsets = offset_files_of(paths[0])
        name, files = offsets or ("NexusDetector", (detector_of(paths[0]),))
        keys = ("x_offset_file", "y_offset_file") if offsets else ("filename",)
        config = {**dict(zip(keys, map(str, files), strict=True)), "orientation": source.orientation}
        return detector_factory(name, config), "detector_factory, on what it names"
    if kind == "poni":
        import pyFAI

        with chdir(paths[0].absolute().parent):  # from which alone it opens relative paths
            return pyFAI.load(paths[0].name).detector, "pyFAI.load"
    if kind in ("spline", "spline-inverse"):
        return Detector(splinefile=str(paths[0])), "Detector(splinefile=...)"
    if kind in ("imaged11", "spd", "xds", "tiff"):
        from ..io.kinds.rasters import read_raster

        pixel1, pixel2 = source.distortion.pixel_size
        detector = Detector(pixel1, pixel2, max_shape=source.distortion.shape, orientation=3)
        scale = 0.01 if kind == "xds" else 1.0
        dx, dy = (scale * np.asarray(read_raster(p)[0], float) for p in paths)
        detector.set_dx(dx)
        detector.set_dy(dy)
        return detector, "set_dx and set_dy, as detector2nexus does it"
    return None, ""


# -- ImageD11
def _imaged11(
    kind: str, paths: tuple[Path, ...], source: DistortionFile, meant: Floats, known: Bools | None
) -> Opinion | None:
    if kind not in ("spline", "spline-inverse", "imaged11", "nexus") or importlib.util.find_spec("ImageD11") is None:
        return None
    intended = kind == "imaged11"
    ny, nx = source.distortion.shape
    way = ""
    try:
        with quiet("ImageD11"), warnings.catch_warnings(action="ignore"):
            from ImageD11 import blobcorrector

            if kind == "imaged11":
                way = "detector_spatial(e2dx, e2dy)"
                found = blobcorrector.detector_spatial(dxfile=str(paths[0]), dyfile=str(paths[1]))
                theirs = raster_places(*pixel_centres((ny, nx))) + np.stack([found.dy, found.dx], axis=-1)
            elif kind == "nexus":
                way = "detector_spatial(h5file), as if named Eiger2_CdTe_4M"
                dx, dy = _imaged11_nexus(blobcorrector, paths[0])
                theirs = raster_places(*pixel_centres((ny, nx))) + np.stack([dy, dx], axis=-1)
            else:
                way = "correctorclass(spline)"
                slow, fast = blobcorrector.correctorclass(str(paths[0])).make_pixel_lut((ny, nx))
                theirs = np.stack([slow, fast], axis=-1)
    except Exception as error:
        return Opinion("ImageD11", way, None, f"{type(error).__name__}: {error}", intended)
    return Opinion("ImageD11", way, agreement(meant, theirs, known), intended=intended)


def _imaged11_nexus(blobcorrector: Any, path: Path) -> tuple[AnyArray, AnyArray]:
    """ImageD11 looks in the first entry for detectors of two names only: give the file's detector such a name, by a
    link.
    """
    import h5py

    from ..base.opening import make_hdf5, reading_hdf5
    from ..io.nexus.contents import find_detector

    with reading_hdf5(path) as file:
        name = find_detector(file).name
    with tempfile.TemporaryDirectory() as folder:
        alias = Path(folder) / "alias.h5"
        with make_hdf5(alias) as file:
            file["entry_0000/pyFAI/Eiger2_CdTe_4M"] = h5py.ExternalLink(str(path.resolve()), name)
        found = blobcorrector.detector_spatial(h5file=str(alias), detector="eiger")
        return np.asarray(found.dx, float), np.asarray(found.dy, float)


# -- two files
_GAUGES: tuple[Alignment, Alignment] = ("rigid", "similarity")


@dataclass(frozen=True)
class Difference:
    """How two calibrations of the same camera differ.

    Attributes
    ----------
    raw : as they are
    rms, largest : after the best rigid motion is taken out, px of the first
    shift : (dy, dx) of that motion at the middle of the detector, px
    rotation : of that motion, degrees
    scale : of the second relative to the first, by which it would fit still better
    scaled_rms : what that would leave, px
    pixels : compared
    """

    raw: Agreement
    rms: float
    largest: float
    shift: tuple[float, float]
    rotation: float
    scale: float
    scaled_rms: float
    pixels: int

    def report(self) -> str:
        """The same in words."""
        raw = self.raw
        mean, motion = f"({raw.mean[0]:+.4f}, {raw.mean[1]:+.4f})", f"({self.shift[0]:+.4f}, {self.shift[1]:+.4f})"
        lines = [
            f"  as they are:          mean {mean} px, rms {raw.rms:.3g} px, largest {raw.largest:.3g} px",
            f"  rigid motion between: shift {motion} px, rotation {self.rotation:+.5f} degrees",
            f"  without it:           rms {self.rms:.3g} px, largest {self.largest:.3g} px ({self.pixels} pixels)",
            f"  scale:                {self.scale:.7f} (without it too: rms {self.scaled_rms:.3g} px)",
        ]
        if raw.dialect:
            lines.append(f"  diagnosis:            {raw.dialect} (left: {raw.left:.2g} px)")
        return "\n".join(lines)


def difference(a: Distortion, b: Distortion) -> Difference:
    """Compare two distortions of the same detector, as they are and modulo a rigid motion (in metres, of all known
    pixels).

    Raises
    ------
    UsageError
        They have other shapes, or no pixel is known to both.
    """
    require_same_shape(a, b)
    size = np.array(a.pixel_size)
    pa, pb = positions(a), _in_pixels_of(positions(b), b, a)
    finite = np.asarray(np.isfinite(pa).all(axis=-1) & np.isfinite(pb).all(axis=-1))
    for one in (a, b):
        if one.mask is not None:
            finite &= ~one.mask
    if not finite.any():
        raise UsageError("no pixel is known to both files")
    # Modulo a shift and a turn, and how much better with a scale too.
    u, v = pa[finite] * size, pb[finite] * size
    rigid, similar = (align(u, v, gauge=gauge, robust=False) for gauge in _GAUGES)
    left, scaled = (motion.left(u, v) / size for motion in (rigid, similar))
    length = np.hypot(*left.T)
    middle = (np.array(a.shape) - 1) / 2 * size
    slow, fast = (rigid.matrix @ middle + rigid.shift - middle) / size
    return Difference(
        agreement(pa, pb, finite),
        rms(length),
        float(length.max()),
        (float(slow), float(fast)),
        -float(np.degrees(rigid.angle_rad)),
        similar.scale,
        rms(np.hypot(*scaled.T)),
        int(finite.sum()),
    )


def _in_pixels_of(position: Floats, of: Distortion, other: Distortion) -> Floats:
    return index_from_edge(edge_from_index(position) * of.pixel_size / np.array(other.pixel_size))
