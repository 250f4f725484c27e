"""What a detector file says about itself is looked at without reading all of it, and never ends in an error."""

from __future__ import annotations

import h5py
import numpy as np
from hub import PIXEL, modules, wave

from pyfai_gridcal.io.kinds.kinds import write_distortion
from pyfai_gridcal.io.kinds.readout import in_orientation
from pyfai_gridcal.io.nexus.contents import ORIENTATIONS
from pyfai_gridcal.judging.inspection import LOOK, inspect

PATH = "entry_0000/pyFAI/calibrated"


def test_good_files_give_no_reason_for_remarks(tmp_path) -> None:
    for name, truth in (("wave.h5", wave((110, 150), scale=0.02)), ("modules.h5", modules())):
        found = list(inspect(write_distortion(truth, tmp_path / name)[0]))
        assert not any(f.wrong for f in found), found


def test_other_files_are_none_of_its_business(tmp_path) -> None:
    (tmp_path / "a.spline").write_text("SPATIAL DISTORTION SPLINE INTERPOLATION COEFFICIENTS\n")
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["entry/data"] = np.zeros((3, 4))
    assert list(inspect(tmp_path / "a.spline")) == []
    assert list(inspect(tmp_path / "scan.h5")) == []


def test_parts_of_another_form_are_a_finding(tmp_path) -> None:
    path = write_distortion(wave((110, 150)), tmp_path / "a.h5")[0]
    with h5py.File(path, "r+") as file:
        del file[PATH]["pixel_size"]
        file[PATH]["pixel_size"] = "a lot"
    (found,) = inspect(path)
    assert found.wrong
    assert "cannot be looked at" in found.text


def test_a_pixel_between_those_that_are_looked_at_costs_nothing(tmp_path) -> None:
    path = write_distortion(wave((3 * LOOK, 4 * LOOK), scale=0.02), tmp_path / "a.h5")[0]
    with h5py.File(path, "r+") as file:
        file[PATH]["pixel_corners"][1, 1, :, 0] = PIXEL[0]
    assert list(inspect(path)) == []
    with h5py.File(path, "r+") as file:
        file[PATH]["pixel_corners"][0, 0, :, 0] = PIXEL[0]
    assert any("not flat" in f.text for f in inspect(path))


def test_places_that_run_backwards_are_named_and_no_fault(tmp_path) -> None:
    for orientation, truth in ((1, wave((110, 150), scale=0.02)), (2, modules()), (4, wave((110, 150), scale=0.02))):
        path = write_distortion(in_orientation(truth, orientation), tmp_path / "a.h5")[0]
        (found,) = inspect(path)
        assert not found.wrong
        assert f"orientation {orientation}" in found.text
        # The half pixel is seen there, too.
        with h5py.File(path, "r+") as file:
            back = np.array(ORIENTATIONS[orientation])
            file[PATH]["pixel_corners"][..., 1:] += np.where(back, 0.5, -0.5) * PIXEL
        assert orientation == 2 or any("half-pixel" in f.text for f in inspect(path))
