"""Maps in pairs of files, and in archives."""

from __future__ import annotations

import numpy as np
import pytest
from hub import PIXEL, corner_gap, wave

from pyfai_gridcal.base.errors import FileFormatError, UsageError
from pyfai_gridcal.io.kinds.kinds import kind_of, open_distortion, read_distortion, write_distortion
from pyfai_gridcal.io.kinds.pairs import edf_dialect
from pyfai_gridcal.io.kinds.rasters import read_raster
from pyfai_gridcal.records.jobs import Reading


def test_foreign_maps_are_told_by_their_shape(tmp_path):
    import fabio

    dy, dx = (m.astype(np.float32) for m in wave().displacement_maps())
    for name, data in (("d-x.edf", dx), ("d-y.edf", dy)):
        fabio.edfimage.EdfImage(data=data).write(str(tmp_path / name))
    assert kind_of(tmp_path / "d-x.edf").name == "imaged11"
    assert kind_of(tmp_path / "d-x.edf", Reading(shape=(229, 309))).name == "spd"
    with pytest.raises(FileFormatError, match="shape"):
        kind_of(tmp_path / "d-x.edf", Reading(shape=(100, 100)))
    with pytest.raises(UsageError, match="--pixel"):
        open_distortion(tmp_path / "d-y.edf")
    back = open_distortion(tmp_path / "d-y.edf", Reading(pixel_size=PIXEL)).distortion
    assert corner_gap(wave(), back)[0] <= 0.001


def test_a_missing_partner_is_named(tmp_path):
    written = write_distortion(wave(), tmp_path / "a_e2dx.edf")
    written[1].unlink()
    with pytest.raises(FileFormatError, match="a_e2dy"):
        open_distortion(written[0])


def test_pair_in_one_call(tmp_path):
    first, second = write_distortion(wave(), tmp_path / "a_e2dx.edf")
    first.rename(tmp_path / "one.edf")
    second.rename(tmp_path / "two.edf")
    back = open_distortion([tmp_path / "one.edf", tmp_path / "two.edf"]).distortion
    assert corner_gap(wave(), back)[0] <= 0.001


@pytest.mark.parametrize(("name", "unit"), [("a_e2dx.edf", 1.0), ("a.cbf", 0.01), ("a.tif", 1.0)])
def test_numbers_in_the_files_by_hand(tmp_path, name, unit):
    """The first file is that of the fast axis; entry [i, j] belongs to the centre of that pixel."""
    truth = wave((31, 44))
    files = write_distortion(truth, tmp_path / name)
    at = np.array([[17.0, 40.0]])
    dy, dx = truth.displacement(at)[0]
    for file, value in zip(files, (dx, dy), strict=True):
        data, _ = read_raster(file)
        assert data.shape == truth.shape
        assert data[17, 40] * unit == pytest.approx(value, abs=max(1e-5, unit / 2) if unit < 1 else 1e-5)


def test_maps_at_the_corners_have_one_more(tmp_path):
    truth = wave((31, 44))
    (x, _) = write_distortion(truth, tmp_path / "a.edf")
    data, header = read_raster(x)
    assert data.shape == (32, 45)
    assert edf_dialect(x, None) == "spd"
    assert float(header["pixel_size_slow_m"]) == truth.pixel_size[0]
    assert data[5, 9] == pytest.approx(truth.displacement(np.array([[4.5, 8.5]]))[0, 1], abs=1e-5)


def test_pixel_size_has_to_be_told_and_believed(tmp_path):
    np.savez(tmp_path / "a.npz", dy=np.zeros((5, 6)), dx=np.zeros((5, 6)))
    with pytest.raises(UsageError, match="pixel size"):
        read_distortion(tmp_path / "a.npz")
    assert read_distortion(tmp_path / "a.npz", Reading(pixel_size=PIXEL)).pixel_size == PIXEL
    np.savez(tmp_path / "b.npz", dy=np.zeros((5, 6)), dx=np.zeros((5, 6)), pixel_size=np.array([50.0, 48.0]))
    with pytest.raises(FileFormatError, match="pixel size of"):
        read_distortion(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"dy": np.zeros((5, 6))}, "expected dy and dx"),
        ({"dy": np.zeros((5, 6)), "dx": np.zeros((6, 5))}, "same 2D shape"),
        ({"dy": np.zeros((5, 6)), "dx": np.zeros((5, 6)), "mask": np.zeros((6, 5))}, "mask of shape"),
        ({"dy": np.full((5, 6), "a"), "dx": np.zeros((5, 6))}, "declares"),
    ],
)
def test_archives_that_cannot_be_meant(tmp_path, arrays, says):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(FileFormatError, match=says):
        read_distortion(tmp_path / "a.npz", Reading(pixel_size=PIXEL))
