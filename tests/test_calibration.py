"""The whole way on known scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pyfai_gridcal
from pyfai_gridcal import calibrate
from pyfai_gridcal.base.errors import CalibrationError, FileFormatError, GridcalError, ImageError, UsageError
from pyfai_gridcal.io.images.images import load_image
from pyfai_gridcal.records.settings import Settings
from pyfai_gridcal.report import write_report
from pyfai_gridcal.synthetic import SyntheticImage, demo_scene, field_error


@pytest.fixture(scope="module")
def picture() -> SyntheticImage:
    return demo_scene((500, 610), pitch_px=24.0).render(np.random.default_rng(3))


@pytest.fixture(scope="module")
def calibration(picture: SyntheticImage) -> pyfai_gridcal.Calibration:
    return calibrate(picture.image, pitch=picture.scene.plate.pitch_m[0])


def test_the_field_is_right(calibration: pyfai_gridcal.Calibration, picture: SyntheticImage) -> None:
    score = field_error(calibration.distortion, picture.distortion, spots=picture.truth)
    assert score.rms_px < 0.03
    assert score.coverage > 0.98
    assert calibration.verdict.level == "good"


def test_pixel_size_is_near_the_true_one(calibration: pyfai_gridcal.Calibration, picture: SyntheticImage) -> None:
    np.testing.assert_allclose(calibration.pixel_size, picture.scene.distortion.pixel_size, rtol=0.04)


def test_rows_and_columns_are_not_mixed_up(picture: SyntheticImage, calibration: pyfai_gridcal.Calibration) -> None:
    other = calibrate(picture.image.T.copy(), pitch=picture.scene.plate.pitch_m[0])
    dy, dx = calibration.displacement_maps()
    ey, ex = other.displacement_maps()
    known = ~(calibration.distortion.mask | other.distortion.mask.T)  # type: ignore[union-attr]
    for a, b in ((dy, ex.T), (dx, ey.T)):
        difference = (a - b)[known]
        assert np.std(difference) < 0.02


def test_a_given_pixel_size_is_kept_and_the_origin_is_the_hole_that_was_named(picture: SyntheticImage) -> None:
    pitch = picture.scene.plate.pitch_m[0]
    c = calibrate(picture.image, pitch=pitch, pixel=(50e-6, 55e-6), origin=(100.0, 200.0))
    assert c.pixel_size == (50e-6, 55e-6)
    score = field_error(c.distortion, picture.distortion, spots=picture.truth)
    assert score.rms_px < 0.05
    zero = c.points[0].yx[(c.points[0].ij == 0).all(axis=1)][0]
    assert np.hypot(*(zero - (100, 200))) < 0.75 * 24


def test_reports(calibration: pyfai_gridcal.Calibration) -> None:
    text, summary = calibration.report(), calibration.summary()
    assert "GOOD" in text
    assert summary["verdict"]["level"] == "good"
    assert summary["exposures"][0]["control_points"] == len(calibration.points[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pitch": -1e-3}, "pitch"),
        ({"pitch": 5.0}, "lengths are in metres"),
        ({"pitch": 1e-3, "polarity": "grey"}, "polarity"),
        ({"pitch": 1e-3, "lattice": "round"}, "lattice"),
        ({"pitch": 1e-3, "lattice": "oblique"}, "angle"),
        ({"pitch": (1e-3, 2e-3), "lattice": "hexagonal"}, "two pitches"),
    ],
)
def test_wrong_settings_are_refused(settings: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(UsageError, match=message):
        Settings(**settings)


def test_unknown_setting_is_named() -> None:
    with pytest.raises(UsageError, match="unknown setting pich"):
        calibrate(np.zeros((50, 50)), pitch=1e-3, pich=2)


@pytest.mark.parametrize("image", [np.zeros((64, 64)), np.zeros(5), np.zeros((0, 3)), np.full((64, 64), np.nan)])
def test_nothing_to_calibrate_with(image: np.ndarray) -> None:
    with pytest.raises(GridcalError):
        calibrate(image, pitch=1e-3)


def test_images_of_two_shapes_are_refused(picture: SyntheticImage) -> None:
    with pytest.raises(ImageError, match="shapes"):
        calibrate([picture.image, picture.image[:300]], pitch=1e-3)


def test_a_failure_carries_the_notes_of_the_images() -> None:
    empty = np.random.default_rng(4).poisson(200, (150, 190)).astype(np.uint16)
    hot = [empty.copy(), empty[::-1].copy()]
    for one in hot:
        one[40, 30:50] = 4095
    with pytest.raises(CalibrationError) as caught:
        calibrate([load_image(one) for one in hot], pitch="1mm")
    assert caught.value.__notes__ == ["20 saturated pixels (4095 counts) are ignored"]


def test_one_image_is_not_two_exposures(picture: SyntheticImage) -> None:
    with pytest.raises(UsageError, match="image 3 is one of the images before"):
        calibrate([picture.image, picture.image[::-1], picture.image.copy()], pitch="1mm")


def test_a_result_is_saved_under_a_name_that_says_so(calibration: pyfai_gridcal.Calibration, tmp_path: Path) -> None:
    for name in ("x.spline", "x.xyz", "x.poni"):
        with pytest.raises(UsageError, match=r"is HDF5; expected .*\.h5.*write_distortion"):
            calibration.save(tmp_path / name)
    with pytest.raises(UsageError, match=r"HTML page.*\.html"):
        write_report(calibration, tmp_path / "r.pdf")
    assert not list(tmp_path.iterdir())
    assert calibration.save(tmp_path / "detector").exists()


@pytest.mark.parametrize("named", [{"prior": "no.h5"}, {"rings": ["no.npt:no.poni"]}])
def test_files_are_read_before_the_work(named: dict[str, object]) -> None:
    """Of an image without a grid it is told that the file is missing."""
    with pytest.raises(FileFormatError, match=r"no\.(h5|npt|poni)"):
        calibrate(np.random.default_rng(1).poisson(100.0, (200, 220)), pitch=1e-3, **named)  # type: ignore[arg-type]


def test_progress_can_cancel(picture: SyntheticImage) -> None:
    class Cancelled(Exception):
        pass

    def progress(fraction: float, _text: str) -> None:
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        calibrate(picture.image, pitch=1e-3, progress=progress)
