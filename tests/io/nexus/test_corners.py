"""Corners of pixels chunk by chunk: those of any shape, and those that are in the file in another way than ours."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from pyfai_gridcal.io.nexus.corners import farthest, seal, write_corners
from pyfai_gridcal.records.corners import corners_of_nodes

PIXEL = (48e-6, 51e-6)


def some_nodes(shape, tiled):
    rng = np.random.default_rng(2)
    size = (*shape, 4, 2) if tiled else (shape[0] + 1, shape[1] + 1, 2)
    return rng.normal(0.05, 0.02, size).astype(np.float32)


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("shape", [(3, 5), (64, 256), (67, 259), (130, 40)])
def test_hdf5_reads_the_corners(tmp_path, shape, tiled):
    nodes = some_nodes(shape, tiled)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        _, sealed = write_corners(file, nodes, shape)
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["pixel_corners"][()], corners_of_nodes(nodes))
        assert farthest(file["pixel_corners"], nodes, PIXEL) == 0
        assert seal(file["pixel_corners"]) == sealed


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("way", [{}, {"chunks": (256, 64, 4, 1)}, {"chunks": (30, 30, 4, 3), "compression": "gzip"}])
def test_another_layout_is_read_all_the_same(tmp_path, way, tiled):
    shape = (300, 70)
    nodes = some_nodes(shape, tiled)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("pixel_corners", data=corners_of_nodes(nodes), **way)
        assert farthest(dataset, nodes, PIXEL) == 0
        seal(dataset)
        dataset[299, 69, 3, 2] += 2 * PIXEL[1]
        assert farthest(dataset, nodes, PIXEL) == pytest.approx(2, rel=1e-3)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_it_sees_what_was_written_over(tmp_path, axis):
    """The chunks of z are not stored: one more is seen as well as another one."""
    shape = (300, 70)
    nodes = some_nodes(shape, False)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset, sealed = write_corners(file, nodes, shape)
        dataset[299, 69, 1, axis] += 3 * PIXEL[0]
    with h5py.File(tmp_path / "a.h5") as file:
        assert seal(file["pixel_corners"]) != sealed
        wrong = 3 * PIXEL[0] / (min(PIXEL), *PIXEL)[axis]
        assert farthest(file["pixel_corners"], nodes, PIXEL) == pytest.approx(wrong, rel=1e-3)


def test_a_missing_chunk_is_seen(tmp_path):
    shape = (300, 70)
    nodes = some_nodes(shape, False)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        whole, sealed = write_corners(file, nodes, shape)
        short = file.create_dataset_like("short", whole)
        for k in range(whole.id.get_num_chunks() - 1):
            offset = whole.id.get_chunk_info(k).chunk_offset
            short.id.write_direct_chunk(offset, whole.id.read_direct_chunk(offset)[1])
        assert farthest(whole, nodes, PIXEL) == 0
        assert farthest(short, nodes, PIXEL) > 100
        assert seal(short) != sealed
        last = whole.id.get_chunk_info(k + 1).chunk_offset
        short.id.write_direct_chunk(last, whole.id.read_direct_chunk(last)[1], filter_mask=1)
        assert seal(short) != sealed  # all bytes are there, but HDF5 is told not to shuffle the last ones
