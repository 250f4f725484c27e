"""What is packed outside of HDF5 is what HDF5 reads."""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
from stacks import SHAPE

from pyfai_gridcal.base.errors import FileFormatError, UsageError
from pyfai_gridcal.io.nexus import packing
from pyfai_gridcal.io.nexus.packing import Packed, Packing, packed, unpack_chunk


@pytest.fixture(params=["isal", "zlib"], autouse=True)
def library(request, monkeypatch):
    """All of it with the library that is there, and as where the extra is not installed."""
    if request.param == "zlib":
        monkeypatch.setattr(packing, "_isal", None)
    elif packing._isal is None:
        pytest.skip("isal is not installed")
    return request.param


@pytest.mark.parametrize("text", ["gzip", "gzip:1", "gzip:6", "none", "bitshuffle"])
@pytest.mark.parametrize("kind", ["counts", "noise", "zeros", "nan"])
def test_hdf5_reads_what_was_packed(tmp_path, text, kind):
    packing = Packing.parse(text)
    rng = np.random.default_rng(5)
    frame = {
        "counts": rng.poisson(3, SHAPE).astype(np.float32),
        "noise": rng.normal(size=SHAPE).astype(np.float64),
        "zeros": np.zeros(SHAPE, np.uint8),
        "nan": np.full(SHAPE, np.nan, np.float32),
    }[kind]
    chunk = packing.pack(frame)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("d", (1, *SHAPE), frame.dtype, chunks=(1, *SHAPE), **packing.options())
        dataset.id.write_direct_chunk((0, 0, 0), chunk)
    with h5py.File(tmp_path / "a.h5") as file:
        assert np.array_equal(file["d"][0], frame, equal_nan=True)
    if packing.method == "gzip":
        assert np.array_equal(unpack_chunk(chunk, SHAPE, frame.dtype, shuffle=True), frame, equal_nan=True)
        for wrong in (chunk[:-9], chunk[: len(chunk) // 2], b"x" * 30):
            with pytest.raises(ValueError, match="chunk"):
                unpack_chunk(wrong, (SHAPE[0] + 1, SHAPE[1]), frame.dtype, shuffle=True)


def test_threads_pack_at_once():
    rng = np.random.default_rng(6)
    frames = [rng.poisson(3, (128, 131)).astype(np.uint32) for _ in range(8)]
    with ThreadPoolExecutor(4) as pool:
        blocks = Packing.parse("bitshuffle")
        alone = [blocks.pack(frame) for frame in frames]
        deflated = Packing.parse("gzip")
        for _ in range(40):
            assert list(pool.map(blocks.pack, frames)) == alone
            # isal has many ways to say the same, and does not always take the same one
            for chunk, frame in zip(pool.map(deflated.pack, frames), frames, strict=True):
                np.testing.assert_array_equal(unpack_chunk(chunk, frame.shape, frame.dtype, shuffle=True), frame)


def test_a_plan_for_other_frames_costs_room_only():
    packing = Packing()
    rng = np.random.default_rng(7)
    counts, noise = rng.poisson(3, SHAPE).astype(np.float32), rng.normal(size=SHAPE).astype(np.float32)
    plan = packing.plan(counts)
    assert plan != packing.plan(noise)
    assert packing.pack(counts, plan) == packing.pack(counts)
    for frame in (counts, noise):
        chunk = packing.pack(frame, packing.plan(counts))
        assert np.array_equal(unpack_chunk(chunk, SHAPE, frame.dtype, shuffle=True), frame)
    assert Packing.parse("bitshuffle").plan(counts) == ()


def test_unpacking_is_bounded():
    bomb = zlib.compress(bytes(50_000_000), 9)
    with pytest.raises(ValueError, match="expected 100"):
        unpack_chunk(bomb, (10, 10), np.dtype(np.uint8), shuffle=False)


@pytest.mark.parametrize("text", ["gzip:0", "gzip:10", "zip", "", "lz4"])
def test_unknown_compressions_are_refused(text):
    with pytest.raises(UsageError, match="compression"):
        Packing.parse(text)


@pytest.mark.parametrize("shape", [(700, 33), (19, 1100), (64, 64)])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64, np.int8, bool, np.int64, ">u2"])
def test_arrays_survive_the_fast_writer(tmp_path, shape, dtype):
    rng = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(shape[0]), np.arange(shape[1])) % 120
    for k, array in enumerate((smooth, rng.integers(0, 120, shape), np.zeros((*shape, 3)), np.zeros((0, 4)))):
        array = array.astype(dtype)
        with h5py.File(tmp_path / f"{k}.h5", "w") as file:
            packing.write_array(file, "a", array)
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


@pytest.mark.parametrize("repeats", [False, True])
def test_one_library_reads_what_the_other_made(monkeypatch, repeats):
    isal = packing._isal or pytest.importorskip("isal.isal_zlib")
    frame = np.random.default_rng(8).poisson(300, SHAPE).astype(np.uint32)
    for maker, reader in ((isal, None), (None, isal)):
        monkeypatch.setattr(packing, "_isal", maker)
        chunk = packing._quick(packing.shuffled(frame), (True,) * 4, repeats=repeats)
        monkeypatch.setattr(packing, "_isal", reader)
        np.testing.assert_array_equal(unpack_chunk(chunk, SHAPE, frame.dtype, shuffle=True), frame)
        with pytest.raises(ValueError, match="chunk"):
            unpack_chunk(chunk[:-1] + bytes([chunk[-1] ^ 1]), SHAPE, frame.dtype, shuffle=True)


def test_a_compressor_that_loses_something_is_seen(monkeypatch):
    monkeypatch.setattr(packing, "inflated", lambda data, size: bytes(size))
    with pytest.raises(FileFormatError, match="than it has packed"):
        packed(np.arange(70_000, dtype=np.uint16).reshape(700, 100))


def test_packed_now_and_written_twice(tmp_path):
    array = np.arange(300 * 200, dtype=np.int32).reshape(300, 200)
    ready = packed(array)
    assert isinstance(ready, Packed)
    assert packed(array[:3]) is not None
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in ("a", "b"):
            np.testing.assert_array_equal(packing.write_array(file, name, ready)[()], array)
