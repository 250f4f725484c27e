"""Frames that lie in files that are not there are never passed over in silence."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pyfai_gridcal.base.arrays import AnyArray
from pyfai_gridcal.base.errors import ImageError
from pyfai_gridcal.io.images.images import load_image
from pyfai_gridcal.io.images.missing import lies_in, lost_frames, without_lost
from pyfai_gridcal.io.images.sources import open_frames

SHAPE = (9, 13)
LAYOUTS = {"in blocks": lambda k: slice(2 * k, 2 * k + 2), "in turn": lambda k: slice(k, 6, 3)}


@pytest.fixture
def frames() -> AnyArray:
    return np.random.default_rng(3).integers(1, 99, (6, *SHAPE)).astype(np.uint16)


def virtual(folder: Path, frames: AnyArray, layout: str, name: str = "virtual.h5") -> Path:
    """A virtual dataset of six frames in three files."""
    whole = h5py.VirtualLayout(frames.shape, frames.dtype)
    for k in range(3):
        with h5py.File(folder / f"part{k}.h5", "w") as file:
            file["a/data"] = frames[LAYOUTS[layout](k)]
        whole[LAYOUTS[layout](k)] = h5py.VirtualSource(f"part{k}.h5", "a/data", (2, *SHAPE))
    with h5py.File(folder / name, "w") as file:
        file.create_virtual_dataset("entry/data", whole)
    return folder / name


def damage(folder: Path, how: str) -> None:
    path = folder / "part1.h5"
    if how == "gone":
        path.unlink()
    elif how == "no HDF5":
        path.write_text("rubbish")
    else:
        with h5py.File(path, "r+") as file:
            data = file["a/data"][()]
            del file["a/data"]
            if how == "shorter":
                file["a/data"] = data[:1]


@pytest.mark.parametrize("how", ["gone", "no HDF5", "empty", "shorter"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_sources_of_virtual_datasets(tmp_path: Path, frames: AnyArray, layout: str, how: str) -> None:
    path = virtual(tmp_path, frames, layout)
    with open_frames(path) as source:
        np.testing.assert_array_equal(list(source), frames)
        assert not source.notes
    damage(tmp_path, how)
    with pytest.raises(ImageError, match=r"2 of 6 frames of .*virtual.h5 are missing: cannot read part1.h5::a/data"):
        open_frames(path)
    with pytest.raises(ImageError, match="--missing skip or nan"):
        load_image(path)
    left = [k for k in range(6) if k not in range(6)[LAYOUTS[layout](1)]]
    with open_frames(path, missing="skip") as source:
        np.testing.assert_array_equal(list(source), frames[left])
        assert "part1.h5" in source.notes[0]
        assert source.notes[0].endswith("left out")
    with open_frames(path, missing="nan") as source:
        expected = frames.astype(float)
        expected[LAYOUTS[layout](1)] = np.nan
        np.testing.assert_array_equal(list(source), expected)
        assert source.notes[0].endswith("nan")
    # Frames that are named are all that is asked for.
    numbers = f"{left[0]}:{left[1] + 1}:{left[1] - left[0]}"
    with open_frames(f"{path}::/entry/data[{numbers}]") as source:
        np.testing.assert_array_equal(list(source), frames[left[:2]])


def test_a_virtual_dataset_of_virtual_datasets(tmp_path: Path, frames: AnyArray) -> None:
    virtual(tmp_path, frames, "in turn", "inner.h5")
    whole = h5py.VirtualLayout(frames.shape, frames.dtype)
    whole[:] = h5py.VirtualSource("inner.h5", "entry/data", frames.shape)
    with h5py.File(tmp_path / "outer.h5", "w") as file:
        file.create_virtual_dataset("entry/data", whole)
    with h5py.File(tmp_path / "outer.h5") as file:
        assert not lost_frames(file["entry/data"], 1)[0].any()
    damage(tmp_path, "gone")
    with pytest.raises(ImageError, match=r"6 of 6 frames .*inner.h5"):
        open_frames(tmp_path / "outer.h5", missing="skip")


def test_tiles_and_open_ends(tmp_path: Path, frames: AnyArray) -> None:
    """Halves of frames from two files; as many frames as there are, from a file that grows; a part of this file."""
    with h5py.File(tmp_path / "grows.h5", "w") as file:
        file.create_dataset("data", data=frames, maxshape=(None, *SHAPE))
    halves = h5py.VirtualLayout((6, 18, 13), frames.dtype)
    halves[:, :9] = h5py.VirtualSource("grows.h5", "data", frames.shape)
    halves[:, 9:] = h5py.VirtualSource("gone.h5", "data", frames.shape)
    growing = h5py.VirtualLayout(frames.shape, frames.dtype, maxshape=(None, *SHAPE))
    source = h5py.VirtualSource("grows.h5", "data", frames.shape, maxshape=(None, *SHAPE))
    growing[: h5py.h5s.UNLIMITED] = source[: h5py.h5s.UNLIMITED]
    own = h5py.VirtualLayout(SHAPE, frames.dtype)
    own[:] = h5py.VirtualSource(".", "local", SHAPE)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, layout in (("halves", halves), ("growing", growing), ("own", own)):
            file.create_virtual_dataset(name, layout)
        file["local"] = frames[0]
        assert lost_frames(file["halves"], 1)[0].all()
        assert not lost_frames(file["growing"], 1)[0].any()
        assert not lost_frames(file["own"], 0)[0]
        assert not lost_frames(file["local"], 0)[0]


def test_where_what_cannot_be_opened_lies(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["there"], file["soft"] = 1, h5py.SoftLink("/nowhere")
        file["outside"] = h5py.ExternalLink("gone.h5", "/entry/data")
        found = [lies_in(file, name) for name in ("there", "soft", "outside", "unheard of")]
    assert found == [None, "/nowhere", "gone.h5::/entry/data", None]
    with pytest.raises(ImageError, match=r"/outside of .*a.h5 lies in gone.h5::/entry/data, which cannot be read"):
        open_frames(f"{tmp_path / 'a.h5'}::/outside/more")


def test_what_is_taken() -> None:
    assert without_lost([1, 2], [False, False], [], "x", "error") == ([1, 2], ())
    assert without_lost([1, 2], [True, False], ["y"], "x", "skip")[0] == [2]
    for missing in ("skip", "nan"):
        with pytest.raises(ImageError, match="2 of 2 frames of x are missing: cannot read y"):
            without_lost([1, 2], [True, True], ["y", "y"], "x", missing)
