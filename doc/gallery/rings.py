"""Powder rings through a distorting camera, before and after.

LaB6 seen by a camera with a fibre-optic taper, drawn by pyFAI. One grid image of the same camera gives its detector
file. With it, ``integrate1d`` finds the peaks as narrow as with a camera without distortion. In all three cases pyFAI
refines the geometry on the rings, as a user would do it.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pyfai_gridcal import Distortion, calibrate
from pyfai_gridcal.io.nexus.detector import to_detector
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.synthetic import Scene, fields, place

SHAPE, PIXEL, PITCH, WAVELENGTH = (700, 760), (52e-6, 50e-6), 1.15e-3, 0.4e-10
GEOMETRY = {"dist": 0.075, "poni1": 0.0171, "poni2": 0.0203, "rot1": 0.01, "rot2": -0.02}
#: Width of the peaks of the experiment itself, degrees of 2 theta: some four pixels.
RESOLUTION = 0.14
#: Rings beyond this angle, degrees, are not complete on the detector.
LAST = 17.0


@dataclass
class Result:
    """One way to integrate the rings.

    Attributes
    ----------
    name : of the way
    pattern : 2 theta in degrees, intensity
    cake : intensity by azimuth and 2 theta
    peaks, fwhm : places and widths of the peaks, degrees
    """

    name: str
    pattern: tuple[np.ndarray, np.ndarray]
    cake: object
    peaks: np.ndarray
    fwhm: np.ndarray


def camera() -> Distortion:
    """A taper of 3 %."""
    return Distortion(fields.taper(SHAPE, np.random.default_rng(11), strength=0.8), SHAPE, PIXEL)


def lanthanum_hexaboride():
    from pyFAI.calibrant import CALIBRANT_FACTORY

    calibrant = CALIBRANT_FACTORY("LaB6")
    calibrant.wavelength = WAVELENGTH
    return calibrant


def rings(detector, rng: np.random.Generator) -> np.ndarray:
    """The image that this detector records."""
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    ai = AzimuthalIntegrator(**GEOMETRY, detector=detector, wavelength=WAVELENGTH)
    image = lanthanum_hexaboride().fake_calibration_image(ai, Imax=4000.0, Imin=100.0, resolution=RESOLUTION)
    return rng.poisson(np.clip(image, 0, None)).astype(np.float32)


def integrate(name: str, image: np.ndarray, detector) -> Result:
    """Refine the geometry on the rings, integrate, and measure the peaks."""
    from pyFAI.geometry import Geometry
    from pyFAI.goniometer import SingleGeometry

    calibrant = lanthanum_hexaboride()
    start = Geometry(**GEOMETRY, detector=detector, wavelength=WAVELENGTH)
    single = SingleGeometry(name, image, calibrant=calibrant, detector=detector, geometry=start)
    for rings_used in (4, 8):
        single.extract_cp(max_rings=rings_used, pts_per_deg=0.5)
        single.geometry_refinement.refine3(fix=["wavelength", "rot3"])
    ai = single.get_ai()
    pattern = ai.integrate1d(image, 3000, unit="2th_deg", method=("full", "csr", "cython"), correctSolidAngle=False)
    cake = ai.integrate2d(image, 500, 180, unit="2th_deg", method=("full", "csr", "cython"), correctSolidAngle=False)
    expected = np.degrees([t for t in calibrant.get_2th() if t is not None])
    peaks, fwhm = widths(pattern.radial, pattern.intensity, expected)
    return Result(name, (pattern.radial, pattern.intensity), cake, peaks, fwhm)


def widths(x: np.ndarray, y: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places and widths at half height of the peaks that stand alone and lie wholly on the detector."""
    gap = np.minimum(np.diff(expected, prepend=-9), np.diff(expected, append=99))
    places, out = [], []
    for at in expected[(gap > 6 * RESOLUTION) & (expected > x[0] + 1) & (expected < LAST)]:
        near = np.abs(x - at) < 2.5 * RESOLUTION
        level = np.percentile(y[near], 10)
        top = np.argmax(np.where(near, y, -np.inf))
        half = level + 0.5 * (y[top] - level)
        left, right = top, top
        while y[left] > half and left > 0:
            left -= 1
        while y[right] > half and right < len(y) - 1:
            right += 1
        places.append(x[top])
        up = np.interp(half, [y[left], y[left + 1]], [x[left], x[left + 1]])
        down = np.interp(half, [y[right], y[right - 1]], [x[right], x[right - 1]])
        out.append(down - up)
    return np.array(places), np.array(out)


@cache
def experiment() -> tuple[Result, Result, Result, np.ndarray]:
    """Without distortion, with it but not corrected, with it and corrected by the grid; and the rings of the camera."""
    from pyFAI.detectors import Detector, detector_factory

    logging.getLogger("pyFAI").setLevel(logging.CRITICAL)
    rng = np.random.default_rng(3)
    truth = camera()
    plate = Plate(PITCH, hole_m=0.45e-3)
    grid = Scene(truth, plate, place(truth, plate, angle_deg=7.0)).render(rng, bounds=False)
    calibration = calibrate(grid.image, pitch=PITCH)

    def regular():
        plain = Detector(*PIXEL, max_shape=SHAPE, orientation=3)
        plain.mask = np.zeros(SHAPE, np.int8)
        return plain

    ideal = regular()
    seen = rings(to_detector(truth), rng)
    with tempfile.TemporaryDirectory() as folder:
        calibrated = detector_factory(str(calibration.save(Path(folder) / "camera.h5")))
        return (
            integrate("camera without distortion", rings(ideal, rng), ideal),
            integrate("camera with a taper, as it is", seen, regular()),
            integrate("camera with a taper, after the grid", seen, calibrated),
            seen,
        )


def main(folder: Path) -> None:
    ideal, raw, corrected, seen = experiment()
    figure = Figure(figsize=(10.5, 7.6), layout="constrained")
    axes = figure.subplot_mosaic(
        [["image", "raw", "corrected"], ["pattern", "pattern", "pattern"]], height_ratios=(1, 0.9)
    )
    axes["image"].imshow(np.sqrt(seen), origin="lower", cmap="magma")
    axes["image"].set_title("LaB6 as the camera records it", loc="left")
    for name, result in (("raw", raw), ("corrected", corrected)):
        cake = result.cake
        extent = (cake.radial[0], cake.radial[-1], cake.azimuthal[0], cake.azimuthal[-1])
        axes[name].imshow(
            np.sqrt(np.maximum(cake.intensity, 0)), origin="lower", extent=extent, aspect="auto", cmap="magma"
        )
        axes[name].set(title=result.name.split(", ")[1], xlabel="2θ, degrees", ylabel="azimuth, degrees")
    for result, style in ((raw, "C3-"), (corrected, "C0-"), (ideal, "k:")):
        label = f"{result.name}: FWHM {np.median(result.fwhm):.3f}°"
        axes["pattern"].plot(*result.pattern, style, lw=1.2, label=label)
    axes["pattern"].set(xlabel="2θ, degrees", ylabel="intensity", xlim=(ideal.peaks[0] - 1, ideal.peaks[-1] + 0.5))
    axes["pattern"].legend()
    figure.savefig(folder / "rings.png", dpi=90)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
