"""What is compressed here is what HDF5 itself reads."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.io.nexus import packing as arrays
from pyfai_gridcal.io.nexus.packing import Packed, Packing, packed, unpack_chunk


@pytest.mark.parametrize("shape", [(700, 33), (19, 1100), (64, 64)])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64, np.int8, bool, np.int64, ">u2"])
def test_arrays_survive_the_fast_writer(tmp_path, shape, dtype):
    rng = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(shape[0]), np.arange(shape[1])) % 120
    for k, array in enumerate((smooth, rng.integers(0, 120, shape), np.zeros((*shape, 3)), np.zeros((0, 4)))):
        array = array.astype(dtype)
        with h5py.File(tmp_path / f"{k}.h5", "w") as file:
            arrays.write_array(file, "a", array)
        with h5py.File(tmp_path / f"{k}.h5") as file:
            assert file["a"].dtype == array.dtype
            np.testing.assert_array_equal(file["a"][()], array)


@pytest.mark.parametrize("text", ["gzip:1", "gzip:4", "none"])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_chunk_is_the_frame(tmp_path, text, dtype):
    frame = (np.add.outer(np.arange(70), np.arange(93)) ** 2 % 1000).astype(dtype)
    packing = Packing.parse(text)
    assert str(packing) == text
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("a", frame.shape, dtype, chunks=frame.shape, **packing.options())
        dataset.id.write_direct_chunk((0, 0), packing.pack(frame, packing.plan(frame)))
        np.testing.assert_array_equal(dataset[()], frame)
        filters, data = dataset.id.read_direct_chunk((0, 0))
        if text != "none":
            assert filters == 0
            np.testing.assert_array_equal(unpack_chunk(data, frame.shape, np.dtype(dtype), shuffle=True), frame)
            for damaged in (data[:-1], data[:-5], data[: len(data) // 2], data[:-1] + bytes([data[-1] ^ 1])):
                with pytest.raises(ValueError, match="chunk"):
                    unpack_chunk(damaged, frame.shape, np.dtype(dtype), shuffle=True)


@pytest.mark.parametrize("text", ["gzip:0", "gzip:10", "zip", ""])
def test_other_compressions_are_refused(text):
    with pytest.raises(UsageError, match="compression"):
        Packing.parse(text)


def test_packed_now_and_written_twice(tmp_path):
    array = np.arange(300 * 200, dtype=np.int32).reshape(300, 200)
    ready = packed(array)
    assert isinstance(ready, Packed)
    assert packed(array[:3]) is not None
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in ("a", "b"):
            np.testing.assert_array_equal(arrays.write_array(file, name, ready)[()], array)
