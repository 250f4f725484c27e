"""Frames of one source, read one at a time."""

from __future__ import annotations

import fabio
import numpy as np
import pytest

from pyfai_gridcal.base.errors import ImageError, UsageError
from pyfai_gridcal.io.images.sources import open_frames

STACK = np.arange(3 * 11 * 17, dtype=np.uint16).reshape(3, 11, 17)


@pytest.mark.parametrize(
    ("array", "count", "shape"),
    [
        (STACK[0], 1, (11, 17)),
        (STACK, 3, (11, 17)),
        (np.zeros((11, 17, 3)), 1, (11, 17, 3)),
        (np.zeros((5, 11, 4)), 1, (5, 11, 4)),
        (np.zeros((4, 11, 4)), 4, (11, 4)),  # four narrow frames rather than a colour picture of four rows
    ],
)
def test_what_an_array_is(array, count, shape):
    frames = open_frames(array)
    assert (frames.count, frames.shape) == (count, shape)
    assert frames.read(count - 1).shape == shape


def test_frames_of_npy_and_edf(tmp_path):
    np.save(tmp_path / "a.npy", STACK)
    image = fabio.edfimage.EdfImage(data=STACK[0], header={"motor": "phi"})
    image.append_frame(data=STACK[1])
    image.write(str(tmp_path / "a.edf"))
    for name, count in (("a.npy", 3), ("a.edf", 2)):
        with open_frames(tmp_path / name) as frames:
            assert frames.count == count
            for k in (1, 0):  # in any order
                np.testing.assert_array_equal(frames.read(k), STACK[k])
            assert frames.path == str(tmp_path / name)
    with open_frames(f"fabio:{tmp_path / 'a.edf'}?slice=1") as frames:
        assert frames.count == 1
        np.testing.assert_array_equal(frames.read(0), STACK[1])


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        ("::/entry", (ImageError, UsageError), "no file|such file"),
        ("missing.npy", ImageError, "no such file"),
        (".", ImageError, "is a folder"),
        (np.zeros((1, 2, 3, 4)), ImageError, "two dimensions"),
    ],
)
def test_what_is_no_source(source, error, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=says):
        open_frames(source)


def test_an_empty_file(tmp_path):
    (tmp_path / "a.edf").touch()
    with pytest.raises(ImageError, match="0 bytes"):
        open_frames(tmp_path / "a.edf")
