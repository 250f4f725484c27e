"""Addresses, and the frames that they pick."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from pyfai_gridcal.base.errors import ImageError, UsageError
from pyfai_gridcal.io.images.frames import Address, Frames, parse_address, select_frames


@pytest.mark.parametrize(
    ("text", "file", "data_path", "index"),
    [
        ("a.edf", "a.edf", None, None),
        ("a.h5::/entry/data", "a.h5", "/entry/data", None),
        ("a.h5::/entry/data[3]", "a.h5", "/entry/data", (3,)),
        ("a.h5::/entry/data[1:9:2, ..., :5]", "a.h5", "/entry/data", (slice(1, 9, 2), ..., slice(None, 5))),
        ("silx:a.h5?path=/x&slice=0,2", "a.h5", "/x", (0, 2)),
        ("fabio:a.edf?slice=2", "a.edf", None, (2,)),
    ],
)
def test_addresses(text, file, data_path, index):
    found = parse_address(text)
    assert (found.file, found.data_path, found.index, found.text) == (file, data_path, index, text)


def test_a_file_of_a_strange_name_is_that_file(tmp_path: Path) -> None:
    strange = tmp_path / "a::b?c[1].edf"
    strange.write_bytes(b"x")
    assert parse_address(strange) == Address(str(strange), text=str(strange))


@pytest.mark.parametrize("index", ["[a]", "[1.5]", "[::::]"])
def test_slices_that_cannot_be_meant(index):
    with pytest.raises(UsageError, match="slice"):
        parse_address(f"a.h5::/data{index}")


def test_frames_that_an_index_picks():
    here = Address("a.edf", text="a.edf")
    assert select_frames(4, None, here) == [0, 1, 2, 3]
    assert select_frames(4, (-1,), here) == [3]
    assert select_frames(9, (slice(1, 8, 3),), here) == [1, 4, 7]
    with pytest.raises(ImageError, match="0 to 3"):
        select_frames(4, (4,), here)
    for index in ((1, 2), (...,)):
        with pytest.raises(UsageError, match="one index"):
            select_frames(4, index, here)


def test_checksums_tell_files_and_arrays(tmp_path: Path) -> None:
    stack = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    closed = []
    frames = Frames(2, (3, 4), stack.dtype, lambda k: stack[k], close=lambda: closed.append(1))
    with frames:
        assert frames.sha256() == hashlib.sha256(stack.tobytes()).hexdigest()
        assert frames.name == "array"
        np.testing.assert_array_equal(list(frames), stack)
    assert closed == [1]
    (tmp_path / "a").write_bytes(b"content")
    frames.path, frames.url = str(tmp_path / "a"), "a"
    assert frames.sha256() == hashlib.sha256(b"content").hexdigest()
    assert frames.name == "a"
