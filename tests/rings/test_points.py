"""Points of rings: pyFAI's files give them back, and what cannot be is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ringdrawing import GEOMETRY, WAVELENGTH, npt_and_poni, perfect, ring_points_of

from pyfai_gridcal.base.errors import FileFormatError, FittingError, UsageError
from pyfai_gridcal.rings.points import read_rings, require_rings

SHAPE = (360, 400)


def test_points_come_back_from_files_of_pyfai(tmp_path: Path) -> None:
    points = ring_points_of(perfect(SHAPE), np.random.default_rng(1), noise_px=0.0)
    read = read_rings(npt_and_poni(points, tmp_path / "a"))
    np.testing.assert_allclose(read.yx, points.yx, atol=1e-9)
    np.testing.assert_array_equal(read.ring, points.ring)
    np.testing.assert_allclose(read.two_theta, points.two_theta, rtol=1e-6)
    assert (read.calibrant, read.geometry) == ("CeO2", GEOMETRY)
    assert read.wavelength == pytest.approx(WAVELENGTH)
    assert np.abs(read.off_px(perfect(SHAPE))).max() < 1e-3
    require_rings(read, perfect(SHAPE))


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="as pyFAI-calib2 writes both"):
        read_rings("a.tif")
    with pytest.raises(FileFormatError, match="missing"):
        read_rings(f"{tmp_path}/a.npt:{tmp_path}/a.poni")
    (tmp_path / "a.poni").write_text("Distance: far\n")
    with pytest.raises(FileFormatError, match="no geometry"):
        read_rings(f"{tmp_path}/a.npt:{tmp_path}/a.poni")
    named = npt_and_poni(ring_points_of(perfect(SHAPE), np.random.default_rng(1)), tmp_path / "b")
    (tmp_path / "b.npt").write_text("ring: 0\npoint: x=1 y=2\n")
    with pytest.raises(FileFormatError, match="neither wavelength nor calibrant"):
        read_rings(named)
    (tmp_path / "b.npt").write_bytes(b"\xff\xfe\x9a")
    with pytest.raises(FileFormatError, match="cannot be read: it is no text"):
        read_rings(named)


@pytest.mark.parametrize("change", [{"dist": 0.13}, {"poni1": 0.025}, {"rot1": 0.2}])
def test_a_wrong_geometry_is_refused(change: dict[str, float]) -> None:
    points = ring_points_of(perfect(SHAPE), np.random.default_rng(2))
    with pytest.raises(FittingError, match="off their rings"):
        require_rings(replace(points, geometry=GEOMETRY | change), perfect(SHAPE))


def test_wrong_numbers_of_rings_are_refused(tmp_path: Path) -> None:
    points = ring_points_of(perfect(SHAPE), np.random.default_rng(3))
    angles = np.unique(points.two_theta)
    with pytest.raises(FittingError, match="off their rings"):
        require_rings(replace(points, two_theta=np.append(angles, angles[-1] * 1.1)[points.ring + 1]), perfect(SHAPE))
    named = npt_and_poni(replace(points, ring=points.ring + 900), tmp_path / "a")
    with pytest.raises(FileFormatError, match="points of ring 9"):
        read_rings(named)


def test_points_of_another_detector_are_refused() -> None:
    points = ring_points_of(perfect(SHAPE), np.random.default_rng(4))
    with pytest.raises(FittingError, match="outside of the detector"):
        require_rings(points, perfect((360, 340)))


def test_too_little_of_the_rings_is_refused() -> None:
    points = ring_points_of(perfect(SHAPE), np.random.default_rng(4))
    corner = points.select(np.hypot(points.yx[:, 0] - 310, points.yx[:, 1] - 340) < 22)
    with pytest.raises(FittingError, match="degrees of the rings"):
        require_rings(corner, perfect(SHAPE))
    assert len(corner) >= 3
