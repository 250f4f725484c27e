"""Points of powder rings: read from pyFAI's files, and refused where they cannot be rings of that calibrant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..base.arrays import AnyArray, Floats, Ints, freeze, in_a_line, select_rows
from ..base.atomic import read_text
from ..base.errors import FileFormatError, FittingError, UsageError
from ..base.silence import quiet
from ..io.kinds.pointers import GEOMETRY, MAX_BYTES, numbers_in
from ..records.distortion import Distortion
from .geometry import numbers_of, places_of, slopes, two_theta

if TYPE_CHECKING:
    from pyFAI.calibrant import Calibrant

#: Fewest points of an image, and the narrowest part of a turn that they cover, degrees: five numbers are unknown.
FEWEST, NARROWEST = 12, 20.0
#: Points off by more than this many px are those of another ring: distortions of detectors in use reach some 60 px, but
#: not between neighbouring rings ...
FARTHEST = 60.0
#: ... and those off by more than this part of the distance to the next ring, typically, may belong to that one.
CLEAR = 0.35
#: This part of the points may be beyond the border of the detector, by their noise.
_STRAY = 0.01


@dataclass(frozen=True, eq=False)
class RingPoints:
    """Points of the rings of one image.

    Attributes
    ----------
    yx : (N, 2) observed, px, index frame
    ring : (N,) number of the ring, from 0
    two_theta : (N,) where the calibrant has it, rad
    sigma : (N,) standard uncertainty along the radius, px; NaN where it is not known
    geometry : dist, poni1, poni2, rot1, rot2, rot3 to begin with, metres and radians
    wavelength : metres
    calibrant : pyFAI's name of it
    name : of the image
    """

    yx: Floats
    ring: Ints
    two_theta: Floats
    sigma: Floats
    geometry: Mapping[str, float]
    wavelength: float
    calibrant: str
    name: str = "rings"

    __repr__ = in_a_line

    def __post_init__(self) -> None:
        freeze(self, 2, "yx")
        freeze(self, 1, "two_theta", "sigma")
        freeze(self, 1, "ring", dtype=np.int64)

    def __len__(self) -> int:
        return len(self.yx)

    def select(self, which: AnyArray) -> RingPoints:
        """The points of a boolean mask or an array of indices."""
        return select_rows(self, which, "yx", "ring", "two_theta", "sigma")

    def left(self, distortion: Distortion, geometry: Floats | None = None) -> tuple[Floats, Floats]:
        """(N,) by how much each point scatters farther than its ring, rad, and px along the radius."""
        places = places_of(distortion, self.yx)
        numbers = numbers_of(self.geometry) if geometry is None else geometry
        left = two_theta(places, numbers) - self.two_theta
        return left, left / np.linalg.norm(slopes(places, numbers)[0][:, :2] * distortion.pixel_size, axis=1)

    def off_px(self, distortion: Distortion, geometry: Floats | None = None) -> Floats:
        """(N,) how far outside of its ring each point is, px along the radius."""
        return self.left(distortion, geometry)[1]

    def azimuth(self, distortion: Distortion, geometry: Floats) -> Floats:
        """(N,) degrees about the beam, on the detector: 0 along fast, 90 along slow."""
        outward = slopes(places_of(distortion, self.yx), geometry)[0]
        return np.degrees(np.arctan2(outward[:, 0], outward[:, 1]))

    def apart_px(self, distortion: Distortion) -> float:
        """How far apart rings are that follow each other, typically, px; infinite for a single one."""
        steps = np.diff(np.unique(self.two_theta))
        px = slopes(places_of(distortion, self.yx), numbers_of(self.geometry))[0][:, :2] * distortion.pixel_size
        return float(np.median(steps) / np.median(np.linalg.norm(px, axis=1))) if len(steps) else np.inf


def ring_files(named: str) -> tuple[Path, Path]:
    """Points and geometry of ``FILE.npt:GEOMETRY.poni``; UsageError where it is not two such names."""
    parts = re.fullmatch(r"(.+?\.npt):(.+)", named)
    if parts is None:
        raise UsageError(f"rings {named!r}", expected="FILE.npt:GEOMETRY.poni, as pyFAI-calib2 writes both")
    return Path(parts[1]), Path(parts[2])


def read_rings(named: str) -> RingPoints:
    """Points of ``FILE.npt:GEOMETRY.poni``, as pyFAI-calib2 writes both.

    Raises
    ------
    UsageError
        Not two such names.
    FileFormatError
        Files that are not there, or hold no points, rings, wavelength or geometry.
    """
    from pyFAI.control_points import ControlPoints

    path, poni = ring_files(named)
    try:
        told = numbers_in(read_text(poni, MAX_BYTES))
    except ValueError:
        told = {}
    if not all(np.isfinite(told.get(name, np.nan)) for name in GEOMETRY):
        raise FileFormatError(f"{poni} tells no geometry", expected="a PONI file, as pyFAI-calib2 writes it")
    with quiet("pyFAI"):
        try:
            read = ControlPoints(str(path))
        except (OSError, ValueError) as error:
            text = f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}"
            raise FileFormatError(text, expected="points of rings, as pyFAI-calib2 writes them") from error
        rows = np.array([row for row in read.getList() if row[2] is not None], float).reshape(-1, 3)
        calibrant, wavelength = read.calibrant, read.wavelength or told.get("wavelength")
        if not wavelength or not len(read.dspacing):
            raise FileFormatError(f"{path} tells neither wavelength nor calibrant", hint="write it with pyFAI-calib2")
        calibrant.wavelength = wavelength
        return ring_points(rows, calibrant, {name: told[name] for name in GEOMETRY}, path.name)


def ring_points(
    rows: Floats, calibrant: Calibrant, geometry: Mapping[str, float], name: str, sigma: Floats | None = None
) -> RingPoints:
    """Points (N, 3) y, x, ring, of a calibrant that is told the wavelength.

    Raises
    ------
    FileFormatError
        Rings that the calibrant does not have at this wavelength.
    FittingError
        Fewer points than determine a geometry.
    """
    known, ring = ring_angles(calibrant), rows[:, 2].astype(int)
    called = str(calibrant.name or "as in the file")
    if len(rows) and (ring.min() < 0 or ring.max() >= len(known) or not np.isfinite(known[ring]).all()):
        text = f"{name} has points of ring {ring.max()}"
        raise FileFormatError(text, expected=f"rings 0 to {np.isfinite(known).sum() - 1}, as {called} has them")
    if len(rows) < FEWEST:
        raise FittingError(f"{len(rows)} points of rings in {name}", expected=f"at least {FEWEST}")
    sigma = np.full(len(rows), np.nan) if sigma is None else sigma
    return RingPoints(rows[:, :2], ring, known[ring], sigma, dict(geometry), calibrant.wavelength, called, name)


def ring_angles(calibrant: Calibrant) -> Floats:
    """Scattering angles (R,) of the rings, rad; NaN where the wavelength has none."""
    return np.array(calibrant.get_2th(), float)


def require_rings(points: RingPoints, distortion: Distortion) -> None:
    """Refuse points that are not on the rings that they say to be on.

    Raises
    ------
    FittingError
        Another detector, or a geometry, a calibrant or numbers of rings that the points contradict.
    """
    half = np.array(distortion.shape) / 2
    outside = int((np.abs(points.yx + 0.5 - half) > half).any(axis=1).sum())
    if outside > _STRAY * len(points):
        raise FittingError(
            f"{outside} of the {len(points)} points of {points.name} are outside of the detector",
            expected=f"points of an image of shape {distortion.shape}",
        )
    typical, apart = float(np.median(np.abs(points.off_px(distortion)))), points.apart_px(distortion)
    if typical > min(FARTHEST, CLEAR * apart):
        raise FittingError(
            f"points of {points.name} are {typical:.3g} px off their rings, which are {apart:.3g} px apart",
            expected="a geometry that puts them on the rings",
            hint=f"is it {points.calibrant}, are the numbers of the rings right, is the PONI file that of this image?",
        )
    around = np.sort(points.azimuth(distortion, numbers_of(points.geometry)))
    free = float(np.diff(np.append(around, around[0] + 360)).max())
    if free > 360 - NARROWEST:
        raise FittingError(
            f"points of {points.name} cover {360 - free:.0f} degrees of the rings", expected=f"at least {NARROWEST:g}"
        )
