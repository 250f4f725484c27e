"""Points of rings in an image: pyFAI finds them, a fit of the ring around each of them places it.

pyFAI's points are brightest pixels with a parabola through them, and scatter by a third of a pixel. Around each, the
profile of the ring (a Gaussian on a sloping background, brighter on one side where the ring has texture) is fitted to
the pixels by their distance from the ring, so that a bent ring remains bent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..base.arrays import AnyArray, Bools, Floats
from ..base.errors import PickingError, UsageError
from ..base.silence import quiet
from .points import RingPoints, ring_angles, ring_points

if TYPE_CHECKING:
    from pyFAI.calibrant import Calibrant
    from pyFAI.detectors import Detector

#: Half the sides of the pixels looked at around a point, px; along the ring half of that counts.
_REACH = 9
#: Smallest part of those pixels that must be valid, so that the background has two sides.
_VALID = 0.7
#: Points whose place is more uncertain than this, px, are none.
_WORST = 0.5
#: Least part of pyFAI's points that must be on a ring: of the right calibrant 0.73 were and more, also where rings are
#: weak, with others, or a distance that is off by a tenth, 0.42 and less.
_ON_RINGS = 0.55


def calibrant_of(name: str, wavelength: float) -> Calibrant:
    """pyFAI's calibrant of a name, or of a file of its kind, at a wavelength (m).

    Raises
    ------
    UsageError
        There is no such calibrant.
    """
    from pyFAI.calibrant import CALIBRANT_FACTORY, Calibrant

    with quiet("pyFAI"):
        try:
            out = CALIBRANT_FACTORY(name) if name in CALIBRANT_FACTORY else Calibrant(filename=name)
            known = bool(len(out.dspacing))
        except Exception:  # whatever pyFAI stumbles over
            known = False
        if not known:
            text = "one of pyFAI's calibrants, such as CeO2, LaB6, Si, or a file of d-spacings"
            raise UsageError(f"calibrant {name!r}", expected=text)
        out.wavelength = wavelength
    return out


def pick_rings(
    image: AnyArray,
    detector: Detector,
    geometry: Mapping[str, float],
    wavelength: float,
    calibrant: str,
    *,
    mask: Bools | None = None,
    name: str = "rings",
) -> RingPoints:
    """Find points of all rings of an image.

    Parameters
    ----------
    image : (ny, nx) counts
    detector : pyFAI's, with which the geometry puts the rings about where they are
    geometry : dist, poni1, poni2, rot1, rot2, rot3, metres and radians
    wavelength : metres
    calibrant : pyFAI's name of it
    mask : (ny, nx) pixels to ignore (True), besides those of the detector

    Raises
    ------
    PickingError
        No rings there.
    """
    from pyFAI.goniometer import SingleGeometry

    image = np.asarray(image, float)
    bad = ~np.isfinite(image) if mask is None else ~np.isfinite(image) | mask
    if detector.mask is not None:
        bad |= np.asarray(detector.mask, bool)
    detector.mask = bad.astype(np.int8)
    image = np.where(bad, 0.0, image)
    known = calibrant_of(calibrant, wavelength)
    with quiet("pyFAI"):
        single = SingleGeometry(name, image, calibrant=known, detector=detector, geometry={**geometry})
        try:
            single.extract_cp(pts_per_deg=1.0)
        except (IndexError, ValueError):  # nothing of any ring
            single.geometry_refinement.data = np.zeros((0, 3))
        rows = np.asarray(single.geometry_refinement.data, float).reshape(-1, 3)
        angle = np.asarray(single.geometry_refinement.center_array(image.shape, unit="2th_rad", scale=False))
    rows = rows[((rows[:, :2] > _REACH) & (rows[:, :2] < np.array(image.shape) - _REACH - 1)).all(axis=1)]
    yx, sigma = _placed(image, ~bad, angle, rows, ring_angles(known))
    kept = np.flatnonzero(sigma < _WORST)
    if len(kept) < max(3, _ON_RINGS * len(rows)):
        raise PickingError(
            f"{len(kept)} of the {len(rows)} brightest points where {calibrant} has its rings are on a ring in {name}",
            expected=f"{_ON_RINGS:.0%} and more",
            hint="is the PONI file that of this image, and the calibrant right?",
        )
    placed = np.column_stack([yx, rows[:, 2]])[kept]
    return replace(ring_points(placed, known, geometry, name, sigma[kept]), calibrant=calibrant)


def _placed(image: Floats, valid: Bools, angle: Floats, rows: Floats, angles: Floats) -> tuple[Floats, Floats]:
    """Places (N, 2) of points (N, 3), and their sigma (N,), px; infinite where no ring can be fitted.

    The image has counts, those that count, and the scattering angle (rad) of each pixel; rings have `angles`.
    """
    slope = np.stack([np.gradient(angle, axis=k) for k in range(2)], axis=-1)
    dy, dx = (v.ravel() for v in np.meshgrid(*[np.arange(-_REACH, _REACH + 1)] * 2, indexing="ij"))
    yx, sigma = rows[:, :2].copy(), np.full(len(rows), np.inf)
    for ring in np.unique(rows[:, 2]).astype(int):
        which = rows[:, 2] == ring
        at = np.rint(yx[which]).astype(int)
        up = slope[at[:, 0], at[:, 1]]
        size = np.linalg.norm(up, axis=1)
        unit = up / size[:, None]
        # half the way to the next ring, px
        room = np.nanmin(np.abs(np.delete(angles, ring) - angles[ring]), initial=np.inf) / np.median(size) / 2
        # along the radius from the ring: pyFAI's point, then what the fit says
        first = ((yx[which] - at) * unit).sum(axis=1) + (angle[at[:, 0], at[:, 1]] - angles[ring]) / size
        y, x = at[:, :1] + dy, at[:, 1:] + dx
        along = (unit[:, :1] * dx - unit[:, 1:] * dy) / _REACH
        off = (angle[y, x] - angles[ring]) / size[:, None]
        middle, found = _fitted(image[y, x], valid[y, x], off, along, first, float(room))
        yx[which] += (middle - first)[:, None] * unit
        sigma[which] = np.where(np.abs(middle - first) < 3.0, found, np.inf)
    return yx, sigma


def _fitted(
    counts: Floats, valid: Bools, off: Floats, along: Floats, first: Floats, room: float
) -> tuple[Floats, Floats]:
    """Middle of the ring near each of N points, px along the radius from where it should be, and its sigma (inf: none).

    Gauss-Newton steps for background, its slope, height, its slope along the ring, middle, and one width for all: of
    the pixels (N, P) around, off the ring by so many px and as far along it, from the `first` middles.
    """
    middle, width = first.copy(), min(2.0, room / 2)
    sigma = np.full(len(first), np.inf)
    for _ in range(8):
        reach = min(max(4.0 * width, 4.0), _REACH, room)
        # the pixels stay those around the first place: what comes in and goes out would make steps
        here = (np.abs(off - first[:, None]) < reach) & (np.abs(along) < 0.5)
        weight = here & valid
        t = (off - middle[:, None]) / width
        bell = np.exp(-0.5 * t * t)
        rows = np.stack([np.ones_like(t), t, bell, bell * along, bell * t, bell * t * t], axis=-1) * weight[..., None]
        normal = np.einsum("npi,npj->nij", rows, rows)
        normal += np.eye(6) * 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] + 1e-30 * np.eye(6)
        inverse = np.linalg.inv(normal)
        value = np.einsum("nij,npj,np->ni", inverse, rows, counts)
        height = np.maximum(value[:, 2], 1e-9)
        left = (counts - np.einsum("npi,ni->np", rows, value)) * weight
        scatter = np.sqrt((left**2).sum(axis=1) / np.maximum(weight.sum(axis=1) - 6, 1))
        moved = np.clip(value[:, 4] / height, -0.7, 0.7) * width
        sigma = np.sqrt(inverse[:, 4, 4]) * scatter / height * width
        known = (value[:, 2] > 3 * scatter * np.sqrt(inverse[:, 2, 2])) & (
            weight.sum(axis=1) > _VALID * np.maximum(here.sum(axis=1), 10)
        )
        sigma = np.where(known, np.maximum(sigma, 1e-3), np.inf)
        middle = middle + moved
        wider = float(np.median((value[:, 5] / height)[known])) if known.any() else 0.0
        width = float(np.clip(width * (1 + np.clip(wider, -0.3, 0.3)), 0.5, room))
    return middle, sigma
