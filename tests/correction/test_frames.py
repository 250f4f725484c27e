"""Frames of all sources come as they were written, or are named."""

from __future__ import annotations

import zlib

import h5py
import numpy as np
import pytest
from stacks import COUNT, SHAPE, read

from pyfai_gridcal.base.errors import ImageError
from pyfai_gridcal.correction.spool import Spool
from pyfai_gridcal.correction.streams import correct_stack


@pytest.mark.parametrize(
    "filters",
    [{}, {"compression": "gzip"}, {"compression": "lzf"}, {"compression": "gzip", "shuffle": True, "fletcher32": True}],
)
def test_inputs_of_every_compression(frames, corrector, tmp_path, filters):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset(
            "data", frames.shape, frames.dtype, chunks=(1, *SHAPE) if filters else None, **filters
        )
        dataset[: COUNT - 1] = frames[:-1]  # the last frame is never written
    correct_stack([path], corrector, tmp_path / "out.h5")
    expected = np.stack([corrector(f) for f in (*frames[:-1], np.zeros_like(frames[0]))])
    assert np.array_equal(read(tmp_path / "out.h5"), expected, equal_nan=True)


def test_slices_and_several_sources(stack, frames, corrector, tmp_path):
    np.save(tmp_path / "one.npy", frames[3])
    correct_stack([f"{stack}[2:8:3]", tmp_path / "one.npy"], corrector, tmp_path / "out.h5")
    expected = np.stack([corrector(frames[k]) for k in (2, 5, 3)])
    assert np.array_equal(read(tmp_path / "out.h5"), expected, equal_nan=True)


def test_a_corrupt_frame_is_named_and_the_ones_before_are_kept(stack, corrector, tmp_path):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "r+") as file:
        file["entry/data"].id.write_direct_chunk((7, 0, 0), b"rubbish" * 20)
    with pytest.raises(ImageError, match=r"frame 7 "):
        correct_stack([stack], corrector, tmp_path / "out.h5", workers=2)
    assert not (tmp_path / "out.h5").exists()
    with Spool(tmp_path / "out.h5.part", "?") as spool:
        assert spool.count == 0  # a spool of other work is emptied
    with h5py.File(path, "r+") as file:
        file["entry/data"].id.write_direct_chunk((7, 0, 0), zlib.compress(bytes(10)))
    with pytest.raises(ImageError, match=r"frame 7 "):
        correct_stack([stack], corrector, tmp_path / "out.h5")
