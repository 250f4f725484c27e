"""Points of powder rings: read from pyFAI's files, and refused where they cannot be rings of that calibrant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..base.arrays import AnyArray, Floats, Ints, freeze, in_a_line, select_rows
from ..base.atomic import read_text
from ..base.errors import FileFormatError, FittingError, UsageError
from ..base.geometry import as_pair
from ..base.silence import quiet
from ..io.kinds.pointers import GEOMETRY, MAX_BYTES, numbers_in
from ..records.distortion import Distortion
from .geometry import numbers_of, places_of, slopes, two_theta

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
        """(N,) by how much each point scatters farther than its ring, rad, and (N,) rad that a pixel along the radius
        stands for."""
        places = places_of(distortion, self.yx)
        numbers = numbers_of(self.geometry) if geometry is None else geometry
        per_px = np.linalg.norm(slopes(places, numbers)[0][:, :2] * distortion.pixel_size, axis=1)
        return two_theta(places, numbers) - self.two_theta, per_px

    def off_px(self, distortion: Distortion, geometry: Floats | None = None) -> Floats:
        """(N,) how far outside of its ring each point is, px along the radius."""
        left, per_px = self.left(distortion, geometry)
        return left / per_px


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
    path, poni = ring_files(named)
    geometry, wavelength = read_geometry(poni)
    return points_of_npt(path, geometry, wavelength)


def read_geometry(poni: Path) -> tuple[dict[str, float], float | None]:
    """Geometry of a PONI file, and its wavelength; FileFormatError where it has no geometry."""
    try:
        found = numbers_in(read_text(poni, MAX_BYTES))
    except ValueError:
        found = {}
    if not all(np.isfinite(found.get(name, np.nan)) for name in GEOMETRY):
        raise FileFormatError(f"{poni} tells no geometry", expected="a PONI file, as pyFAI-calib2 writes it")
    return {name: found[name] for name in GEOMETRY}, found.get("wavelength")


def points_of_npt(path: Path, geometry: Mapping[str, float], wavelength: float | None) -> RingPoints:
    """Points of a file of pyFAI's control points."""
    from pyFAI.control_points import ControlPoints

    with quiet("pyFAI"):
        try:
            read = ControlPoints(str(path))
        except (OSError, ValueError) as error:
            text = f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}"
            raise FileFormatError(text, expected="points of rings, as pyFAI-calib2 writes them") from error
        rows = np.array([row for row in read.getList() if row[2] is not None], float).reshape(-1, 3)
        wavelength = read.wavelength or wavelength
        if not wavelength or not len(read.dspacing):
            raise FileFormatError(f"{path} tells neither wavelength nor calibrant", hint="write it with pyFAI-calib2")
        read.calibrant.wavelength = wavelength
        angles = read.calibrant.get_2th()
    return ring_points(rows, angles, geometry, wavelength, str(read.calibrant.name or "as in the file"), path.name)


def ring_points(
    rows: Floats,
    angles: Floats,
    geometry: Mapping[str, float],
    wavelength: float,
    calibrant: str,
    name: str,
    sigma: Floats | None = None,
) -> RingPoints:
    """Points (N, 3) y, x, ring, of a calibrant with rings at `angles`, rad.

    Raises
    ------
    FileFormatError
        Rings that the calibrant does not have at this wavelength.
    FittingError
        Fewer points than determine a geometry.
    """
    known = np.array([np.nan if one is None else one for one in angles], float)
    ring = rows[:, 2].astype(int)
    if len(rows) and (ring.min() < 0 or ring.max() >= len(known) or not np.isfinite(known[ring]).all()):
        text = f"{name} has points of ring {ring.max()}"
        raise FileFormatError(text, expected=f"rings 0 to {np.isfinite(known).sum() - 1}, as {calibrant} has them")
    if len(rows) < FEWEST:
        raise FittingError(f"{len(rows)} points of rings in {name}", expected=f"at least {FEWEST}")
    sigma = np.full(len(rows), np.nan) if sigma is None else sigma
    return RingPoints(rows[:, :2], ring, known[ring], sigma, dict(geometry), wavelength, calibrant, name)


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
    places, numbers = places_of(distortion, points.yx), numbers_of(points.geometry)
    left, per_px = points.left(distortion)
    typical = float(np.median(np.abs(left / per_px)))
    steps = np.diff(np.unique(points.two_theta))
    apart = float(np.median(steps) / np.median(per_px)) if len(steps) else np.inf
    if typical > min(FARTHEST, CLEAR * apart):
        raise FittingError(
            f"points of {points.name} are {typical:.3g} px off their rings, which are {apart:.3g} px apart",
            expected="a geometry that puts them on the rings",
            hint=f"is it {points.calibrant}, are the numbers of the rings right, is the PONI file that of this image?",
        )
    size = as_pair(distortion.pixel_size)
    beam = numbers[1:3] + numbers[0] * np.array([np.tan(numbers[4]) / np.cos(numbers[3]), -np.tan(numbers[3])])
    around = np.sort(np.degrees(np.arctan2(*((places[:, :2] - beam) / size).T)))
    free = float(np.diff(np.append(around, around[0] + 360)).max())
    if free > 360 - NARROWEST:
        raise FittingError(
            f"points of {points.name} cover {360 - free:.0f} degrees of the rings", expected=f"at least {NARROWEST:g}"
        )
