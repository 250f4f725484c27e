"""Rasters of numbers in EDF, CBF, TIFF and npy files."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.io.kinds.rasters import read_raster, write_raster

SHAPE = (23, 37)


def raster(dtype):
    values = np.random.default_rng(2).normal(0, 300, SHAPE).astype(dtype)
    if values.dtype.kind == "f":
        values[3, 5] = np.nan
    return values


@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [(".edf", np.float32), (".edf", np.int32), (".cbf", np.int32), (".tif", np.float32), (".npy", np.float64)],
)
def test_there_and_back(tmp_path, suffix, dtype):
    data = raster(dtype)
    path = write_raster(tmp_path / f"a{suffix}", data, {"key": "a value"})
    back, header = read_raster(path)
    assert back.dtype == data.dtype
    np.testing.assert_array_equal(back, data)
    if suffix == ".edf":
        assert header["key"] == "a value"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".edf", ".cbf", ".tif", ".npy"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_truncated_files_are_refused(tmp_path, suffix, share):
    path = write_raster(tmp_path / f"a{suffix}", raster(np.int32 if suffix == ".cbf" else np.float32))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(FileFormatError):
        read_raster(path)


def test_what_is_no_raster(tmp_path):
    with pytest.raises(FileFormatError, match="missing"):
        read_raster(tmp_path / "a.edf")
    with pytest.raises(FileFormatError, match="not a file"):
        read_raster(tmp_path)
    with pytest.raises(FileFormatError, match="no raster is written as"):
        write_raster(tmp_path / "a.jpg", raster(np.float32))
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    with pytest.raises(FileFormatError, match="holds"):
        read_raster(tmp_path / "words.npy")
    (tmp_path / "huge.edf").write_bytes(
        b"{\nDim_1 = 100000 ;\nDim_2 = 100000 ;\nDataType = FloatValue ;\n}\n" + b"0" * 999
    )
    with pytest.raises(FileFormatError, match="declares 10000000000 pixels"):
        read_raster(tmp_path / "huge.edf")


def test_a_file_that_does_not_hold_what_was_meant_is_not_put_in_place(tmp_path):
    path = write_raster(tmp_path / "a.cbf", raster(np.int32))
    before = path.read_bytes()
    with pytest.raises(FileFormatError, match=r"does not read back|no CBF image"):
        write_raster(path, np.full(SHAPE, 0.5, np.float32))
    assert path.read_bytes() == before
