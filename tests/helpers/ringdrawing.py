"""Powder rings of which everything is known: pyFAI's calibrants seen through known detectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from pyfai_gridcal.base.arrays import Bools, Floats
from pyfai_gridcal.fitting.tiles.seams import labels_of_mask
from pyfai_gridcal.io.nexus.detector import to_detector
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import SampledField, TiledField
from pyfai_gridcal.rings.geometry import numbers_of, places_of, slopes
from pyfai_gridcal.rings.picking import calibrant_of
from pyfai_gridcal.rings.points import RingPoints, ring_points
from pyfai_gridcal.synthetic import fields

PIXEL = (1e-4, 1e-4)
WAVELENGTH = 0.3e-10
GEOMETRY = {"dist": 0.1, "poni1": 0.021, "poni2": 0.024, "rot1": 0.01, "rot2": -0.02, "rot3": 0.0}


def perfect(shape: tuple[int, int]) -> Distortion:
    """A raster."""
    return Distortion(fields.linear(shape), shape, PIXEL)


def bent(shape: tuple[int, int], amplitude_px: float, rng: np.random.Generator) -> Distortion:
    """A smooth random distortion."""
    return Distortion(fields.smooth(shape, amplitude_px, 0.45 * max(shape), rng), shape, PIXEL)


def share(distortion: Distortion, factor: float) -> Distortion:
    """The same with a part of the displacement."""
    ny, nx = distortion.shape
    y, x = np.arange(ny, dtype=float), np.arange(nx, dtype=float)
    return replace(distortion, field=SampledField(y, x, factor * distortion.field.on_grid(y, x)))


def draw(
    distortion: Distortion,
    rng: np.random.Generator,
    *,
    geometry: Mapping[str, float] = GEOMETRY,
    calibrant: str = "CeO2",
    peak: float = 300.0,
    fwhm: float = 0.15,
    texture: float = 0.0,
    spots: float = 0.0,
) -> Floats:
    """(ny, nx) counts with photon noise; the rings brighter here and there by `texture`, or made of grains of rms
    `spots` of their brightness."""
    from pyFAI.calibrant import get_calibrant
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    ai = AzimuthalIntegrator(detector=to_detector(distortion), wavelength=WAVELENGTH, **geometry)
    known = get_calibrant(calibrant)
    known.wavelength = WAVELENGTH
    image = known.fake_calibration_image(ai, Imax=peak, resolution=fwhm)
    angle = ai.center_array(distortion.shape, unit="chi_rad", scale=False)
    image = image * (1 + texture * np.cos(2 * angle + rng.uniform(0, 6)))
    if spots:
        from scipy.ndimage import gaussian_filter

        grains = gaussian_filter(rng.standard_normal(distortion.shape), 2.0)
        image = image * np.clip(1 + spots * grains / grains.std(), 0, None)
    return rng.poisson(np.maximum(image, 0) + 20.0).astype(float)


def gaps(shape: tuple[int, int]) -> Bools:
    """A mask of two strips, as between modules."""
    out = np.zeros(shape, bool)
    out[shape[0] // 2 - 4 : shape[0] // 2 + 4] = True
    out[:, shape[1] // 3 - 3 : shape[1] // 3 + 3] = True
    return out


def without_noise(points: RingPoints, truth: Distortion, geometry: Mapping[str, float] = GEOMETRY) -> RingPoints:
    """The points where they would be without noise: moved along the radius on to their rings."""
    yx = points.yx
    for _ in range(3):
        at = replace(points, yx=yx)
        place = places_of(truth, yx)
        unit = slopes(place, numbers_of(geometry))[0][:, :2] * truth.pixel_size
        unit /= np.linalg.norm(unit, axis=1)[:, None]
        yx = yx - at.off_px(truth, numbers_of(geometry))[:, None] * unit
    return replace(points, yx=yx)


def ring_points_of(
    truth: Distortion,
    rng: np.random.Generator,
    *,
    geometry: Mapping[str, float] = GEOMETRY,
    calibrant: str = "CeO2",
    noise_px: float = 0.03,
    degrees: float = 2.0,
    name: str = "rings",
    seen: Bools | None = None,
) -> RingPoints:
    """Points of all rings of a calibrant on a detector, one every so many degrees, with noise along the radius; only
    where `seen` (ny, nx) is True."""
    known = calibrant_of(calibrant, WAVELENGTH)
    angles = np.unique([one for one in known.get_2th() if one is not None])
    rot1, rot2 = geometry["rot1"], geometry["rot2"]
    # lines of each ring from the sample, in the frame of the detector; its plane cuts them
    beam = np.array([np.sin(rot2), -np.cos(rot2) * np.sin(rot1), np.cos(rot1) * np.cos(rot2)])
    first = np.cross(beam, [1.0, 0.0, 0.0])
    first /= np.linalg.norm(first)
    second = np.cross(beam, first)
    rows = []
    for ring, angle in enumerate(angles[angles < 1.2]):
        chi = np.deg2rad(np.arange(rng.uniform(0, degrees), 360, degrees))[:, None]
        lines = np.cos(angle) * beam + np.sin(angle) * (np.cos(chi) * first + np.sin(chi) * second)
        lines = lines[lines[:, 2] > 0.1]
        plane = lines[:, :2] / lines[:, 2:] * geometry["dist"] + (geometry["poni1"], geometry["poni2"])
        at = plane / truth.pixel_size - 0.5
        at = at[((at > -20) & (at < np.array(truth.shape) + 20)).all(axis=1)]
        if len(at):
            at = truth.distort(at, inside=True)
            at = at[np.isfinite(at).all(axis=1)]
            rows.append(np.column_stack([at, np.full(len(at), ring)]))
    table = np.concatenate(rows)
    if seen is not None:
        near = np.rint(table[:, :2]).astype(int).clip(0, np.array(truth.shape) - 1)
        table = table[seen[near[:, 0], near[:, 1]]]
    place = places_of(truth, table[:, :2])
    unit = slopes(place, numbers_of(geometry))[0][:, :2]
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    table[:, :2] += rng.normal(0, noise_px, len(table))[:, None] * unit if noise_px else 0.0
    sigma = np.full(len(table), noise_px or np.nan)
    return ring_points(table, known, geometry, name, sigma)


def npt_and_poni(points: RingPoints, stem: Path, geometry: Mapping[str, float] | None = None) -> str:
    """Write points and geometry as pyFAI-calib2 does; what ``--rings`` wants of them."""
    from pyFAI.control_points import ControlPoints
    from pyFAI.geometry import Geometry

    written = ControlPoints(calibrant=calibrant_of(points.calibrant, WAVELENGTH), wavelength=WAVELENGTH)
    for ring in np.unique(points.ring):
        written.append(points.yx[points.ring == ring].tolist(), int(ring))
    written.save(f"{stem}.npt")
    Geometry(**(geometry or points.geometry), wavelength=WAVELENGTH, detector="Pilatus1M").write(f"{stem}.poni")
    return f"{stem}.npt:{stem}.poni"


def three_images(
    truth: Distortion, rng: np.random.Generator, *, seen: Bools | None = None, **details: float
) -> list[RingPoints]:
    """Points of rings at two distances, and with the beam in a corner and beside the other."""
    ny, nx = np.array(truth.shape) * PIXEL
    places = [
        (0.05, 0.5 * ny, 0.5 * nx),
        (0.08, 0.5 * ny, 0.5 * nx),
        (0.06, 0.1 * ny, 0.1 * nx),
        (0.06, 0.1 * ny, 0.9 * nx),
    ]
    geometries = [GEOMETRY | {"dist": d, "poni1": a, "poni2": b} for d, a, b in places]
    return [
        ring_points_of(truth, rng, geometry=g, seen=seen, name=f"image {k}", **details)
        for k, g in enumerate(geometries)
    ]


def modular(shape: tuple[int, int], rng: np.random.Generator) -> tuple[Distortion, Bools]:
    """Four modules with gaps between, shifted by 0.3 px and turned by 0.3 mrad (rms)."""
    mask = gaps(shape)
    labels = labels_of_mask(mask)
    tiles = []
    for k in range(int(labels.max()) + 1):
        centre = np.argwhere((labels == k) & ~mask).mean(axis=0)
        turn, shift = rng.normal(0, 3e-4), rng.normal(0, 0.3, 2)
        matrix = np.array([[0, turn], [-turn, 0]])
        tiles.append(fields.LinearField((centre[0], centre[1]), matrix, (shift[0], shift[1])))
    return Distortion(TiledField(labels, tuple(tiles)), shape, PIXEL), mask


def differs(found: Distortion, truth: Distortion, rng: np.random.Generator, *, scaled: bool = False) -> Floats:
    """(N, 2) error at pixels that both know, less a rigid motion and, where asked for, a scale, px."""
    known = np.argwhere(~(found.mask if found.mask is not None else np.zeros(found.shape, bool)))
    yx = known[rng.choice(len(known), 1500)].astype(float)
    error = (found.displacement(yx) - truth.displacement(yx)).T.ravel()
    (v, u), one, zero = (yx - yx.mean(axis=0)).T, np.ones(len(yx)), np.zeros(len(yx))
    modes = [(one, zero), (zero, one), (u, -v), (v, u)][: 4 if scaled else 3]
    free = np.stack([np.concatenate(m) for m in modes], axis=1)
    return (error - free @ np.linalg.lstsq(free, error, rcond=None)[0]).reshape(2, -1).T
