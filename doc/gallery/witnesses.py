"""Plate and powder rings, alone and together.

A smooth distortion of 0.8 px, seen by a plate whose holes are off by 0.15 px, and by rings of CeO2 and LaB6 with the
beam at several places. Rings tell the displacement along their radius only: with one place of the beam, what is across
it is left to smoothness. The plate tells both directions, with the errors of its holes. Together they are nearer to
the truth than either. The residuals are those of other rings, of LaB6, that took no part.
"""

from __future__ import annotations

import logging
import sys
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pyfai_gridcal import Distortion, Plate, Spots, fit_distortion, index_spots
from pyfai_gridcal.io.nexus.detector import to_detector
from pyfai_gridcal.rings.judge import RingValidation, validate_rings
from pyfai_gridcal.rings.picking import calibrant_of, pick_rings
from pyfai_gridcal.rings.points import RingPoints
from pyfai_gridcal.rings.solution import fit_rings, witness_of
from pyfai_gridcal.synthetic import fields

SHAPE, PIXEL, PITCH_PX, WAVELENGTH = (400, 440), (1e-4, 1e-4), 25.0, 0.3e-10
#: Powder, distance, and where the beam is, parts of the detector.
PLACES = (("CeO2", 0.10, 0.5, 0.5), ("LaB6", 0.12, 0.1, 0.1), ("CeO2", 0.15, 0.5, 0.5), ("LaB6", 0.12, 0.1, 0.9))


def geometry(dist: float, y: float, x: float) -> dict[str, float]:
    size = np.array(SHAPE) * PIXEL
    return {"dist": dist, "poni1": y * size[0], "poni2": x * size[1], "rot1": 0.01, "rot2": -0.02, "rot3": 0.0}


def image(truth: Distortion, powder: str, told: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """What the detector records."""
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    ai = AzimuthalIntegrator(**told, detector=to_detector(truth), wavelength=WAVELENGTH)
    drawn = calibrant_of(powder, WAVELENGTH).fake_calibration_image(ai, Imax=1000.0, resolution=0.12)
    return rng.poisson(np.maximum(drawn, 0) + 20).astype(float)


def error_of(found: Distortion, truth: Distortion) -> float:
    """Rms, px per axis, less shift, turn and scale."""
    y, x = (np.linspace(15, n - 15, 40) for n in SHAPE)
    yx = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
    off = (found.displacement(yx) - truth.displacement(yx)).T.ravel()
    (v, u), one, zero = (yx - yx.mean(axis=0)).T, np.ones(len(yx)), np.zeros(len(yx))
    free = np.stack([np.concatenate(m) for m in ((one, zero), (zero, one), (u, -v), (v, u))], axis=1)
    return float(np.sqrt(np.mean((off - free @ np.linalg.lstsq(free, off, rcond=None)[0]) ** 2)))


@cache
def experiment() -> tuple[dict[str, float], RingValidation]:
    """Error of each calibration, px, and what other rings say of the last."""
    logging.getLogger("pyFAI").setLevel(logging.CRITICAL)
    rng = np.random.default_rng(5)
    truth = Distortion(fields.smooth(SHAPE, 0.8, 180, rng), SHAPE, PIXEL)
    plain = Distortion(fields.linear(SHAPE), SHAPE, PIXEL)
    nodes = np.stack(np.meshgrid(*(np.arange(12.0, n - 6, PITCH_PX) for n in SHAPE), indexing="ij"), axis=-1)
    holes = nodes.reshape(-1, 2) + rng.normal(0, 0.15, (nodes.size // 2, 2))
    points = index_spots(Spots.from_positions(truth.distort(holes) + rng.normal(0, 0.01, holes.shape)))
    told = {"plate": Plate(PITCH_PX * PIXEL[0]), "shape": SHAPE, "pixel_size": PIXEL}
    images: list[RingPoints] = []
    for powder, *where in PLACES:
        seen = image(truth, powder, geometry(*where), rng)
        images.append(pick_rings(seen, to_detector(plain), geometry(*where), WAVELENGTH, powder))
    out = {"plate": error_of(fit_distortion(points, **told).distortion, truth)}
    for count in (1, 4):
        found = fit_rings(images[:count], shape=SHAPE, pixel_size=PIXEL, max_sigma=9.0)
        out[f"rings, {count} image{'s' * (count > 1)}"] = error_of(found.distortion, truth)
    both = fit_distortion(points, **told, witness=lambda size: witness_of(images, SHAPE, size))
    out["plate and rings"] = error_of(both.distortion, truth)
    other = geometry(0.13, 0.6, 0.45)
    return out, validate_rings(
        both.distortion, image(truth, "LaB6", other, rng), other, wavelength=WAVELENGTH, calibrant="LaB6"
    )


def main(folder: Path) -> None:
    errors, judged = experiment()
    figure = Figure(figsize=(10.5, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
    left.barh(list(errors), list(errors.values()), color=["C7", "C0", "C0", "C0", "C2"])
    left.set(xlabel="error of the displacement, px rms", title="how far from the truth")
    left.invert_yaxis()
    for one, colour, name in ((judged.before, "C3", "without"), (judged.after, "C0", "with plate and rings")):
        label = f"{name}: {one.rms()[0]:.1f} mdeg"
        right.plot(judged.azimuth, 1e3 * np.degrees(one.left), ".", ms=3, color=colour, label=label)
    top = 4 * judged.before.rms()[0]
    right.set(ylim=(-top, top), xlabel="azimuth, degrees", ylabel="residual, mdeg", title="other rings (LaB6)")
    right.legend()
    figure.savefig(folder / "witnesses.png", dpi=90)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
