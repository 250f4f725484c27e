"""Powder rings in workflows: alone, and as judge."""
# what may be missing is looked for first

from __future__ import annotations

from pathlib import Path

import numpy as np
from ewoksrun import QUIET, run
from ringdrawing import GEOMETRY, WAVELENGTH, draw, modular, npt_and_poni, three_images

from pyfai_gridcal.ewoks import tasks
from pyfai_gridcal.ewoks.rings import CalibrateRings
from pyfai_gridcal.io.kinds.kinds import write_distortion

pytestmark = QUIET


def test_rings_alone_and_as_judge(tmp_path: Path) -> None:
    rng, shape = np.random.default_rng(1), (220, 250)
    truth, mask = modular(shape, rng)
    write_distortion(truth.masked(mask), tmp_path / "frame.h5")
    near = [npt_and_poni(p, tmp_path / f"r{k}") for k, p in enumerate(three_images(truth, rng, seen=~mask))]
    told = {"detector": str(tmp_path / "frame.h5"), "output": str(tmp_path / "det.h5")}
    done = run(CalibrateRings, rings=near, **told)
    assert done["held_out_px"] < 0.04
    assert done["detector_config"] == {"filename": str(tmp_path / "det.h5")}
    assert len(done["summary"]["modules"]) == 4
    failed = run(CalibrateRings, rings=["a.tif"], keep_going=True, **told)
    assert "as pyFAI-calib2 writes both" in failed["summary"]["error"]
    geometry = GEOMETRY | {"dist": 0.07, "poni1": 0.0115, "poni2": 0.0125}
    np.save(tmp_path / "rings.npy", draw(truth, rng, geometry=geometry))
    from pyFAI.detectors import Detector
    from pyFAI.geometry import Geometry

    plain = Detector(1e-4, 1e-4, max_shape=shape, orientation=3)
    Geometry(**geometry, wavelength=WAVELENGTH, detector=plain).write(tmp_path / "a.poni")
    judged = run(
        tasks.ValidateGrid, detector_file=str(tmp_path / "det.h5"), rings=str(tmp_path / "rings.npy"),
        poni=str(tmp_path / "a.poni"), picture=str(tmp_path / "a.png"),
    )  # fmt: skip
    assert judged["good"]
    assert judged["summary"]["verdict"] == "helps"
    assert (tmp_path / "a.png").exists()
