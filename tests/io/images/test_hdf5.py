"""Images in HDF5 files: by their address, or the only one that looks like an image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyfai_gridcal.base.arrays import AnyArray
from pyfai_gridcal.base.errors import ImageError, UsageError
from pyfai_gridcal.io.images.frames import Address, parse_address
from pyfai_gridcal.io.images.hdf5 import find_images, hdf5_frames
from pyfai_gridcal.io.images.images import load_image

SHAPE = (34, 47)


@pytest.fixture
def stack_file(tmp_path: Path) -> tuple[Path, AnyArray]:
    stack = np.random.default_rng(5).integers(0, 1000, (2, 3, *SHAPE)).astype(np.uint16)
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["entry/measurement/camera"] = stack
        file["entry/measurement/flat"] = np.ones(SHAPE)
        file["entry/loop"] = h5py.SoftLink("/entry")
        file["entry/dangling"] = h5py.SoftLink("/nowhere")
        file["entry/outside"] = h5py.ExternalLink("missing.h5", "/")
    return path, stack


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("{}::/entry/measurement/camera[1, 2]", lambda s: s[1, 2]),
        ("{}::/entry/measurement/camera[0, 0, 2:30, 5:]", lambda s: s[0, 0, 2:30, 5:]),
        ("{}::/entry/measurement/camera[..., 1, :, :]", lambda s: np.median(s[:, 1], axis=0)),
        ("{}::/entry/measurement/camera[:, 0:2]", lambda s: np.median(s[:, :2].reshape(4, *SHAPE), axis=0)),
        ("{}::/entry/measurement/camera", lambda s: np.median(s.reshape(6, *SHAPE), axis=0)),
        ("silx:{}?path=/entry/measurement/camera&slice=1,0", lambda s: s[1, 0]),
        ("{}?path=/entry/measurement/camera&slice=-1", lambda s: np.median(s[-1], axis=0)),
    ],
)
def test_silx_urls(stack_file: tuple[Path, AnyArray], where: str, expected: Callable[[AnyArray], AnyArray]) -> None:
    path, stack = stack_file
    image = load_image(where.format(path))
    assert np.array_equal(image.data, expected(stack))
    assert image.sources[0].url == where.format(path)


def test_ambiguous_hdf5_names_the_choices(stack_file: tuple[Path, AnyArray]) -> None:
    with pytest.raises(ImageError, match=r"/entry/measurement/camera .*/entry/measurement/flat .*name it: .*::/entry"):
        load_image(stack_file[0])
    with pytest.raises(ImageError, match=r"no dataset /nothing .* it holds /entry/measurement/camera"):
        load_image(f"{stack_file[0]}::/nothing")
    with pytest.raises(ImageError, match="index 7"):
        load_image(f"{stack_file[0]}::/entry/measurement/camera[7]")
    with pytest.raises(UsageError, match="whole images"):
        load_image(f"{stack_file[0]}::/entry/measurement/camera[0, 0, 5]")
    with pytest.raises(UsageError, match=r"slice \[a\]"):
        load_image(f"{stack_file[0]}::/entry/measurement/camera[a]")


def test_default_signal_of_nexus_decides(stack_file: tuple[Path, AnyArray]) -> None:
    with h5py.File(stack_file[0], "a") as file:
        file.attrs["default"] = "entry/measurement"
        file["entry/measurement"].attrs["signal"] = "flat"
    assert np.all(load_image(stack_file[0]).data == 1)


def test_series_of_a_master_file(tmp_path: Path) -> None:
    frames = np.random.default_rng(1).integers(0, 99, (4, *SHAPE)).astype(np.uint32)
    for k in (0, 1):
        with h5py.File(tmp_path / f"data_{k}.h5", "w") as file:
            file["entry/data/data"] = frames[2 * k : 2 * k + 2]
    with h5py.File(tmp_path / "master.h5", "w") as file:
        for k in (1, 0):
            file[f"entry/data/data_00000{k + 1}"] = h5py.ExternalLink(f"data_{k}.h5", "/entry/data/data")
    image = load_image(tmp_path / "master.h5", combine="mean")
    assert image.frames == 4
    assert np.allclose(image.data, frames.mean(axis=0))


@pytest.fixture
def eiger(tmp_path: Path) -> tuple[Path, AnyArray]:
    """A master file with three data files of two, two and one frames, its mask and its flat field."""
    frames = np.random.default_rng(1).integers(1, 99, (5, *SHAPE)).astype(np.uint32)
    mask = np.zeros(SHAPE, np.uint32)
    mask[3, 5:7] = 1, 8
    with h5py.File(tmp_path / "master.h5", "w") as file:
        for k in range(3):
            with h5py.File(tmp_path / f"data_{k}.h5", "w") as data:
                data["entry/data/data"] = frames[2 * k : 2 * k + 2]
            file[f"entry/data/data_{k + 1:06d}"] = h5py.ExternalLink(f"data_{k}.h5", "/entry/data/data")
        file["entry/instrument/detector/detectorSpecific/pixel_mask"] = mask
        file["entry/instrument/detector/detectorSpecific/flatfield"] = np.ones(SHAPE, np.float32)
        file["entry/data"].attrs["signal"] = "data_000001"
    return tmp_path / "master.h5", np.where(mask > 0, np.uint32(2**32 - 1), frames)


@pytest.mark.parametrize("name", ["{}", "{}::/entry/data"])
def test_an_eiger_master_is_all_its_frames(eiger: tuple[Path, AnyArray], name: str) -> None:
    path, expected = eiger
    with hdf5_frames(parse_address(name.format(path))) as frames:
        np.testing.assert_array_equal(list(frames), expected)
        assert "2 pixels are ignored" in frames.notes[0]
        again = frames.url
    with hdf5_frames(parse_address(f"{again}[1:4, 2:30]")) as frames:
        np.testing.assert_array_equal(list(frames), expected[1:4, 2:30])
    image = load_image(name.format(path))
    assert image.mask.sum() == 2
    assert image.mask[3, 5:7].all()
    assert image.frames == 5


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_data_file_of_a_master_is_missing(eiger: tuple[Path, AnyArray], gone: int) -> None:
    path, expected = eiger
    path.with_name(f"data_{gone}.h5").unlink()
    left = [k for k in range(5) if k // 2 != gone]
    with pytest.raises(ImageError, match=rf"frames of .*master.h5 are missing: cannot read data_{gone}.h5"):
        hdf5_frames(Address(str(path)))
    with pytest.raises(ImageError, match=rf"data_00000{gone + 1} of .* lies in data_{gone}.h5.* cannot be read"):
        hdf5_frames(Address(str(path), f"/entry/data/data_00000{gone + 1}"))
    with hdf5_frames(Address(str(path)), "skip") as frames:
        np.testing.assert_array_equal(list(frames), expected[left])
    with hdf5_frames(Address(str(path)), "nan") as frames:
        numbers = [k for k in range(frames.count) if k // 2 != gone]
        np.testing.assert_array_equal([frames.read(k) for k in numbers], expected[left])
        assert np.isnan(frames.read(2 * gone)).all()
    # Without any of them, neither the mask nor the flat field is taken for the image.
    for one in path.parent.glob("data_*.h5"):
        one.unlink()
    with pytest.raises(
        ImageError, match=r"no image in .*master.h5::/: data_0.h5.*, data_1.h5.*, data_2.h5.* cannot be read"
    ):
        hdf5_frames(Address(str(path)), "skip")


@pytest.mark.parametrize(("dtype", "code"), [(np.int32, -1), (np.float32, np.nan), (np.uint16, 65535)])
def test_masked_pixels_of_other_types(eiger: tuple[Path, AnyArray], dtype: type, code: float) -> None:
    path, _ = eiger
    for k in range(3):
        with h5py.File(path.with_name(f"data_{k}.h5"), "w") as data:
            data["entry/data/data"] = np.ones((1, *SHAPE), dtype)
    with hdf5_frames(Address(str(path))) as frames:
        np.testing.assert_array_equal(frames.read(2)[3, 4:8], np.array([1, code, code, 1], dtype))


def test_what_may_be_an_image(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a/image"], file["a/colours"] = np.zeros((9, 12)), np.zeros((2, 9, 12, 3), np.uint8)
        file["a/again"] = file["a/image"]
        file["a/flags"], file["a/table"], file["a/words"] = np.zeros((9, 12), bool), np.zeros((9, 7)), "text"
        assert sorted(find_images(file)) == ["/a/again", "/a/colours"]  # each object once, by its first name


def test_frames_are_read_one_by_one_and_the_file_is_closed(stack_file: tuple[Path, AnyArray]) -> None:
    path, stack = stack_file
    with hdf5_frames(Address(str(path), "/entry/measurement/camera", (slice(None), 2), "x")) as frames:
        assert (frames.count, frames.shape, frames.dtype) == (2, SHAPE, np.uint16)
        np.testing.assert_array_equal(frames.read(1), stack[1, 2])
    with h5py.File(path, "a"):
        pass
    with pytest.raises(ImageError, match=r"no readable HDF5 file .*is it complete"):
        hdf5_frames(Address(str(path.with_name("missing.h5"))))
