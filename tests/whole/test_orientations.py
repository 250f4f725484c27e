"""A ring through a distorted detector, by the geometry of PONI files in all orientations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hub import PIXEL, SHAPE, wave

from pyfai_gridcal.cli import main
from pyfai_gridcal.io.kinds.kinds import write_distortion
from pyfai_gridcal.io.kinds.poni import geometry_with
from pyfai_gridcal.io.nexus.detector import to_detector
from pyfai_gridcal.records.distortion import Distortion

utils = pytest.importorskip("pyFAI.geometry.utils", reason="this pyFAI converts no orientation")
GEOMETRY = {"dist": 0.05, "poni1": 0.0052, "poni2": 0.0081, "rot1": 0.03, "rot2": -0.02, "rot3": 0.0}
RING, WIDTH = 0.07, 0.05e-3 / 0.05  # radians: at the distance of the detector, a width of 0.050 mm
WAYS = ("bbox", "full")


def integrator(**details):
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    return AzimuthalIntegrator(**details, wavelength=1e-10)


@pytest.fixture(scope="module")
def image():
    """The ring as the camera sees it: over each pixel, by its corners."""
    turn, corners = integrator(**GEOMETRY).rotation_matrix(), wave().pixel_corners(np.float64)[..., 1:]
    out, steps = np.zeros(SHAPE), (np.arange(8) + 0.5) / 8
    for a in steps:
        for b in steps:
            shares = (1 - a) * (1 - b), a * (1 - b), a * b, (1 - a) * b
            place = sum(share * corners[:, :, k] for k, share in enumerate(shares))
            place = place - (GEOMETRY["poni1"], GEOMETRY["poni2"])
            rays = np.concatenate([place, np.full((*SHAPE, 1), GEOMETRY["dist"])], axis=-1) @ turn.T
            angle = np.arctan2(np.hypot(rays[..., 0], rays[..., 1]), rays[..., 2])
            out += np.exp(-0.5 * ((angle - RING) / (WIDTH / 2.355)) ** 2) / len(steps) ** 2
    return out.astype(np.float32)


def width_mm(ai, image, way):
    """Full width at half of the ring's height."""
    found = ai.integrate1d(
        image, 1500, unit="2th_rad", radial_range=(0.06, 0.08), method=(way, "csr", "cython"), correctSolidAngle=False
    )
    r, height = found.radial[found.count > 0], found.intensity[found.count > 0]
    top = int(height.argmax())
    half = height[top] / 2
    low = np.interp(half, height[: top + 1], r[: top + 1])
    return 1e3 * GEOMETRY["dist"] * (np.interp(-half, -height[top:], r[top:]) - low)


@pytest.mark.parametrize("orientation", [1, 2, 3, 4])
def test_rings_are_as_sharp_as_in_orientation_3(tmp_path: Path, image, orientation: int) -> None:
    import pyFAI
    from pyFAI.detectors import Detector, detector_factory

    write_distortion(wave(), tmp_path / "det.h5")
    # what a calibration without the distortion finds, with the beam in the same pixel, in that orientation
    plain = Distortion(wave(scale=0).field, SHAPE, PIXEL)
    seen = geometry_with(plain, wave(), GEOMETRY)
    regular = Detector(*PIXEL, max_shape=SHAPE, orientation=3)
    seen = utils.convert_orientation(seen, regular, 3, orientation)
    detector = Detector(*PIXEL, max_shape=SHAPE, orientation=orientation)
    integrator(**seen, detector=detector).save(str(tmp_path / "old.poni"))

    assert (
        main(["convert", *(str(tmp_path / n) for n in ("det.h5", "new.poni")), "--like", str(tmp_path / "old.poni")])
        == 0
    )
    new = pyFAI.load(str(tmp_path / "new.poni"))
    truth = integrator(**GEOMETRY, detector=to_detector(wave()))
    put = detector_factory("NexusDetector", {"filename": str(tmp_path / "det.h5"), "orientation": orientation})
    for way in WAYS:
        expected = width_mm(truth, image, way)
        assert 0.05 < expected < 0.08
        assert width_mm(new, image, way) == pytest.approx(expected, rel=0.05)
        if orientation != 3:  # the same file, only told to be in that orientation
            assert width_mm(integrator(**seen, detector=put), image, way) > 1.4 * expected
