"""Every public record says in one line what it is: counts, shape, unit, verdict, and no arrays."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import pyfai_gridcal
from pyfai_gridcal import Calibration, Plate, Settings, calibrate, load
from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.io.images.images import load_image
from pyfai_gridcal.io.kinds.kinds import write_distortion
from pyfai_gridcal.io.nexus.result import save_result
from pyfai_gridcal.synthetic import demo_scene


@pytest.fixture(scope="module")
def made() -> Calibration:
    return calibrate(demo_scene((260, 300), pitch_px=24.0).render(np.random.default_rng(3)).image, pitch="1mm")


def test_one_line_each(made: Calibration) -> None:
    count = str(len(made.points[0]))
    said = {
        made: ("Calibration", "good", "260 x 300", "µm", count),
        made.settings: ("Settings", "pitch=0.001"),
        made.spots[0]: ("Spots", str(len(made.spots[0])), "bright", "px"),
        made.points[0]: ("ControlPoints", count, "px"),
        made.distortion: ("Distortion", "260 x 300", "µm", "masked"),
        made.fit: ("DistortionFit", "spline", count, "px"),
        made.verdict: ("Verdict", "good", "checks"),
        made.fit.poses[0]: ("Pose", "°", "mm"),
        load_image(made.images[0]): ("Image", "260 x 300", "uint16"),
        Plate("3mm,2mm", hole_m="500 um"): ("Plate", "3 mm × 2 mm", "500 µm"),
    }
    for record, words in said.items():
        text = repr(record)
        assert "\n" not in text
        assert len(text) < 200
        assert "array(" not in text
        assert all(word in text for word in words), text


def test_records_of_arrays_tell_their_shapes(made: Calibration) -> None:
    rows = [made.distortion.sigma, made.distortion.field, made.spots[0].profile, made.validate(), made.to_spline()]
    for record in rows:
        text = repr(record)
        assert text.startswith(f"{type(record).__name__}(")
        assert "\n" not in text
        assert "array(" not in text
        assert len(text) < 200
    sigma = made.distortion.sigma
    assert f"values=float64[{len(sigma.y)}, {len(sigma.x)}, 2]" in repr(sigma)


def test_long_settings_stay_short() -> None:
    text = repr(Settings(pitch=1e-3, positions=[(k * 1e-3, 0.0) for k in range(99)]))
    assert len(text) < 200


def test_dir_shows_the_public_names() -> None:
    assert [name for name in dir(pyfai_gridcal) if not name.startswith("__")] == sorted(pyfai_gridcal.__all__)


def test_a_calibration_comes_back(made: Calibration, tmp_path: Path) -> None:
    again = load(made.save(tmp_path / "detector.h5"))
    assert isinstance(again, Calibration)
    assert again.settings == made.settings
    np.testing.assert_array_equal(again.displacement_maps(), made.displacement_maps())


def test_other_files_are_told_what_opens_them(made: Calibration, tmp_path: Path) -> None:
    write_distortion(made.distortion, tmp_path / "a.spline")
    write_distortion(made.distortion, tmp_path / "bare.h5")
    save_result(made.fit, tmp_path / "fit.h5")
    made.detector().save(str(tmp_path / "pyfai.h5"))
    np.save(tmp_path / "image.npy", made.images[0])
    (tmp_path / "a.poni").write_text("poni_version: 2.1\n")
    (tmp_path / "text.txt").write_text("hello")
    says = {
        "a.spline": "read_distortion",
        "bare.h5": "Distortion only",
        "fit.h5": "DistortionFit only",
        "pyfai.h5": "detector_factory",
        "image.npy": "load_image",
        "a.poni": "pyFAI.load",
        "text.txt": "nothing that this package reads",
        "none.h5": "no such file",
    }
    for name, words in says.items():
        with pytest.raises(FileFormatError, match=words):
            load(tmp_path / name)


def test_a_damaged_file_is_called_damaged(made: Calibration, tmp_path: Path) -> None:
    whole = made.save(tmp_path / "detector.h5").read_bytes()
    for length in (len(whole) // 2, 100, len(whole) - 10):
        (tmp_path / "cut.h5").write_bytes(whole[:length])
        with pytest.raises(FileFormatError, match="cannot be read as HDF5"):
            load(tmp_path / "cut.h5")


def test_what_nothing_opens_is_told_as_it_is(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["a"] = 1
    with pytest.raises(FileFormatError, match="holds no calibration"):
        load(tmp_path / "plain.h5")
    with pytest.raises(FileFormatError, match="is a folder"):
        load(tmp_path)
    with pytest.raises(FileFormatError, match="no such file"):
        load(tmp_path / ("x" * 300))
