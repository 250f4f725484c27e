"""Rings as people tell of them: files, detectors, distances, models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ringdrawing import modular, npt_and_poni, three_images

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.io.kinds.kinds import write_distortion
from pyfai_gridcal.records.jobs import CalibrateRings
from pyfai_gridcal.records.settings import Settings
from pyfai_gridcal.rings.doors import calibrate_ring_files, detector_of, parse_distances, rings_beside, told_of

SHAPE = (220, 250)


def test_distances_with_their_uncertainty() -> None:
    assert parse_distances("100mm,0.2m") == ([0.1, 0.2], 1e-6)
    assert parse_distances("10cm ± 2um") == ([0.1], 2e-6)
    assert parse_distances(None) is None
    with pytest.raises(UsageError, match="what"):
        parse_distances("100")


def test_models_with_rings() -> None:
    assert told_of("auto", None, False)["smooth"] is None
    assert (told_of("tiles", None, False)["modules"], told_of("rigid", None, True)["depths"]) == (True, True)
    with pytest.raises(UsageError, match="'griddata' with rings"):
        told_of("griddata", None, False)


def test_detectors_by_name() -> None:
    pilatus = detector_of("Pilatus1M")
    assert (pilatus.shape, pilatus.pixel_size) == ((1043, 981), (172e-6, 172e-6))
    assert pilatus.mask is not None
    with pytest.raises(UsageError, match="such as Pilatus1M"):
        detector_of("unobtainium")


@pytest.mark.usefixtures("not_left_out")
def test_files_are_calibrated(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    truth, mask = modular(SHAPE, rng)
    write_distortion(truth.masked(mask), tmp_path / "frame.h5")
    named = [npt_and_poni(p, tmp_path / f"r{k}") for k, p in enumerate(three_images(truth, rng, seen=~mask))]
    extra = np.zeros(SHAPE, bool)
    extra[:30, :30] = True
    np.save(tmp_path / "mask.npy", extra)
    job = CalibrateRings(rings=named, detector=str(tmp_path / "frame.h5"), mask=[str(tmp_path / "mask.npy")])
    found = calibrate_ring_files(job)
    assert len(found.modules) == 4
    assert found.distortion.mask is not None
    assert found.distortion.mask[:30, :30].all()
    settings = Settings(pitch="1mm", rings=named, detector=str(tmp_path / "frame.h5"))
    witness = rings_beside(settings, SHAPE)((1e-4, 1e-4))
    assert not witness.smooth
    with pytest.raises(UsageError, match="without a detector"):
        calibrate_ring_files(CalibrateRings(rings=named))
    with pytest.raises(UsageError, match="as pyFAI-calib2"):
        calibrate_ring_files(CalibrateRings(rings=["a.tif"], detector="Pilatus1M"))
